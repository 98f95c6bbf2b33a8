// Trying a number: a preview that writes nothing, and a test call that goes all the way.

import { openDialog } from "./parts/dialogs.js";
import { el, pause } from "./parts/dom.js";
import { describeError, describeField } from "./parts/failures.js";
import { formatPhone } from "./parts/format.js";
import { icon } from "./parts/icons.js";
import { busyButton, field } from "./parts/inputs.js";
import { noteElement } from "./log/note.js";
import { statusPill } from "./log/rows.js";
import { tellOutcome } from "./parts/words.js";

const WATCH_MS = 1000;
const PATIENCE_MS = 120_000;
// What the note of a preview is made from.
const SAMPLE = {
  direction: "inbound",
  duration_seconds: 184,
  agent_name: "Example agent",
  summary: "An example: the caller asked about prices and wants to be called back.",
};

/** Opens the dialog. */
export function openTrial(work) {
  const trial = new Trial(work);
  const dialog = openDialog(
    work.root,
    { kind: "form", title: "Try a number", onClose: () => trial.stop() },
    el(
      "div",
      { class: "dialog-body" },
      el(
        "p",
        {},
        "See which contact a number would match and how the note would look,",
        " or let a test call go all the way.",
      ),
      trial.element,
    ),
  );
  dialog.querySelector("input").focus();
}

/**
 * A number to try, with buttons and the result below. With `isTestOnly` there is no preview, and
 * the result is for its owner to place; `onArrived(log)` hears of a finished call.
 */
export class Trial {
  #work;
  #onArrived;
  #watching = new AbortController();

  constructor(work, { isTestOnly = false, onArrived = () => {} } = {}) {
    this.#work = work;
    this.#onArrived = onArrived;
    this.input = el("input", {
      type: "tel",
      autocomplete: "off",
      maxlength: 255,
      placeholder: "+1 202 555 0123",
    });
    this.field = field({
      label: "Phone number",
      control: this.input,
      hint: "In any spelling; one of a contact of yours is best.",
    });
    this.result = el("div", { class: "trial-result", role: "status" });
    const run = (action) => () => this.#run(action);
    this.element = el(
      "div",
      { class: "trial" },
      this.field.element,
      el(
        "div",
        { class: "buttons" },
        isTestOnly
          ? null
          : busyButton(
              { label: "Preview", className: "primary", run: run(() => this.#preview()) },
              icon("search"),
            ),
        busyButton({
          label: "Send test call",
          className: isTestOnly ? "primary" : "",
          run: run(() => this.#send()),
        }),
      ),
      isTestOnly ? null : this.result,
    );
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#run(() => (isTestOnly ? this.#send() : this.#preview()));
    });
  }

  /** Stops watching a call that is on its way. */
  stop() {
    this.#watching.abort();
  }

  async #run(action) {
    this.stop();
    this.field.setProblem(null);
    if (!this.input.value.trim()) {
      this.field.setProblem("Enter a phone number");
      this.input.focus();
      return;
    }
    try {
      await action();
    } catch (error) {
      const problem = describeField(error, "phone_number");
      this.field.setProblem(problem);
      this.result.replaceChildren(
        problem ? "" : el("p", {}, el("strong", {}, "That did not work. "), describeError(error)),
      );
    }
  }

  async #preview() {
    this.result.replaceChildren(el("p", { class: "hint" }, "Asking HubSpot …"));
    const found = await this.#work.client.preview(
      { phone_number: this.input.value, call: SAMPLE },
      { signal: this.#work.signal },
    );
    this.result.replaceChildren(
      el(
        "div",
        { class: "trial-outcome" },
        statusPill(found.status),
        el("p", {}, tellPreview(found)),
      ),
      found.waits ? el("p", { class: "hint" }, found.waits) : "",
      ...(found.warnings ?? []).map(({ message }) => el("p", { class: "hint" }, message)),
      ...(found.contacts.length
        ? [
            el(
              "ul",
              { class: "contacts" },
              found.contacts.map((contact) => describeContact(contact, found.contact_id)),
            ),
          ]
        : []),
      el("h3", {}, "How the note would look"),
      noteElement(found.note_html),
      el("p", { class: "hint" }, "Nothing was written."),
    );
  }

  async #send() {
    this.result.replaceChildren(el("p", { class: "hint" }, "Sending …"));
    const { client, signal } = this.#work;
    const { id } = await client.sendTestCall({ phone_number: this.input.value }, { signal });
    this.#watching = new AbortController();
    this.#watch(id, AbortSignal.any([this.#watching.signal, signal])).catch((error) => {
      if (!this.#watching.signal.aborted)
        this.#work.fail(error, "The test call cannot be followed; look in the sync log");
    });
  }

  async #watch(id, signal) {
    const startedAt = Date.now();
    let shown = "";
    while (Date.now() - startedAt < PATIENCE_MS) {
      const { log, contact_url: contactUrl } = await this.#work.client.getSyncLog(id, { signal });
      const state = `${log.status} ${log.error_code} ${log.next_attempt_at}`;
      if (state !== shown) this.result.replaceChildren(describeTestCall(log, contactUrl));
      shown = state;
      if (log.status !== "pending") {
        this.#onArrived(log);
        this.#work.refresh();
        return;
      }
      await pause(WATCH_MS, signal);
    }
    this.result.append(
      el("p", { class: "hint" }, "It takes longer than usual; the sync log tells how it ends."),
    );
  }
}

function describeTestCall(log, contactUrl) {
  const words =
    log.status === "pending" && !log.error_code
      ? "The test call is accepted and on its way to HubSpot …"
      : tellOutcome(log);
  return el(
    "div",
    { class: "trial-outcome" },
    statusPill(log.status),
    el("p", {}, words),
    contactUrl && log.status === "success"
      ? el(
          "a",
          { class: "button small", href: contactUrl, target: "_blank", rel: "noopener noreferrer" },
          "See it in HubSpot",
          icon("external"),
        )
      : null,
  );
}

function tellPreview({ contacts, contact_id: chosen, message, ...found }) {
  const contact = contacts.find(({ id }) => id === chosen);
  if (!contact) return tellOutcome({ ...found, error_message: message, next_attempt_at: null });
  const caller = formatPhone(found.phone_number);
  return `The note of a call from ${caller} would go to ${nameContact(contact)}.`;
}

const nameContact = ({ id, name }) => name || `contact ${id}`;

function describeContact(contact, chosen) {
  const facts = [contact.phone, contact.email].filter(Boolean).join(" · ");
  return el(
    "li",
    {},
    el(
      "a",
      { href: contact.url, target: "_blank", rel: "noopener noreferrer" },
      nameContact(contact),
      icon("external"),
    ),
    contact.id === chosen
      ? el("span", { class: "pill", "data-kind": "success" }, "gets the note")
      : null,
    facts ? el("span", { class: "hint" }, facts) : null,
  );
}
