// The options of a source, as its vendor's JSON Schema describes them.

import { listRegions } from "../connection/settings.js";
import { el, setChildren } from "../parts/dom.js";
import { describeField } from "../parts/failures.js";
import { busyButton, field, select } from "../parts/inputs.js";
import { FIELDS } from "../parts/words.js";
import { CHOICES, OPTIONS } from "./words.js";

// Set by the platform or on the command line: kept as they are.
const NOT_HERE = new Set(["tenants", "forwarded"]);
// Matter only where messages are signed.
const SIGNING = new Set(["prefix", "algorithm", "encoding", "signed", "timestamp_header"]);
// What else a map may hold is kept as it is.
const MAPPED = Object.keys(FIELDS);

/** `change(changes)` changes the source, and raises what the client raises. */
export class OptionsForm {
  #work;
  #vendor;
  #change;
  #source = null;
  #names = [];
  #fields = [];
  #isTouched = false;

  constructor(work, vendor, change) {
    this.#work = work;
    this.#vendor = vendor;
    this.#change = change;
    this.form = el("div", { class: "options", oninput: () => (this.#isTouched = true) });
    this.element = el(
      "details",
      { class: "fold" },
      el("summary", {}, "fields" in vendor.options.properties ? "Fields and options" : "Options"),
      this.form,
    );
  }

  show(source) {
    const isFirst = this.#source === null;
    this.#source = source;
    this.#render();
    // Without them nothing can be read.
    if (isFirst) this.element.open = this.#isMapMissing();
  }

  /** Names in the platform's messages, to choose from. */
  showNames(names) {
    if (!names.length) return;
    this.#names = names;
    this.#render();
    if (this.#isMapMissing()) this.element.open = true;
  }

  #isMapMissing() {
    const { properties } = this.#vendor.options;
    return "fields" in properties && !this.#source.options.fields;
  }

  #render() {
    const { options, secrets } = this.#source;
    const schemes = secrets.map(({ scheme }) => scheme);
    const key = JSON.stringify([options, schemes, this.#names]);
    if (this.#isTouched && this.form.shownKey) return; // what has been typed stays
    setChildren(this.form, key, () => this.#make(options, schemes));
  }

  #make(options, schemes) {
    const root = this.#vendor.options;
    const others = this.#vendor.schemes.map(({ name }) => name);
    // What is named like a way of proving belongs to it alone.
    const isShown = (name) =>
      !NOT_HERE.has(name) &&
      (!others.includes(name) || schemes.includes(name)) &&
      (!SIGNING.has(name) || schemes.includes("hmac"));
    this.#fields = Object.entries(root.properties)
      .filter(([name]) => isShown(name))
      .map(([name, schema]) => makeField(root, [name], schema, options[name], this.#names));
    this.#fields.sort(
      (one, other) => Number(other.name === "fields") - Number(one.name === "fields"),
    );
    if (!this.#work.mayChange()) {
      for (const each of this.#fields)
        for (const control of each.element.querySelectorAll("input, select"))
          control.disabled = true;
      return this.#fields.map(({ element }) => element);
    }
    return [
      this.#fields.map(({ element }) => element),
      el(
        "div",
        { class: "buttons" },
        busyButton({ label: "Save options", className: "primary", run: () => this.#save() }),
      ),
    ];
  }

  async #save() {
    const options = { ...this.#source.options };
    for (const { name, read } of this.#fields) {
      const value = read();
      if (value === undefined) delete options[name];
      else options[name] = value;
    }
    for (const each of this.#fields) each.setProblems(null);
    try {
      this.#isTouched = false;
      await this.#change({ options });
      this.#work.notices.show({
        kind: "success",
        key: "source",
        title: "Options saved",
        isBrief: true,
      });
    } catch (error) {
      this.#isTouched = true;
      const isTold = this.#fields.map((each) => each.setProblems(error)).some(Boolean);
      if (!isTold) this.#work.fail(error, "The options could not be saved");
    }
  }
}

/**
 * A field of a schema: `{name, element, read(), setProblems(error)}`. `read` is undefined for what
 * is left out; `setProblems` returns whether the error was about it.
 */
function makeField(root, path, given, value, names) {
  const schema = resolve(root, given);
  const name = path.at(-1);
  const words = { label: schema.title ?? name, hint: schema.description ?? null, ...OPTIONS[name] };
  const current = value ?? schema.default ?? null;
  const make = { root, path, schema, words, current, names };
  if (schema.additionalProperties?.type === "string") return makeMap(make);
  if (schema.properties) return makeGroup(make);
  if (schema.type === "boolean") return makeCheck(make);
  return makeText(make);
}

/** A schema without references, and whether null is one of its values. */
function resolve(root, schema) {
  const { $ref: reference, anyOf, ...rest } = schema;
  const own = reference ? { ...root.$defs[reference.split("/").at(-1)], ...rest } : rest;
  if (!anyOf) return own;
  const kinds = anyOf.filter(({ type }) => type !== "null");
  const isNullable = kinds.length < anyOf.length;
  const found = resolve(root, kinds[0]);
  const isList = kinds.some(({ type }) => type === "array");
  return { ...found, ...own, isNullable, isList };
}

function makeText({ path, schema, words, current, names }) {
  const isRegion = path.at(-1) === "default_region";
  const isPath = path.at(-1) === "path";
  const options = isRegion
    ? listRegions(current)
    : schema.enum?.map((each) => ({ value: each, label: CHOICES[each] ?? each }));
  const text = Array.isArray(current) ? current.join(", ") : String(current ?? "");
  const isOptional = schema.default === null || schema.isNullable;
  const control = options
    ? select({
        options: isOptional
          ? [{ value: "", label: isRegion ? "As in Settings" : "Not chosen" }, ...options]
          : options,
        value: text,
      })
    : isPath
      ? pathControl(text, names)
      : el("input", {
          autocomplete: "off",
          spellcheck: "false",
          maxlength: schema.maxLength,
          value: text,
        });
  const shown = field({ label: words.label, control, hint: words.hint });
  const read = () => {
    const given = control.value.trim();
    if (!given) return schema.isNullable && schema.default ? null : undefined;
    const list = given
      .split(",")
      .map((each) => each.trim())
      .filter(Boolean);
    return schema.isList && list.length > 1 ? list : given;
  };
  return { ...naming(path, shown), element: shown.element, read };
}

function makeCheck({ path, words, current }) {
  const control = el("input", { type: "checkbox", checked: current === true });
  const element = el("label", { class: "check" }, control, el("span", {}, words.label));
  return { name: path.at(-1), element, read: () => control.checked, setProblems: () => false };
}

function makeGroup({ root, path, schema, words, current, names }) {
  const parts = Object.entries(schema.properties).map(([name, each]) =>
    makeField(root, [...path, name], each, current?.[name], names),
  );
  const element = el(
    "fieldset",
    { class: "option-group" },
    el("legend", {}, words.label),
    words.hint && words.hint !== schema.description ? el("p", { class: "hint" }, words.hint) : null,
    parts.map((part) => part.element),
  );
  const read = () => {
    const found = parts.map(({ name, read: readPart }) => [name, readPart()]);
    const kept = Object.fromEntries(found.filter(([, value]) => value !== undefined));
    return Object.keys(kept).length ? kept : undefined;
  };
  const setProblems = (error) => parts.map((part) => part.setProblems(error)).some(Boolean);
  return { name: path.at(-1), element, read, setProblems };
}

/** Our field → where it stands in the platform's messages. */
function makeMap({ path, words, current, names }) {
  const rows = MAPPED.map((name) => {
    const control = pathControl(current?.[name] ?? "", names);
    return {
      name,
      control,
      shown: field({
        label: FIELDS[name].replace(/^The /, "").replace(/^./, (first) => first.toUpperCase()),
        control,
      }),
    };
  });
  const problem = el("p", { class: "problem", "aria-live": "polite" });
  const element = el(
    "fieldset",
    { class: "option-group" },
    el("legend", {}, words.label),
    el("p", { class: "hint" }, names.length ? words.hintOfNames : words.hint),
    el(
      "div",
      { class: "map" },
      rows.map(({ shown }) => shown.element),
    ),
    problem,
  );
  const read = () => {
    const kept = Object.entries(current ?? {}).filter(([name]) => !MAPPED.includes(name));
    const given = rows
      .map(({ name, control }) => [name, control.value.trim()])
      .filter(([, value]) => value);
    return given.length || kept.length ? Object.fromEntries([...kept, ...given]) : undefined;
  };
  const setProblems = (error) => {
    problem.textContent = (error && describeField(error, `options.${path.join(".")}`)) ?? "";
    return problem.textContent !== "";
  };
  return { name: path.at(-1), element, read, setProblems };
}

/** A choice among the names in a real message, or a text where none is known. */
function pathControl(value, names) {
  if (!names.length)
    return el("input", { autocomplete: "off", spellcheck: "false", maxlength: 255, value });
  const known = names.includes(value) || !value ? names : [value, ...names];
  const options = known.map((name) => ({ value: name, label: name }));
  return select({ options: [{ value: "", label: "–" }, ...options], value });
}

function naming(path, shown) {
  const setProblems = (error) => {
    const problem = error && describeField(error, `options.${path.join(".")}`);
    shown.setProblem(problem);
    return Boolean(problem);
  };
  return { name: path.at(-1), setProblems };
}
