// Adding a call source: which phone system or voice agent it is.

import { openDialog } from "../parts/dialogs.js";
import { el } from "../parts/dom.js";
import { busyButton } from "../parts/inputs.js";

/** Asks for the vendor and adds a source of it; `onAdded(source)` hears of it. */
export function openAdding(work, vendors, onAdded) {
  const paused = el("input", { type: "checkbox" });
  const add = async (vendor) => {
    try {
      const { source } = await work.client.addCallSource(
        { vendor, paused: paused.checked },
        {},
        { signal: work.signal },
      );
      dialog.close();
      onAdded(source);
    } catch (error) {
      work.fail(error, "The call source could not be added");
    }
  };
  const dialog = openDialog(
    work.root,
    { kind: "form", title: "Add a call source" },
    el(
      "div",
      { class: "dialog-body" },
      el("p", {}, "Which phone system or voice agent do your calls come from?"),
      el(
        "ul",
        { class: "vendors" },
        vendors.map(({ vendor, title }) =>
          el("li", {}, busyButton({ label: title, run: () => add(vendor) })),
        ),
      ),
      el(
        "label",
        { class: "check" },
        paused,
        el(
          "span",
          {},
          "Begin paused",
          el("span", { class: "hint" }, "Its calls are held back until you have looked at them."),
        ),
      ),
    ),
  );
}
