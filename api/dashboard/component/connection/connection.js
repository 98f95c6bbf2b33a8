// The card that says how things stand: the connection, and the counts of the last 24 hours.

import { formatCalls } from "../statistics/buckets.js";
import { el, newId, setChildren, setText } from "../parts/dom.js";
import { formatAgo, formatDate, formatNumber, formatPercent, timeElement } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { mayChange, READ_ONLY, STATUSES } from "../parts/words.js";

const STATES = {
  connected: { label: "Connected", kind: "success", sign: "success" },
  disconnected: { label: "Not connected", kind: "pending", sign: "skipped" },
  reconnect_required: { label: "Reconnect required", kind: "error", sign: "error" },
  paused: { label: "Paused by HubSpot", kind: "skipped", sign: "pending" },
};
const TILES = { pending: "now", success: "last 24 h", skipped: "last 24 h", error: "last 24 h" };

/** `actions`: connect, cancel, disconnect, openActivity, openSettings, openTrial, filter(status). */
export class ConnectionCard {
  #actions;
  #isWaiting = false;
  #status = null;

  constructor(actions) {
    this.#actions = actions;
    const id = newId("connection");
    this.pill = el("span", { class: "pill skeleton" }, "Loading");
    this.title = el("h2", { id }, "HubSpot");
    this.words = el("p", { class: "state-words" });
    this.readOnly = el("p", { class: "read-only", role: "note", hidden: true }, READ_ONLY);
    this.connect = el(
      "button",
      { type: "button", class: "primary", hidden: true, onclick: actions.connect },
      "Connect HubSpot",
    );
    this.cancel = el(
      "button",
      { type: "button", hidden: true, onclick: actions.cancel },
      "Stop waiting",
    );
    this.disconnect = el(
      "button",
      { type: "button", class: "quiet", hidden: true, onclick: actions.disconnect },
      "Disconnect",
    );
    this.tiles = {};
    this.element = el(
      "section",
      { class: "card connection", "aria-labelledby": id, "aria-busy": "true" },
      el(
        "header",
        { class: "card-header" },
        el("div", { class: "state", role: "status" }, this.title, this.pill),
        el(
          "div",
          { class: "buttons" },
          el(
            "button",
            { type: "button", class: "quiet changing", onclick: actions.openTrial },
            icon("search"),
            "Try a number",
          ),
          el(
            "button",
            { type: "button", class: "quiet", onclick: actions.openSettings },
            icon("settings"),
            "Settings",
          ),
          el(
            "button",
            { type: "button", class: "quiet", onclick: actions.openActivity },
            icon("list"),
            "Activity",
          ),
          el("div", { class: "buttons action changing" }, this.disconnect, this.cancel, this.connect),
        ),
      ),
      this.words,
      this.readOnly,
      el(
        "ul",
        { class: "tiles" },
        this.#rateTile(),
        Object.keys(TILES).map((status) => this.#tile(status)),
      ),
    );
  }

  /** Shows an answer of `status`; also again as time passes. */
  show(status, now = Date.now()) {
    this.#status = status;
    const isPaused = status.connected && status.pausedUntil > now;
    const { label, kind, sign } = STATES[isPaused ? "paused" : status.state];
    this.element.removeAttribute("aria-busy");
    this.pill.classList.remove("skeleton");
    this.pill.dataset.kind = kind;
    setChildren(this.pill, label, () => [icon(sign), label]);
    setText(this.title, status.hubId ? `HubSpot account ${status.hubId}` : "HubSpot");
    this.readOnly.hidden = mayChange(status);
    this.#showWords(now);
    this.#showButtons();
    this.#showCounts(status.counts);
  }

  /** Says that a HubSpot window is open, or is no more. */
  setWaiting(isWaiting) {
    this.#isWaiting = isWaiting;
    if (!this.#status) return;
    this.#showWords(Date.now());
    this.#showButtons();
  }

  #showWords(now) {
    const parts = this.#isWaiting ? WAITING_WORDS : tellState(this.#status, now);
    const key = parts.map((part) => part.textContent ?? part).join("");
    setChildren(this.words, key, () => parts);
  }

  #showButtons() {
    const { state } = this.#status;
    const label = state === "reconnect_required" ? "Reconnect HubSpot" : "Connect HubSpot";
    setText(this.connect, this.#isWaiting ? "Open HubSpot again" : label);
    this.connect.hidden = state === "connected";
    this.cancel.hidden = !this.#isWaiting;
    this.disconnect.hidden = state === "disconnected" || this.#isWaiting;
  }

  #showCounts(counts) {
    for (const [status, value] of Object.entries(this.tiles)) {
      setText(value, formatCalls(status, [counts]));
      value.classList.remove("skeleton");
    }
    const finished = counts.success + counts.skipped + counts.error;
    setText(this.rate, finished ? formatPercent(counts.success / finished) : "–");
    setText(
      this.rateOf,
      finished ? `of ${formatNumber(finished)} finished, 24 h` : "none finished, 24 h",
    );
    this.rate.classList.remove("skeleton");
  }

  #rateTile() {
    this.rate = el("span", { class: "tile-value skeleton" }, "–");
    this.rateOf = el("span", { class: "tile-note" }, "of finished, 24 h");
    return el(
      "li",
      {},
      el(
        "div",
        { class: "tile" },
        el("span", { class: "tile-label" }, "Success rate"),
        this.rate,
        this.rateOf,
      ),
    );
  }

  #tile(status) {
    const value = el("span", { class: "tile-value skeleton" }, "–");
    const button = el(
      "button",
      { type: "button", class: "tile", onclick: () => this.#actions.filter(status) },
      el(
        "span",
        { class: "tile-label" },
        el("span", { class: `swatch ${status}` }),
        STATUSES[status],
      ),
      " ",
      value,
      " ",
      el(
        "span",
        { class: "tile-note" },
        TILES[status],
        el("span", { class: "hidden" }, ", show in the sync log"),
      ),
    );
    this.tiles[status] = value;
    return el("li", {}, button);
  }
}

const WAITING_WORDS = ["Finish in the HubSpot window. This page notices by itself."];

function tellState(status, now) {
  if (status.state === "disconnected") {
    return ["Calls are logged, and nothing is written to HubSpot until you connect it."];
  }
  if (status.state === "reconnect_required") {
    const why = status.reconnectReason ?? "HubSpot withdrew its permission";
    return [
      `${why.replace(/\.$/, "")}. Calls are kept, and synced by themselves once you reconnect.`,
    ];
  }
  if (status.pausedUntil > now) {
    const why = status.pauseReason ?? "HubSpot asks for patience";
    return [
      `${why.replace(/\.$/, "")}. Syncing goes on at `,
      timeElement(status.pausedUntil),
      "; no call is lost.",
    ];
  }
  const synced = status.lastSyncAt
    ? ["Last sync ", lastSync(status.lastSyncAt, now), "."]
    : ["No call has been synced yet."];
  return [
    "Connected since ",
    timeElement(status.connectedAt, formatDate(status.connectedAt)),
    ". ",
    ...synced,
  ];
}

const lastSync = (ms, now) => timeElement(ms, formatAgo(ms, now));
