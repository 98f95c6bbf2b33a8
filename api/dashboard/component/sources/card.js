// The sources of calls: phone systems and voice agents that send their calls here.

import { copyable } from "../parts/copying.js";
import { el, newId, setChildren } from "../parts/dom.js";
import { describeError } from "../parts/failures.js";
import { icon } from "../parts/icons.js";
import { openAdding } from "./adding.js";
import { openSource } from "./source.js";
import { SOURCE_STATES, tellCounts, tellSource } from "./words.js";

// The answer describes every vendor, so it is not asked for with each question of the poll.
const CALM_MS = 60_000;
const BUSY_MS = 15_000;
const MOST_SHOWN = 5;
// What needs a person comes first.
const ORDER = ["refusing", "needs_secret", "waiting", "paused", "receiving"];

/** `onCall(logId)` opens a call's entry; `onShown()` hears that it is known what there is. */
export class SourcesCard {
  #work;
  #onCall;
  #onShown;
  #askedAt = 0;
  #shown = null;
  #isWhole = false;

  constructor(work, { onCall, onShown }) {
    this.#work = work;
    this.#onCall = onCall;
    this.#onShown = onShown;
    const id = newId("sources");
    this.body = el("div", { class: "sources-body", "aria-busy": "true" }, skeleton());
    this.element = el(
      "section",
      { class: "card sources", "aria-labelledby": id },
      el(
        "header",
        { class: "card-header" },
        el("h2", { id, tabindex: "-1" }, "Call sources"),
        el(
          "div",
          { class: "buttons changing" },
          el("button", { type: "button", onclick: () => this.#add() }, "Add a call source"),
        ),
      ),
      this.body,
      el(
        "p",
        { class: "hint own-webhook" },
        "Or let a program of your own post each finished call, signed, to ",
        copyable(work, `${work.apiPage}api/webhooks/call-ended`, "address"),
        el(
          "a",
          { href: `${work.apiPage}docs`, target: "_blank", rel: "noopener noreferrer" },
          "How to send calls",
        ),
      ),
    );
  }

  /** Whether sources are set up here, and not by the platform alone. */
  get isOffered() {
    return this.#shown?.self_service ?? false;
  }

  /** Asks for the sources if it is time; with `isUrgent` in any case. */
  async load({ isUrgent = false, isBusy = false } = {}) {
    const wait = isBusy ? BUSY_MS : CALM_MS;
    if (!isUrgent && Date.now() - this.#askedAt < wait) return;
    this.#askedAt = Date.now();
    try {
      const isFirst = this.#shown === null;
      this.#show(await this.#work.client.getCallSources({}, { signal: this.#work.signal }));
      if (isFirst) this.#onShown();
    } catch (error) {
      if (this.#work.signal.aborted) return;
      this.#askedAt = 0;
      this.#work.fail(error, null);
      if (!this.#shown)
        setChildren(this.body, error.message, () =>
          el("p", { role: "alert" }, describeError(error)),
        );
    }
  }

  /** Shows what is known anew: times have passed, or somebody else is signed in. */
  show() {
    if (this.#shown) this.#show(this.#shown);
  }

  #show(answer) {
    this.#shown = answer;
    this.element.hidden = !answer.self_service;
    this.body.removeAttribute("aria-busy");
    const rank = ({ state }) => ORDER.indexOf(state);
    const sources = answer.sources.toSorted((one, other) => rank(one) - rank(other));
    const rows = this.#isWhole ? sources : sources.slice(0, MOST_SHOWN);
    const mayChange = this.#work.mayChange();
    const key = JSON.stringify([rows, sources.length, mayChange, Math.floor(Date.now() / CALM_MS)]);
    setChildren(this.body, key, () =>
      sources.length
        ? [
            el(
              "ul",
              { class: "source-list" },
              rows.map((source) => this.#row(source, mayChange)),
            ),
            rows.length < sources.length ? this.#rest(sources.length) : null,
          ]
        : el(
            "p",
            { class: "hint" },
            mayChange
              ? "Connect your phone system or voice agent: you copy an address, paste a secret, " +
                  "and its calls come in by themselves."
              : "No phone system or voice agent is connected yet.",
          ),
    );
  }

  #row(source, mayChange) {
    const { label, kind, sign } = SOURCE_STATES[source.state];
    const isBegun = mayChange && ["needs_secret", "waiting"].includes(source.state);
    const words = isBegun ? "Continue" : "Details";
    return el(
      "li",
      {},
      el(
        "div",
        { class: "source-name" },
        el("strong", {}, source.name),
        el("span", { class: "pill", "data-kind": kind }, icon(sign), label),
      ),
      el(
        "div",
        { class: "source-words" },
        el("p", {}, tellSource(source)),
        source.state === "refusing" && source.last_refusal
          ? el("p", {}, source.last_refusal.message)
          : null,
        el("p", { class: "hint" }, tellCounts(source.counts)),
      ),
      el(
        "button",
        {
          type: "button",
          class: "small",
          "aria-label": `${words}: ${source.name}`,
          onclick: () => this.#open(source),
        },
        words,
      ),
    );
  }

  #rest(total) {
    const showAll = () => {
      this.#isWhole = true;
      this.#show(this.#shown);
      this.element.querySelector("h2").focus({ preventScroll: true });
    };
    return el(
      "button",
      { type: "button", class: "small quiet", onclick: showAll },
      `Show all ${total}`,
    );
  }

  #add() {
    if (!this.#shown) return;
    openAdding(this.#work, this.#shown.vendors, (source) => {
      this.load({ isUrgent: true });
      this.#open(source);
    });
  }

  #open(source) {
    const vendor = this.#shown.vendors.find((each) => each.vendor === source.vendor);
    openSource(this.#work, source, vendor, {
      onCall: this.#onCall,
      onChanged: () => this.load({ isUrgent: true }),
    });
  }
}

const skeleton = () => el("span", { class: "skeleton line" });
