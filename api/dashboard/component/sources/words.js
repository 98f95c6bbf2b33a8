// What is said of call sources: their states, what came to them, and their options.

import { count, formatAgo, timeElement } from "../parts/format.js";

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
