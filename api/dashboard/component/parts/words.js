// What became of a call, in words: statuses, reasons, and the sentence that answers
// "why is this call not in HubSpot?" And how the sources of calls are.

import { count, formatAgo, formatPhone, timeElement } from "./format.js";

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

export const RETRYABLE = ["error", "skipped"];

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
  if (log.status === "success")
    return ["Written to the contact's timeline at ", at(log.updated_at), "."];
  const why = SENTENCES[log.error_code]?.(log) ?? log.error_message;
  return [...(why ? [endSentence(why)] : []), ...tellNext(log, now)];
}

/** The same as plain text. */
export function tellOutcomeText(log, now = Date.now()) {
  return tellOutcome(log, now)
    .map((part) => (typeof part === "string" ? part : part.textContent))
    .join("");
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

const endSentence = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);

/** States of a call source. */
export const SOURCE_STATES = {
  needs_secret: { label: "Secret missing", kind: "skipped", sign: "skipped" },
  waiting: { label: "Waiting", kind: "pending", sign: "pending" },
  receiving: { label: "Receiving", kind: "success", sign: "success" },
  refusing: { label: "Calls refused", kind: "error", sign: "error" },
  paused: { label: "Paused", kind: "skipped", sign: "pending" },
};

/** What became of a message that came to a source. */
export const RESULTS = {
  stored: { label: "New call", kind: "success" },
  updated: { label: "Added to its call", kind: "success" },
  duplicate: { label: "Known already", kind: "pending" },
  ignored: { label: "Not about a finished call", kind: "pending" },
  unreadable: { label: "Not understood", kind: "skipped" },
  refused: { label: "Refused", kind: "error" },
};

const COUNTS = {
  received: "about calls",
  ignored: "not about a finished call",
  unreadable: "not understood",
  refused: "refused",
};

/** How a source is, as texts and times for an element. */
export function tellSource(source, now = Date.now()) {
  const ago = (ms) => timeElement(ms, formatAgo(ms, now));
  const refused = source.last_refused_at;
  switch (source.state) {
    case "needs_secret":
      return refused
        ? ["A message came ", ago(refused), ": it was refused, because the secret is missing here."]
        : ["Calls are taken once the secret has been added."];
    case "refusing":
      return ["A message came ", ago(refused), " and was refused: it could not be proven genuine."];
    case "paused":
      return source.held
        ? [`${count(source.held, "call")} held back. Nothing is written until you go on.`]
        : ["New calls are held back, and nothing is written until you go on."];
    case "receiving":
      return ["Last call received ", ago(source.last_received_at), "."];
    default:
      return source.counts.unreadable
        ? ["Messages come in, but no call could be read from them yet."]
        : ["Waiting for your first call …"];
  }
}

/** What came within 24 hours, in one line. */
export function tellCounts(counts) {
  const parts = Object.entries(COUNTS)
    .filter(([kind]) => counts[kind])
    .map(([kind, words]) => `${counts[kind]} ${words}`);
  return parts.length ? `Messages in 24 h: ${parts.join(", ")}` : "No message in 24 h";
}

/** Options of sources: what people call them, and what they do. */
export const OPTIONS = {
  default_region: {
    label: "Country of numbers without a country code",
    hint: null,
  },
  fields: {
    label: "Which field is which",
    hint:
      "Say where each of them stands in the platform's messages, from the outside in: " +
      "call.customer.phone. Once a message has come you can choose among its fields. Leave out " +
      "what it does not send; only the call's id is required.",
    hintOfNames:
      "Choose which of the fields that came is which. Leave out what is not there; only the " +
      "call's id is required.",
  },
  ended_when: {
    label: "Only some of its messages mean that a call is over",
    hint: "Leave both empty if every message comes at the end of a call.",
  },
  path: { label: "The field that says so" },
  value: { label: "What it says then", hint: "Several words are separated by commas." },
  duration_unit: { label: "The duration is given in" },
  legs: { label: "Which calls" },
  time_zone: { label: "Time zone of the times it sends", hint: "Such as Europe/Berlin." },
  summary_insight: { label: "The insight that is the call's summary", hint: "Its name or id." },
  header: { label: "Header with the secret or the signature" },
  signature_header: { label: "Header with the signature" },
  prefix: { label: "What stands before the signature", hint: "Such as sha256=." },
  algorithm: { label: "Algorithm" },
  encoding: { label: "Spelling of the signature" },
  signed: {
    label: "What is signed",
    hint: "{body}, and perhaps {timestamp}, {method}, {url}: {timestamp}.{body}",
  },
  payload: {
    label: "What is signed",
    hint: "{body}, and perhaps {timestamp}, {method}, {url}, {svix-id}: {timestamp}.{body}",
  },
  timestamp_header: { label: "Header with the time" },
  message_id_header: { label: "Header with the message's id" },
  secret_is_base64: { label: "The secret is written in base64" },
  hmac: { label: "How messages are signed" },
};

/** Words for a choice among an option's values. */
export const CHOICES = {
  all: "All",
  inbound: "Incoming calls",
  outbound: "Outgoing calls",
  seconds: "Seconds",
  milliseconds: "Milliseconds",
  minutes: "Minutes",
  hex: "Hexadecimal",
  base64: "Base64",
  sha256: "SHA-256",
  sha512: "SHA-512",
  sha1: "SHA-1",
};
