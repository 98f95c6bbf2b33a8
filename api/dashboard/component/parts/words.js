// What became of a call, in words: statuses, reasons, and the sentence that answers
// "why is this call not in HubSpot?"

import { formatPhone, timeElement } from "./format.js";

/** Why there is nothing to press for those who may only look. */
export const READ_ONLY =
  "You are signed in for reading only: you see everything here, and can change nothing.";

/** Whether who is signed in may change anything, as an answer of `status` says. */
export const mayChange = (status) => status?.canChange !== false;

/** Statuses in the order of a picture, from the bottom up. */
export const STATUSES = {
  success: "Synced",
  skipped: "Skipped",
  error: "Failed",
  pending: "Waiting",
};

/** Labels of the reasons (`error_code`), for filters and facts. */
export const REASONS = {
  contact_not_found: "No such contact",
  ambiguous_contact: "Several contacts match",
  no_phone_number: "Number withheld",
  invalid_phone_number: "Not a phone number",
  unknown_direction: "Direction not known",
  held: "Held back",
  filtered: "Left out by your rules",
  not_connected: "HubSpot not connected",
  reconnect_required: "Permission withdrawn",
  missing_scopes: "Permission missing",
  rejected_by_hubspot: "Refused by HubSpot",
  rate_limited: "HubSpot's limit reached",
  hubspot_unavailable: "HubSpot unavailable",
  network_error: "Network trouble",
  configuration_error: "Service misconfigured",
  unconfirmed: "Note not confirmed",
  poison: "Set aside",
  payload_expired: "Contents deleted",
};

/** Labels of what becomes of a note once its call has grown (`update`), for filters. */
export const UPDATES = {
  failed: "Could not be completed",
  waiting: "To be completed",
  deleted: "Deleted in HubSpot",
};

/** What a try of completing a note came to, by the attempt's outcome. */
export const COMPLETIONS = {
  success: "Completed",
  pending: "To be completed later",
  error: "Could not be completed",
  skipped: "Not completed",
};

// What voice platforms say has happened, in our own webhook's words.
const EVENTS = { "call.ended": "The call ended", "call.updated": "More about the call" };

/** What people call the fields of a call. */
export const FIELDS = {
  call_id: "The call's id",
  phone_number: "The phone number",
  direction: "The direction",
  from_number: "The number that called",
  to_number: "The number that was called",
  started_at: "The start of the call",
  ended_at: "The end of the call",
  duration_seconds: "The duration",
  summary: "The summary",
  recording_url: "The recording's link",
  transcript: "The transcript",
  agent_name: "The agent's name",
  agent_email: "The agent's email address",
  agent_id: "The agent's id",
  outcome: "The outcome",
  structured_data: "The details",
};

const RETRYABLE = ["error", "skipped"];

/** Whether a retry would do something: an update that waits for a person says why. */
export const canRetry = (log) =>
  RETRYABLE.includes(log.status) ||
  log.update === "failed" ||
  (log.update === "waiting" && Boolean(log.update_error));

const SENTENCES = {
  contact_not_found: (log) => `No HubSpot contact has ${caller(log)}.`,
  ambiguous_contact: (log) =>
    `${howMany(log)} HubSpot contacts have ${caller(log)}, and your settings say to choose none.` +
    " Merge them or change the setting, then retry.",
  no_phone_number: () => "The caller withheld the number, so nobody can be looked up.",
  invalid_phone_number: (log) =>
    (log.phone_number ? `“${log.phone_number}” is not a number that can be looked up. ` : "") +
    (log.error_message ?? "It is not a phone number that a contact could have."),
  unknown_direction: (log) =>
    log.error_message ?? "The call does not say which of its numbers is the customer's.",
  held: (log) =>
    log.error_message ?? "Its call source was paused when this call came: retry it to write it.",
  filtered: (log) =>
    (log.error_message ?? "One of your rules leaves this call out.") +
    " Rules are in the settings; a changed rule can be applied to calls that were left out.",
  not_connected: (log) =>
    log.error_message ??
    "HubSpot was not connected. Calls of the last 7 days are synced once it is.",
  reconnect_required: () =>
    "HubSpot withdrew its permission. Reconnect, and this call is synced by itself.",
  missing_scopes: () =>
    "HubSpot did not grant every permission that is needed. Reconnect and allow all of them.",
  rejected_by_hubspot: (log) =>
    log.error_message
      ? `HubSpot refused the note: ${log.error_message}`
      : "HubSpot refused the note.",
  rate_limited: () => "HubSpot limits how often it may be asked, and the limit is reached.",
  hubspot_unavailable: (log) => log.error_message ?? "HubSpot did not answer as it should.",
  network_error: () => "HubSpot could not be reached.",
  configuration_error: () =>
    "HubSpot refuses this service's own credentials. Its operators are told; the call is kept.",
  unconfirmed: (log) =>
    log.error_message ?? "A note may have been written, but HubSpot could not confirm it.",
  poison: (log) => log.error_message ?? "The call could not be worked on and is set aside.",
  payload_expired: () => "The call's contents were deleted, as agreed, before it could be synced.",
};
// Reasons for which trying again means looking the number up again.
const LOOK_UPS = new Set(["contact_not_found", "ambiguous_contact"]);

// Reasons that only a call with a number ends with: without one it has been deleted.
const HAD_NUMBER = new Set([
  "contact_not_found",
  "ambiguous_contact",
  "invalid_phone_number",
  "rejected_by_hubspot",
  "unconfirmed",
  "payload_expired",
]);

/** Why a call is where it is, as texts and times for an element; `now` in epoch milliseconds. */
export function tellOutcome(log, now = Date.now()) {
  if (log.status === "success") {
    const more = tellUpdate(log).map((sentence) => ` ${sentence}`);
    return ["Written to the contact's timeline at ", at(log.updated_at), ".", ...more];
  }
  const why = SENTENCES[log.error_code]?.(log) ?? log.error_message;
  return [...(why ? [endSentence(why)] : []), ...tellNext(log, now)];
}

/** The same as plain text. */
export function tellOutcomeText(log, now = Date.now()) {
  return tellOutcome(log, now)
    .map((part) => (typeof part === "string" ? part : part.textContent))
    .join("");
}

/** What becomes of what has come in since, as sentences; `brought` are names of its fields. */
export function tellUpdate(log, brought = []) {
  const what = brought.length ? `: ${nameFields(brought)}` : "";
  switch (log.update) {
    case "waiting":
      if (log.update_error) return [endSentence(log.update_error)];
      return [`More has come in since and is being added${what}.`];
    case "failed":
      return [
        `What came in later could not be added${what}.`,
        ...(log.update_error ? [endSentence(log.update_error)] : []),
      ];
    case "deleted":
      return ["The note was deleted in HubSpot, so nothing that came in later was added."];
    default:
      return [];
  }
}

/** What a voice platform said had happened. */
export const nameEvent = (event) => EVENTS[event] ?? event;

/** Fields of a call within a sentence: "summary, recording and transcript". */
export function nameFields(names) {
  const words = names.map((name) =>
    name === "recording_url" ? "recording" : (FIELDS[name] ?? name).replace(/^The /, ""),
  );
  return [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");
}

/** What was left out of a call, cut or guessed when it came in, as a sentence. */
export const tellWarning = ({ field, message }) =>
  endSentence(`${FIELDS[field] ?? field} ${message}`);

/** Who called, as a title: a number in groups, or that there is none. */
export function nameCaller(log) {
  if (log.phone_number) return formatPhone(log.phone_number);
  if (log.status === "success" || HAD_NUMBER.has(log.error_code)) return "Number deleted";
  return log.error_code === "no_phone_number" ? "Number withheld" : "No number";
}

function tellNext(log, now) {
  if (log.next_attempt_at === null) return [];
  const isLookUp = LOOK_UPS.has(log.error_code);
  if (log.next_attempt_at <= now + 1000) {
    if (!log.error_code) return ["It is its turn now."];
    return [isLookUp ? " It is being looked up again now." : " It is being tried again now."];
  }
  if (!log.error_code) return ["It is worked on at ", at(log.next_attempt_at), "."];
  const what = isLookUp ? "looked up" : "tried";
  return [` It will be ${what} again at `, at(log.next_attempt_at), "."];
}

const at = (ms) => timeElement(ms);

const caller = (log) => (log.phone_number ? formatPhone(log.phone_number) : "this number");

const howMany = (log) => /^\d+/.exec(log.error_message ?? "")?.[0] ?? "Several";

export const endSentence = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);
