// What the sync log shows: the filters, as controls and as a query string.

import { el } from "../parts/dom.js";
import { field, radios, select } from "../parts/inputs.js";
import { REASONS, STATUSES, UPDATES } from "../parts/words.js";

const TYPING_MS = 400;
const HOUR_MS = 3_600_000;
const PERIODS = {
  hour: { label: "Last hour", ms: HOUR_MS },
  day: { label: "Last 24 hours", ms: 24 * HOUR_MS },
  week: { label: "Last 7 days", ms: 7 * 24 * HOUR_MS },
  month: { label: "Last 30 days", ms: 30 * 24 * HOUR_MS },
};
const CUSTOM = "custom";
const NAMES = ["status", "error_code", "update", "period", "from", "to", "phone", "call_id"];

/** The controls; `onChange()` is called when what they say has changed. */
export class Filters {
  #onChange;
  #timer = 0;

  constructor(onChange) {
    this.#onChange = onChange;
    const changed = () => this.#changed();
    this.status = radios({
      label: "Status",
      options: [
        { value: "", label: "All" },
        ...Object.entries(STATUSES).map(([value, label]) => ({ value, label })),
      ],
      value: "",
      onChange: (value) => {
        this.values.status = value;
        this.#changed();
      },
    });
    this.reason = select({
      options: [
        { value: "", label: "Any reason" },
        { label: "Not in HubSpot", options: listOptions(REASONS) },
        { label: "In HubSpot, and more came in later", options: listOptions(UPDATES) },
      ],
      value: "",
      onChange: changed,
    });
    const periods = listOptions(
      Object.fromEntries(Object.entries(PERIODS).map(([value, { label }]) => [value, label])),
    );
    this.period = select({
      options: [
        { value: "", label: "Any time" },
        ...periods,
        { value: CUSTOM, label: "From … to …" },
      ],
      value: "",
      onChange: changed,
    });
    this.from = el("input", { type: "datetime-local", onchange: changed });
    this.to = el("input", { type: "datetime-local", onchange: changed });
    this.phone = this.#textInput({ type: "search", inputmode: "tel", placeholder: "Any spelling" });
    this.callId = this.#textInput({ type: "search", spellcheck: "false", placeholder: "Whole id" });
    this.clear = el(
      "button",
      { type: "button", class: "small quiet", onclick: () => this.#clear() },
      "Clear filters",
    );
    this.span = el(
      "div",
      { class: "span" },
      field({ label: "From", control: this.from }).element,
      field({ label: "To", control: this.to }).element,
    );
    this.values = { status: "" };
    this.element = el(
      "div",
      { class: "filters", role: "search", "aria-label": "Filter the sync log" },
      this.status.element,
      el(
        "div",
        { class: "filter-fields" },
        field({ label: "Reason", control: this.reason }).element,
        field({ label: "Period", control: this.period }).element,
        field({ label: "Phone number", control: this.phone }).element,
        field({ label: "Call ID", control: this.callId }).element,
        this.span,
      ),
    );
    this.#showSpan();
  }

  /** The parameters for the API; periods that end now are counted from `now`. */
  query(now = Date.now()) {
    const period = PERIODS[this.period.value];
    const isCustom = this.period.value === CUSTOM;
    return dropEmpty({
      status: this.values.status,
      ...this.#readReason(),
      phone: this.phone.value.trim(),
      call_id: this.callId.value.trim(),
      from: period ? now - period.ms : isCustom ? readLocal(this.from.value) : undefined,
      to: isCustom ? readLocal(this.to.value) : undefined,
    });
  }

  /** The filters as a query string, empty without any; `read` takes it back. */
  write() {
    const isCustom = this.period.value === CUSTOM;
    return new URLSearchParams(
      dropEmpty({
        status: this.values.status,
        ...this.#readReason(),
        period: this.period.value,
        from: isCustom ? this.from.value : "",
        to: isCustom ? this.to.value : "",
        phone: this.phone.value.trim(),
        call_id: this.callId.value.trim(),
      }),
    ).toString();
  }

  /** Sets the controls without telling; what is not known counts as absent. */
  read(text) {
    const given = Object.fromEntries(
      NAMES.map((name) => [name, new URLSearchParams(text).get(name) ?? ""]),
    );
    this.setStatus(Object.hasOwn(STATUSES, given.status) ? given.status : "");
    const isUpdate = Object.hasOwn(UPDATES, given.update);
    const reason = isUpdate ? given.update : given.error_code;
    this.reason.value = isUpdate || Object.hasOwn(REASONS, reason) ? reason : "";
    this.period.value =
      Object.hasOwn(PERIODS, given.period) || given.period === CUSTOM ? given.period : "";
    this.from.value = given.from;
    this.to.value = given.to;
    this.phone.value = given.phone;
    this.callId.value = given.call_id;
    this.#showSpan();
  }

  /** Sets the status alone, without telling. */
  setStatus(status) {
    this.values.status = status;
    this.status.set(status);
  }

  #readReason() {
    const reason = this.reason.value;
    return Object.hasOwn(UPDATES, reason) ? { update: reason } : { error_code: reason };
  }

  #clear() {
    this.read("");
    this.#changed();
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#showSpan();
    this.#onChange();
  }

  #showSpan() {
    this.span.hidden = this.period.value !== CUSTOM;
  }

  #textInput(attributes) {
    return el("input", {
      ...attributes,
      autocomplete: "off",
      maxlength: 255,
      oninput: () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#changed(), TYPING_MS);
      },
      onkeydown: (event) => event.key === "Enter" && this.#changed(),
    });
  }
}

const listOptions = (labels) => Object.entries(labels).map(([value, label]) => ({ value, label }));

const dropEmpty = (values) =>
  Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== "" && value !== undefined),
  );

/** A local time of an input in epoch milliseconds, undefined when there is none. */
function readLocal(text) {
  const ms = new Date(text).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}
