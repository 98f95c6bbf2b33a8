// Texts that are copied by a button beside them.

import { el } from "./dom.js";
import { icon } from "./icons.js";

/** A text with its button; `name` is what a notice of `work` calls it. */
export function copyable(work, text, name) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      work.notices.show({
        kind: "success",
        key: "copy",
        title: `The ${name} is copied`,
        isBrief: true,
      });
    } catch {
      // The browser refuses it on pages that are not secure, and without permission.
      work.notices.show({
        key: "copy",
        title: `The ${name} could not be copied`,
        text: "Select it by hand.",
      });
    }
  };
  return el(
    "span",
    { class: "copyable" },
    el("code", {}, text),
    el(
      "button",
      { type: "button", class: "plain", "aria-label": `Copy the ${name}`, onclick: copy },
      icon("copy"),
    ),
  );
}
