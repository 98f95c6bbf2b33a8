// Which calls are written, when, and with what: each setting says what it will do.

import { el, newId } from "../parts/dom.js";
import { describeField } from "../parts/failures.js";
import { field, select } from "../parts/inputs.js";
import { count } from "../parts/format.js";

const WHEN = {
  ended: {
    label: "At once when the call has ended",
    effect:
      "The note is there within seconds. Summary and recording are added to it when they come.",
  },
  complete: {
    label: "When the call is complete",
    effect:
      "The note is written once, when summary and recording are there, 15 minutes after the call " +
      "at the latest. What comes later is kept here and not written, unless you retry the call.",
  },
};
const DIRECTIONS = [
  { value: "inbound,outbound", label: "Calls in both directions" },
  { value: "inbound", label: "Only calls from customers" },
  { value: "outbound", label: "Only calls to customers" },
];

const split = (text) => text.split(/[,;\n]/).map((word) => word.trim()).filter(Boolean);

/** The controls: their `elements`, what is `changed()` in them, and `setProblems(error)`. */
export function makeCallSettings(settings) {
  const { rules, keep } = settings;
  const own = listField({
    label: "Your own phone numbers",
    values: settings.own_numbers,
    hint: "One on each line, best with + and country code.",
    tell: (numbers) =>
      numbers.length
        ? `${count(numbers.length, "number")}, never taken for a customer's. If a call does not ` +
          "say who called whom, its other number is the customer's. Calls between your own " +
          "numbers are left out."
        : "Not set: a call that does not say who called whom is skipped.",
  });
  const when = choice("A call is written", WHEN, settings.write_when);
  const transcript = tick({
    label: "Keep transcripts",
    checked: keep.transcript,
    on: "What was said word by word is stored and shown in the note.",
    off: "From now on transcripts are thrown away when they arrive: no note shows them, and they are stored nowhere.",
  });
  const recording = tick({
    label: "Keep links to recordings",
    checked: keep.recording,
    on: "The note has a link to the recording.",
    off: "From now on links to recordings are thrown away when they arrive: no note has one.",
  });
  const seconds = told({
    label: "Shortest call, in seconds",
    control: el("input", { type: "number", min: 0, max: 86400, step: 1 }),
    value: String(rules.min_duration_seconds),
    tell: (text) =>
      Number(text) > 0
        ? `Calls shorter than ${text} seconds are left out.`
        : "Calls of any length are written.",
  });
  const directions = told({
    label: "Direction",
    control: select({ options: DIRECTIONS }),
    value: [...rules.directions].sort().join(","),
    tell: (value) =>
      ({
        inbound: "Calls that your side made are left out.",
        outbound: "Calls that customers made are left out.",
      })[value] ?? "Calls are written whoever called.",
  });
  const outcomes = told({
    label: "Outcomes to leave out",
    control: el("input", { autocomplete: "off", placeholder: "voicemail, no answer" }),
    value: rules.skip_outcomes.join(", "),
    hint: "As your phone system calls them; separated by commas.",
    tell: (text) => {
      const words = split(text).map((word) => `“${word}”`);
      return words.length
        ? `Calls that ended as ${words.join(" or ")} are left out.`
        : "Calls are written however they ended.";
    },
  });
  const blocked = listField({
    label: "Customers' numbers to leave out",
    values: rules.blocked_numbers,
    hint: "One on each line.",
    tell: (numbers) =>
      numbers.length
        ? `Calls with ${numbers.length === 1 ? "this number" : "these numbers"} are left out.`
        : "No number is left out.",
  });
  const lines = listField({
    label: "Your lines to leave out",
    values: rules.skip_lines,
    hint: "Numbers of your own, one on each line: an internal line, say.",
    tell: (numbers) =>
      numbers.length
        ? `Calls over ${numbers.length === 1 ? "this line" : "these lines"} are left out.`
        : "Calls over all your lines are written.",
  });
  const summary = tick({
    label: "Only calls with a summary",
    checked: rules.require_summary,
    on: "A call waits for its summary. If none has come 15 minutes after the call, it is left out.",
    off: "Calls are written with or without a summary.",
  });
  const given = () => ({
    own_numbers: own.value(),
    write_when: when.value(),
    keep: { transcript: transcript.value(), recording: recording.value() },
    rules: {
      min_duration_seconds: Number(seconds.value() || 0),
      directions: directions.value().split(","),
      skip_outcomes: split(outcomes.value()),
      blocked_numbers: blocked.value(),
      skip_lines: lines.value(),
      require_summary: summary.value(),
    },
  });
  const before = given();
  const fields = [
    [own, "own_numbers"],
    [seconds, "rules.min_duration_seconds"],
    [outcomes, "rules.skip_outcomes"],
    [blocked, "rules.blocked_numbers"],
    [lines, "rules.skip_lines"],
  ];
  return {
    elements: [
      own.element,
      when.element,
      group("What is kept of a call", "", transcript.element, recording.element),
      group(
        "Calls that are left out",
        "They are listed as skipped, with the rule that left them out. A note that is written " +
          "already is never touched.",
        seconds.element,
        directions.element,
        outcomes.element,
        blocked.element,
        lines.element,
        summary.element,
      ),
    ],
    changed: () => findChanges(before, given()),
    setProblems: (error) => {
      const problems = fields.map(([shown, name]) => [shown, describeWithin(error, name)]);
      for (const [shown, problem] of problems) shown.setProblem(problem);
      return problems.some(([, problem]) => problem);
    },
  };
}

/** What of `after` is another value than in `before`; objects by key. */
function findChanges(before, after) {
  const changes = {};
  for (const [name, value] of Object.entries(after)) {
    if (JSON.stringify(value) === JSON.stringify(before[name])) continue;
    const isMap = typeof value === "object" && !Array.isArray(value);
    changes[name] = isMap ? findChanges(before[name], value) : value;
  }
  return changes;
}

/** What is wrong with a field or, if it is a list, with one of its entries. */
function describeWithin(error, name) {
  const entry = error.fields?.find(({ field: path }) => path.startsWith(`${name}.`));
  return entry
    ? `Entry ${Number(entry.field.slice(name.length + 1)) + 1} ${entry.message}`
    : describeField(error, name);
}

function group(title, text, ...children) {
  return el(
    "fieldset",
    { class: "choices rules" },
    el("legend", {}, title),
    text ? el("p", { class: "hint" }, text) : null,
    children,
  );
}

/** A field that says below it what its value does. */
function told({ label, control, value, hint = null, tell }) {
  control.value = value;
  const effect = el("p", { class: "hint effect", "aria-live": "polite" }, tell(value));
  control.addEventListener("input", () => {
    effect.textContent = tell(control.value);
  });
  const { element, setProblem } = field({ label, control, hint });
  element.append(effect);
  return { element, setProblem, value: () => control.value.trim() };
}

function listField({ label, values, hint, tell }) {
  const control = el("textarea", { rows: 2, spellcheck: "false", autocomplete: "off" });
  const list = told({
    label,
    control,
    value: values.join("\n"),
    hint,
    tell: (text) => tell(split(text)),
  });
  return { ...list, value: () => split(control.value) };
}

function tick({ label, checked, on, off }) {
  const id = newId("effect");
  const effect = el("span", { class: "hint", id, "aria-live": "polite" }, checked ? on : off);
  const input = el("input", {
    type: "checkbox",
    checked,
    "aria-describedby": id,
    onchange: () => {
      effect.textContent = input.checked ? on : off;
    },
  });
  const element = el(
    "label",
    { class: "choice" },
    input,
    el("span", {}, el("span", { class: "choice-label" }, label), effect),
  );
  return { element, value: () => input.checked };
}

/** One of several, each with its effect. */
export function choice(title, options, current) {
  const name = newId("choice");
  const element = el(
    "fieldset",
    { class: "choices" },
    el("legend", {}, title),
    Object.entries(options).map(([value, { label, effect }]) => {
      const id = newId("effect");
      return el(
        "label",
        { class: "choice" },
        el("input", {
          type: "radio",
          name,
          value,
          "aria-describedby": id,
          checked: value === current,
        }),
        el(
          "span",
          {},
          el("span", { class: "choice-label" }, label),
          el("span", { class: "hint", id }, effect),
        ),
      );
    }),
  );
  return { element, value: () => element.querySelector("input:checked").value };
}
