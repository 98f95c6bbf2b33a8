// The last messages that came to a source: when, which event, what became of it.

import { el } from "../parts/dom.js";
import { count, timeElement } from "../parts/format.js";
import { FIELDS } from "../parts/words.js";
import { RESULTS } from "./words.js";

/** A list; `onCall(logId)` opens a call's entry. */
export function describeDeliveries(deliveries, onCall) {
  if (!deliveries.length)
    return el("p", { class: "hint" }, "None yet. Make a test call and hang up: it appears here.");
  return el(
    "ol",
    { class: "attempts", reversed: true },
    deliveries.map((delivery) => describeDelivery(delivery, onCall)),
  );
}

/** Dotted names in the platform's messages, of the newest that could not be read yet. */
export function listNames(deliveries) {
  return (
    deliveries.find(({ result, fields }) => result === "unreadable" && fields.length)?.fields ?? []
  );
}

function describeDelivery(delivery, onCall) {
  const { label, kind } = RESULTS[delivery.result] ?? { label: delivery.result, kind: "pending" };
  const fields = delivery.fields.map((name) => (FIELDS[name] ?? name).replace(/^The /, ""));
  const many = delivery.count > 1 ? `${count(delivery.count, "message")} in 24 h` : null;
  const about = [delivery.event, many].filter(Boolean).join(" · ");
  return el(
    "li",
    { "data-kind": kind },
    el("div", { class: "attempt-head" }, el("strong", {}, label), timeElement(delivery.at)),
    about ? el("p", { class: "hint" }, about) : null,
    delivery.message ? el("p", {}, delivery.message) : null,
    fields.length ? el("p", { class: "hint" }, `It brought: ${fields.join(", ")}`) : null,
    delivery.log_id
      ? el(
          "button",
          { type: "button", class: "small", onclick: () => onCall(delivery.log_id) },
          "Open the call",
          el("span", { class: "hidden" }, ` ${delivery.call_id}`),
        )
      : null,
  );
}
