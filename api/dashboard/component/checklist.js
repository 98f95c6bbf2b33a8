// The first steps of a new workspace: connect, let calls arrive, see the note.

import { el, newId, setChildren, setText } from "./parts/dom.js";
import { icon } from "./parts/icons.js";
import { Trial } from "./trial.js";

const STEPS = {
  connect: {
    title: "Connect HubSpot",
    text: "Use the button above, and allow this service to find contacts and to write notes.",
  },
  send: { title: "Calls arrive", text: "" },
  arrive: {
    title: "See it arrive",
    text: "The note appears on the contact's timeline seconds later.",
  },
};

const SEND = "Send a test call: choose a number that one of your contacts has.";
const SEND_OR_CONNECT =
  "Connect your phone system under “Call sources” below, or send a test call: choose a number " +
  "that one of your contacts has.";

/** `onClose()` puts it away. */
export class Checklist {
  #items = {};
  #hasArrived = false;

  constructor(work, onClose) {
    const id = newId("checklist");
    this.trial = new Trial(work, { isTestOnly: true, onArrived: (log) => this.#arrive(log) });
    this.close = el("button", { type: "button", class: "small quiet", onclick: onClose }, "Hide");
    this.trial.element.classList.add("changing");
    this.element = el(
      "section",
      { class: "card checklist", "aria-labelledby": id },
      el("header", { class: "card-header" }, el("h2", { id }, "Set up in three steps"), this.close),
      el(
        "ol",
        {},
        this.#item("connect"),
        this.#item("send", this.trial.element),
        this.#item("arrive", this.trial.result),
      ),
    );
  }

  /** Ticks off what the status says is done; `hasSources`: calls can be connected on this page. */
  show(status, { hasSources = false } = {}) {
    const hasSynced = this.#hasArrived || status.lastSyncAt !== null;
    const done = {
      connect: status.connected,
      send: status.webhookSeen || hasSynced,
      arrive: status.connected && hasSynced,
    };
    const current = Object.keys(STEPS).find((step) => !done[step]);
    for (const [step, { item, mark, state }] of Object.entries(this.#items)) {
      item.dataset.state = done[step] ? "done" : step === current ? "current" : "later";
      setText(state, done[step] ? "Done: " : "");
      const number = String(Object.keys(STEPS).indexOf(step) + 1);
      setChildren(mark, String(done[step]), () => (done[step] ? icon("success") : number));
    }
    setText(this.#items.send.text, hasSources ? SEND_OR_CONNECT : SEND);
    // What is under way keeps its result in view after its step is done.
    this.trial.element.hidden = !status.connected;
    this.trial.result.hidden = !status.connected;
    setText(this.close, current ? "Hide" : "Done");
  }

  #arrive(log) {
    this.#hasArrived ||= log.status === "success";
  }

  #item(step, ...controls) {
    const mark = el("span", { class: "step-mark", "aria-hidden": "true" });
    const state = el("span", { class: "hidden" });
    const { title, text } = STEPS[step];
    const hint = el("p", { class: "hint" }, text);
    const item = el(
      "li",
      { class: "step" },
      mark,
      el("div", { class: "step-body" }, el("h3", {}, state, title), hint, controls),
    );
    this.#items[step] = { item, mark, state, text: hint };
    return item;
  }
}
