// Everything about one call: what became of it, the note, and every attempt.

import { copyable } from "../parts/copying.js";
import { openDialog } from "../parts/dialogs.js";
import { el, setChildren } from "../parts/dom.js";
import { describeError } from "../parts/failures.js";
import { count, formatDuration, timeElement } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { busyButton } from "../parts/inputs.js";
import { noteElement } from "./note.js";
import { Poll } from "../parts/polling.js";
import { statusPill } from "./rows.js";
import { nameCaller, REASONS, RETRYABLE, STATUSES, tellOutcome, tellWarning } from "../parts/words.js";

/** Opens the details of a call and keeps them fresh; `onChanged` hears of a retry. */
export function showDetail(work, id, { onChanged }) {
  const closing = new AbortController();
  const body = el("div", { class: "dialog-body", "aria-busy": "true" }, skeleton());
  const dialog = openDialog(
    work.root,
    { kind: "drawer", title: "Call", onClose: () => closing.abort() },
    body,
  );
  const heading = dialog.querySelector("h2");
  const signal = AbortSignal.any([closing.signal, work.signal]);
  const poll = new Poll(async () => {
    try {
      const detail = await work.client.getSyncLog(id, { signal });
      body.removeAttribute("aria-busy");
      heading.textContent = nameCaller(detail.log);
      setChildren(body, JSON.stringify(detail), () => describe(work, detail, retry));
      return detail.log.status === "pending";
    } catch (error) {
      if (signal.aborted) return false;
      body.removeAttribute("aria-busy");
      setChildren(body, error.message, () => el("p", { role: "alert" }, describeError(error)));
      throw error;
    }
  }, signal);
  const retry = async () => {
    try {
      const { requeued } = await work.client.retrySyncLog(id, { signal });
      work.notices.show(
        requeued
          ? { kind: "success", key: "retry", title: "The call is being tried again", isBrief: true }
          : {
              key: "retry",
              title: "Nothing was retried",
              text: "The call is synced, waits already, or its contents are deleted.",
            },
      );
    } catch (error) {
      work.fail(error, "The call could not be retried");
    }
    heading.focus();
    await poll.now();
    onChanged();
  };
  poll.now();
}

function describe(work, { log, attempts, contact_url: contactUrl, warnings, note }, retry) {
  return [
    el(
      "div",
      { class: "detail-outcome" },
      statusPill(log.status),
      el("p", {}, tellOutcome(log)),
      el(
        "div",
        { class: "buttons" },
        contactUrl
          ? el(
              "a",
              { class: "button", href: contactUrl, target: "_blank", rel: "noopener noreferrer" },
              "Open contact in HubSpot",
              icon("external"),
            )
          : null,
        RETRYABLE.includes(log.status) && work.mayChange()
          ? busyButton({ label: "Retry", className: "primary", run: retry }, icon("retry"))
          : null,
      ),
    ),
    el("h3", {}, "Call"),
    factList([
      ["Received", timeElement(log.created_at)],
      ["Reason", log.error_code ? (REASONS[log.error_code] ?? log.error_code) : null],
      ["Next attempt", log.next_attempt_at ? timeElement(log.next_attempt_at) : null],
      ["Call ID", copyable(work, log.call_id, "call ID")],
      ["Contact ID", log.contact_id ? copyable(work, log.contact_id, "contact ID") : null],
      ["Note ID", log.engagement_id ? copyable(work, log.engagement_id, "note ID") : null],
      ["Log ID", copyable(work, log.id, "log ID")],
    ]),
    ...(warnings.length ? describeWarnings(warnings) : []),
    el("h3", {}, attempts.length ? count(attempts.length, "attempt") : "No attempt yet"),
    el(
      "ol",
      { class: "attempts", reversed: true },
      attempts.map((attempt) => describeAttempt(work, attempt)),
    ),
    el("h3", {}, note?.written ? "Note, as it was written" : "Note, as it would be written"),
    note
      ? noteElement(note.html)
      : el(
          "p",
          { class: "hint" },
          "The call's contents were deleted at the end of their retention period.",
        ),
  ];
}

function describeWarnings(warnings) {
  return [
    el("h3", {}, "Left out or changed when the call came in"),
    el(
      "ul",
      { class: "warnings" },
      warnings.map((warning) => el("li", {}, tellWarning(warning))),
    ),
  ];
}

function describeAttempt(work, attempt) {
  const facts = [
    formatDuration(attempt.duration_ms),
    attempt.http_status ? `HubSpot answered ${attempt.http_status}` : null,
    attempt.error_code ? (REASONS[attempt.error_code] ?? attempt.error_code) : null,
  ];
  return el(
    "li",
    { "data-kind": attempt.outcome },
    el(
      "div",
      { class: "attempt-head" },
      el("strong", {}, STATUSES[attempt.outcome] ?? attempt.outcome),
      timeElement(attempt.started_at),
    ),
    el("p", { class: "hint" }, facts.filter(Boolean).join(" · ")),
    attempt.message ? el("p", {}, attempt.message) : null,
    attempt.correlation_id
      ? el(
          "p",
          { class: "correlation" },
          el("span", { class: "hint" }, "HubSpot correlation ID "),
          copyable(work, attempt.correlation_id, "correlation ID"),
        )
      : null,
  );
}

function factList(pairs) {
  const shown = pairs.filter(([, value]) => value !== null);
  return el(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

const skeleton = () => Array.from({ length: 6 }, () => el("span", { class: "skeleton line" }));
