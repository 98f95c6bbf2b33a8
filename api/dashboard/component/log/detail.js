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
import { entryPills } from "./rows.js";
import { tellStory } from "./story.js";
import {
  canRetry,
  COMPLETIONS,
  nameCaller,
  nameEvent,
  nameFields,
  REASONS,
  STATUSES,
  tellWarning,
} from "../parts/words.js";

// So many the API lists; there may be more.
const MOST_DELIVERIES = 20;

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
      return detail.log.status === "pending" || detail.log.update === "waiting";
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

function describe(work, detail, retry) {
  const { log, attempts, deliveries, contact_url: contactUrl, warnings, note } = detail;
  return [
    el(
      "div",
      { class: "detail-outcome" },
      el("span", { class: "pill-place" }, entryPills(log)),
      tellStory(detail).map((sentence) => el("p", {}, sentence)),
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
        canRetry(log) && work.mayChange()
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
    ...listSentences("Left out or changed when the call came in", warnings.map(tellWarning)),
    ...listSentences("Left out of the note", log.notices),
    ...describeDeliveries(deliveries),
    el("h3", {}, attempts.length ? count(attempts.length, "attempt") : "No attempt yet"),
    el(
      "ol",
      { class: "attempts", reversed: true },
      attempts.map((attempt) => describeAttempt(work, attempt)),
    ),
    el("h3", {}, nameNote(log, note)),
    note
      ? noteElement(note.html)
      : el(
          "p",
          { class: "hint" },
          "The call's contents were deleted at the end of their retention period.",
        ),
  ];
}

function nameNote(log, note) {
  if (!note?.written) return "Note, as it would be written";
  const isBehind = log.written_revision !== null && log.written_revision < log.revision;
  return log.update || isBehind ? "Note, as it would be now" : "Note, as it was written";
}

function listSentences(heading, sentences) {
  if (!sentences.length) return [];
  const items = sentences.map((sentence) => el("li", {}, sentence));
  return [el("h3", {}, heading), el("ul", { class: "warnings" }, items)];
}

function describeDeliveries(deliveries) {
  if (!deliveries.length) return [];
  const isCut = deliveries.length === MOST_DELIVERIES;
  return [
    el("h3", {}, isCut ? "What came in, the last 20 times" : "What came in"),
    el("ol", { class: "attempts", reversed: true }, deliveries.map(describeDelivery)),
  ];
}

function describeDelivery({ at, event, fields, withdrawn }) {
  return el(
    "li",
    {},
    el("div", { class: "attempt-head" }, el("strong", {}, nameEvent(event)), timeElement(at)),
    fields.length ? el("p", { class: "hint" }, `With ${nameFields(fields)}`) : null,
    withdrawn.length
      ? el("p", {}, `It asked that this is not kept: ${nameFields(withdrawn)}.`)
      : null,
  );
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
      el("strong", {}, nameAttempt(attempt)),
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

const nameAttempt = ({ kind, outcome }) =>
  (kind === "update" ? COMPLETIONS : STATUSES)[outcome] ?? outcome;

function factList(pairs) {
  const shown = pairs.filter(([, value]) => value !== null);
  return el(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

const skeleton = () => Array.from({ length: 6 }, () => el("span", { class: "skeleton line" }));
