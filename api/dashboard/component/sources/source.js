// One call source: setting it up, watching it, and what can be done with it.

import { askFirst, openDialog } from "../parts/dialogs.js";
import { el, setChildren, setText } from "../parts/dom.js";
import { describeError, describeField } from "../parts/failures.js";
import { count } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { busyButton, field } from "../parts/inputs.js";
import { Poll } from "../parts/polling.js";
import { READ_ONLY } from "../parts/words.js";
import { describeDeliveries, listNames } from "./deliveries.js";
import { OptionsForm } from "./options.js";
import { Secrets } from "./secrets.js";
import { describeSteps } from "./steps.js";
import { SOURCE_STATES, tellCounts, tellSource } from "./words.js";

const QUIET = new Set(["receiving", "paused"]);

/** Opens a source; `onCall(logId)` opens a call's entry, `onChanged()` hears of changes. */
export function openSource(work, source, vendor, actions) {
  new SourceDialog(work, source, vendor, actions).open();
}

class SourceDialog {
  #work;
  #source;
  #vendor;
  #actions;
  #closing = new AbortController();

  constructor(work, source, vendor, actions) {
    this.#work = work;
    this.#source = source;
    this.#vendor = vendor;
    this.#actions = actions;
    this.signal = AbortSignal.any([this.#closing.signal, work.signal]);
  }

  open() {
    this.#build();
    this.#show(this.#source);
    this.setUp.open = !this.#source.last_received_at;
    this.poll = new Poll(() => this.#update(), this.signal);
    this.poll.now();
  }

  #build() {
    const change = (changes) => this.#change(changes);
    this.state = el("div", { class: "detail-outcome source-state", role: "status" });
    this.held = el("div", { class: "buttons", hidden: true });
    this.setUp = el(
      "details",
      { class: "fold" },
      el("summary", {}, "How to set it up"),
      describeSteps(this.#work, this.#source, this.#vendor),
    );
    this.secrets = new Secrets(this.#work, this.#vendor, change);
    this.options = new OptionsForm(this.#work, this.#vendor, change);
    this.deliveries = el(
      "div",
      { class: "part", "aria-busy": "true" },
      el("span", { class: "skeleton line" }),
    );
    this.pause = busyButton({ label: "Pause", run: () => this.#pause() });
    const body = el(
      "div",
      { class: "dialog-body" },
      this.#work.mayChange() ? null : el("p", { class: "read-only", role: "note" }, READ_ONLY),
      this.state,
      this.held,
      this.setUp,
      this.secrets.element,
      el("section", { class: "part" }, el("h3", {}, "Last messages"), this.deliveries),
      this.options.element,
      this.#work.mayChange()
        ? el(
            "footer",
            { class: "dialog-footer" },
            busyButton({ label: "Remove", className: "quiet", run: () => this.#remove() }),
            el("button", { type: "button", onclick: () => this.#rename() }, "Rename"),
            this.pause,
          )
        : null,
    );
    this.dialog = openDialog(
      this.#work.root,
      { kind: "drawer", title: this.#source.name, onClose: () => this.#closing.abort() },
      body,
    );
  }

  /** One question of the poll; resolves to whether something is awaited. */
  async #update() {
    const { client } = this.#work;
    const { signal } = this;
    try {
      const [{ sources }, { deliveries }] = await Promise.all([
        client.getCallSources({}, { signal }),
        client.getCallSourceDeliveries(this.#source.id, {}, { signal }),
      ]);
      const source = sources.find(({ id }) => id === this.#source.id);
      if (!source) return this.#leave("This call source has been removed");
      if (source.state !== this.#source.state) this.#actions.onChanged();
      this.#show(source);
      this.#showDeliveries(deliveries);
      return !QUIET.has(source.state);
    } catch (error) {
      if (signal.aborted) return false;
      if (error.status === 404) return this.#leave("This call source has been removed");
      this.deliveries.removeAttribute("aria-busy");
      setChildren(this.deliveries, error.message, () =>
        el("p", { role: "alert" }, describeError(error)),
      );
      if (error.status === 401) this.#work.fail(error, null);
      throw error;
    }
  }

  #show(source) {
    this.#source = source;
    const { label, kind, sign } = SOURCE_STATES[source.state];
    setText(this.dialog.querySelector("h2"), source.name);
    const words = tellSource(source);
    const key = [
      label,
      ...words.map((part) => part.textContent ?? part),
      tellCounts(source.counts),
    ];
    setChildren(this.state, key.join("|"), () => [
      el("span", { class: "pill", "data-kind": kind }, icon(sign), label),
      el("p", {}, words),
      ["refusing", "needs_secret"].includes(source.state) && source.last_refusal
        ? el(
            "p",
            { class: "check-this" },
            el("strong", {}, "What to check: "),
            source.last_refusal.message,
          )
        : null,
      el("p", { class: "hint" }, tellCounts(source.counts)),
    ]);
    this.#showHeld(source);
    this.secrets.show(source);
    this.options.show(source);
    setText(this.pause, source.paused ? "Go on" : "Pause");
  }

  #showDeliveries(deliveries) {
    this.deliveries.removeAttribute("aria-busy");
    setChildren(this.deliveries, JSON.stringify(deliveries), () =>
      describeDeliveries(deliveries, this.#actions.onCall),
    );
    this.options.showNames(listNames(deliveries));
  }

  #showHeld({ held, paused }) {
    this.held.hidden = paused || !held || !this.#work.mayChange();
    setChildren(this.held, String(held), () => [
      el("span", {}, `${count(held, "call")} held back:`),
      busyButton({ label: "Write them", className: "small", run: () => this.#settle("write") }),
      busyButton({ label: "Drop them", className: "small", run: () => this.#drop() }),
    ]);
  }

  /** Raises what the client raises. */
  async #change(changes) {
    const { source } = await this.#work.client.updateCallSource(
      this.#source.id,
      changes,
      {},
      { signal: this.#work.signal },
    );
    this.#show(source);
    this.#actions.onChanged();
    if (!this.signal.aborted) this.poll.now();
  }

  async #try(changes, failure) {
    try {
      await this.#change(changes);
      return true;
    } catch (error) {
      this.#work.fail(error, failure);
      return false;
    }
  }

  async #pause() {
    const { held, paused } = this.#source;
    if (!paused) {
      const isSure = await askFirst(
        this.#work.root,
        { title: `Pause ${this.#source.name}?`, action: "Pause" },
        el("p", {}, "Its calls still come in, and are held back: nothing is written to HubSpot."),
        el("p", {}, "When you go on, you are asked what becomes of them."),
      );
      if (isSure) await this.#try({ paused: true }, "The source could not be paused");
      return;
    }
    const decision = held ? await askAboutHeld(this.#work.root, held) : "keep";
    if (decision === "") return;
    const more = decision === "keep" ? {} : { held: decision };
    if (await this.#try({ paused: false, ...more }, "The source could not go on"))
      this.#work.refresh();
  }

  async #settle(held) {
    if (await this.#try({ held }, "The calls could not be changed")) this.#work.refresh();
  }

  async #drop() {
    const isSure = await askFirst(
      this.#work.root,
      { title: "Drop the held calls?", action: "Drop them", isDangerous: true },
      el("p", {}, "Their contents are deleted; they can never be written to HubSpot."),
    );
    if (isSure) await this.#settle("drop");
  }

  #rename() {
    const input = el("input", { maxlength: 100, autocomplete: "off", value: this.#source.name });
    const shown = field({ label: "Name", control: input });
    const save = async () => {
      try {
        await this.#change({ name: input.value });
        dialog.close();
      } catch (error) {
        const problem = describeField(error, "name");
        shown.setProblem(
          problem && `The name ${problem.charAt(0).toLowerCase()}${problem.slice(1)}`,
        );
        if (!problem) this.#work.fail(error, "The source could not be renamed");
      }
    };
    const button = busyButton({ label: "Save", className: "primary", run: save });
    input.addEventListener("keydown", (event) => event.key === "Enter" && button.click());
    const dialog = openDialog(
      this.#work.root,
      { kind: "question", title: "Rename the call source" },
      el("div", { class: "dialog-body" }, shown.element),
      el(
        "footer",
        { class: "dialog-footer" },
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        button,
      ),
    );
    input.focus();
    input.select();
  }

  async #remove() {
    const { name, held } = this.#source;
    const isSure = await askFirst(
      this.#work.root,
      { title: `Remove ${name}?`, action: "Remove", isDangerous: true },
      el(
        "ul",
        {},
        el("li", {}, "Its address stops working: calls that are sent there are refused, and lost."),
        el("li", {}, "Calls that have come in stay in the sync log, and what is in HubSpot stays."),
        held
          ? el("li", {}, `${count(held, "call")} held back can still be retried in the sync log.`)
          : null,
        el("li", {}, "It cannot be brought back. A new source has another address."),
      ),
    );
    if (!isSure) return;
    try {
      await this.#work.client.removeCallSource(this.#source.id, {}, { signal: this.#work.signal });
    } catch (error) {
      this.#work.fail(error, "The source could not be removed");
      return;
    }
    this.#leave(`${name} removed`, "success");
  }

  #leave(title, kind = "info") {
    this.dialog.close();
    this.#actions.onChanged();
    this.#work.notices.show({ kind, key: "source", title, isBrief: true });
    return false;
  }
}

/** What becomes of held calls: `write`, `drop` or `keep`; "" if nothing is to change. */
function askAboutHeld(root, held) {
  return new Promise((resolve) => {
    const button = (answer, label, className = "") =>
      el(
        "button",
        { type: "button", class: className, onclick: () => dialog.close(answer) },
        label,
      );
    const dialog = openDialog(
      root,
      { kind: "question", title: "Go on", onClose: resolve },
      el(
        "div",
        { class: "dialog-body" },
        el(
          "p",
          {},
          `${count(held, "call")} held back. What shall become of ${held === 1 ? "it" : "them"}?`,
        ),
        el(
          "p",
          { class: "hint" },
          "Each of them is in the sync log, with the note that it would become. Dropped calls " +
            "can never be written.",
        ),
      ),
      el(
        "footer",
        { class: "dialog-footer" },
        button("keep", "Decide later", "quiet"),
        button("drop", "Drop", "danger"),
        button("write", "Write to HubSpot", "primary"),
      ),
    );
  });
}
