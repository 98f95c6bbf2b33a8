// The rows of the sync log: made once per call, then kept up to date in place.

import { el, setChildren, setText } from "../parts/dom.js";
import { timeElement } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { busyButton } from "../parts/inputs.js";
import { canRetry, nameCaller, STATUSES, tellOutcome, tellOutcomeText } from "../parts/words.js";

/** A status as a coloured pill with its icon. */
export function statusPill(status) {
  return el("span", { class: "pill", "data-kind": status }, icon(status), STATUSES[status]);
}

/** The pills of an entry: two where the call is synced and its note lacks something. */
export function entryPills(log) {
  const isIncomplete = log.update === "failed";
  return [
    statusPill(log.status),
    isIncomplete
      ? el("span", { class: "pill", "data-kind": "error" }, icon("error"), "Incomplete")
      : null,
  ];
}

/** One row; `actions`: open(row), retry(row), select(row, isSelected). */
export class Row {
  constructor(log, actions) {
    this.log = log;
    this.box = el("input", {
      type: "checkbox",
      onchange: () => actions.select(this, this.box.checked),
    });
    this.when = el("td", { class: "when", role: "cell" });
    this.caller = el("button", {
      type: "button",
      class: "link caller",
      onclick: () => actions.open(this),
    });
    this.callId = el("span", { class: "mono call-id" });
    this.pill = el("span", { class: "pill-place" });
    this.words = el("p", { class: "outcome-words" });
    this.retry = busyButton(
      { label: "Retry", className: "small", run: () => actions.retry(this) },
      icon("retry"),
    );
    this.element = el(
      "tr",
      { role: "row", onclick: (event) => this.#openOnClick(event, actions) },
      el("td", { class: "select", role: "cell" }, this.box),
      this.when,
      el("td", { class: "who", role: "cell" }, this.caller, this.callId),
      el(
        "td",
        { class: "what", role: "cell" },
        el("div", { class: "outcome" }, this.pill, this.words),
      ),
      el("td", { class: "do", role: "cell" }, this.retry),
    );
    this.show(log);
  }

  /** Shows a newer state; also the same one again as time passes. */
  show(log, now = Date.now()) {
    this.log = log;
    const name = nameCaller(log);
    const isRetryable = canRetry(log);
    setChildren(this.when, String(log.created_at) + new Date(now).toDateString(), () =>
      timeElement(log.created_at),
    );
    setText(this.caller, name);
    this.caller.setAttribute("aria-label", `${name}, call ${log.call_id}: details`);
    setText(this.callId, log.call_id);
    this.callId.title = log.call_id; // two lines of it are shown
    setChildren(this.pill, `${log.status} ${log.update}`, () => entryPills(log));
    setChildren(this.words, tellOutcomeText(log, now), () => tellOutcome(log, now));
    this.retry.hidden = !isRetryable;
    this.retry.setAttribute("aria-label", `Retry call ${log.call_id}`);
    this.box.hidden = !isRetryable;
    this.box.checked &&= isRetryable;
    this.box.setAttribute("aria-label", `Select call ${log.call_id}`);
  }

  setSelected(isSelected) {
    this.box.checked = isSelected;
    this.element.classList.toggle("selected", isSelected);
  }

  /** With a mouse the whole row opens; what is in it keeps its own meaning. */
  #openOnClick(event, actions) {
    const isSelecting = getSelection()?.toString();
    if (!isSelecting && !event.target.closest("button, input, .select")) actions.open(this);
  }
}

/** Log ids of the rows that can be seen, then of the others. */
export function idsInView(rows) {
  const isSeen = ({ element }) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > 0 && top < window.innerHeight;
  };
  return [...new Set([...rows.filter(isSeen), ...rows])].map((row) => row.log.id);
}

/** Rows in place of those that are being loaded. */
export function skeletonRows(amount) {
  return Array.from({ length: amount }, () =>
    el(
      "tr",
      { role: "row", class: "skeleton-row", "aria-hidden": "true" },
      ["select", "when", "who", "what", "do"].map((name) =>
        el("td", { class: name, role: "cell" }, el("span", { class: "skeleton" })),
      ),
    ),
  );
}

/** The table around the rows. Its roles are named: where it is narrow its display is no table's. */
export function logTable(labelId, selectAll, body) {
  const head = (className, ...children) =>
    el("th", { class: className, role: "columnheader", scope: "col" }, ...children);
  return el(
    "table",
    { class: "log", role: "table", "aria-labelledby": labelId },
    el(
      "thead",
      { role: "rowgroup" },
      el(
        "tr",
        { role: "row" },
        head("select", selectAll),
        head("when", "Received"),
        head("who", "Caller"),
        head("what", "What happened"),
        head("do", el("span", { class: "hidden" }, "Actions")),
      ),
    ),
    body,
  );
}
