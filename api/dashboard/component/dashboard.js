// One dashboard: its cards, and what keeps them fresh.

import { UnauthorizedError } from "../client.js";
import { openActivity } from "./activity.js";
import { Checklist } from "./checklist.js";
import { Connecting } from "./connection/connecting.js";
import { ConnectionCard } from "./connection/connection.js";
import { disconnect } from "./connection/disconnecting.js";
import { el, setText } from "./parts/dom.js";
import { describeError } from "./parts/failures.js";
import { formatClock } from "./parts/format.js";
import { Notices } from "./parts/notices.js";
import { Poll } from "./parts/polling.js";
import { openSettings } from "./connection/settings.js";
import { showDetail } from "./log/detail.js";
import { SourcesCard } from "./sources/card.js";
import { Statistics } from "./statistics/statistics.js";
import { SyncLog } from "./log/sync-log.js";
import { openTrial } from "./trial.js";
import { mayChange } from "./parts/words.js";

const TICK_MS = 20_000;
const SLOW_MS = 4000;
// While nothing happens, the log is asked for changes this often: another look at a number changes
// its row, not the counts.
const CALM_MS = 20_000;

/**
 * Lives in `root` until `signal` aborts. `client` asks the API, whose page is at `apiPage`, and to
 * whose `landingPage` HubSpot's popup comes back; `returnTo()` is where HubSpot sends the browser back to, null for the usual place;
 * `emit(name, detail)` tells the outside; `filters` is a query string to begin with.
 */
export class Dashboard {
  #status = null;
  #statusText = "";
  #logAskedAt = 0;
  #freshAt = null;
  #isSignedOut = false;

  constructor({ root, client, apiPage, landingPage, returnTo, emit, filters, signal }) {
    this.notices = new Notices(root);
    this.work = {
      root,
      client,
      apiPage,
      landingPage,
      signal,
      emit,
      notices: this.notices,
      get returnTo() {
        return returnTo();
      },
      status: () => this.#status,
      mayChange: () => mayChange(this.#status),
      refreshStatus: () => this.#refreshStatus(),
      refresh: () => this.refresh(),
      fail: (error, title, key) => this.#fail(error, title, key),
    };
    this.connecting = new Connecting(this.work, (isWaiting) => this.card.setWaiting(isWaiting));
    this.#build();
    this.log.filters.read(filters);
    this.poll = new Poll(() => this.#update(), signal);
    const ticking = setInterval(() => document.hidden || this.#tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticking));
    window.addEventListener("offline", () => this.#showStaleness("You are offline."), { signal });
  }

  /** Loads everything for the first time, or again after a new sign-in. */
  start() {
    this.#isSignedOut = false;
    this.main.hidden = false;
    this.signedOut.hidden = true;
    this.log.load().catch((error) => this.#fail(error, null));
    this.sources.load({ isUrgent: true });
    const slow = setTimeout(
      () => setText(this.freshness, "The service takes longer than usual …"),
      SLOW_MS,
    );
    return this.poll.now().finally(() => clearTimeout(slow));
  }

  /** Tries again if the session had ended: there may be another token now. */
  resume() {
    if (this.#isSignedOut) this.start();
  }

  /** Asks for everything now: something has just been changed. */
  refresh() {
    this.#statusText = "";
    this.statistics.load({ isUrgent: true });
    this.sources.load({ isUrgent: true });
    return this.poll.now();
  }

  /** Shows what a query string of filters says. */
  setFilters(text) {
    if (text === this.log.filters.write()) return;
    this.log.filters.read(text);
    this.log.load().catch((error) => this.#fail(error, null));
  }

  #build() {
    this.card = new ConnectionCard({
      connect: () => this.connecting.start(),
      cancel: () => this.connecting.cancel(),
      disconnect: async () => (await disconnect(this.work)) && this.refresh(),
      openActivity: () => openActivity(this.work),
      openSettings: () => openSettings(this.work),
      openTrial: () => openTrial(this.work),
      filter: (status) => this.log.filterStatus(status),
    });
    this.statistics = new Statistics(this.work);
    this.checklist = new Checklist(this.work, () => this.#endSetup());
    // The checklist stands in the picture's place, which is reserved from the start.
    this.stage = el("div", { class: "stage" }, this.statistics.element);
    this.log = new SyncLog(this.work);
    this.sources = new SourcesCard(this.work, {
      onCall: (id) => showDetail(this.work, id, { onChanged: () => this.log.update() }),
      onShown: () => this.#status && this.#showSetup(false),
    });
    this.freshness = el("p", { class: "freshness" }, "Loading …");
    this.signedOutTitle = el("h2", {}, "You are not signed in");
    this.signedOut = el(
      "section",
      { class: "card signed-out", hidden: true, role: "alert" },
      this.signedOutTitle,
      el(
        "p",
        {},
        el(
          "slot",
          { name: "signed-out" },
          "Sign in again to see your calls. Syncing goes on meanwhile.",
        ),
      ),
      el("button", { type: "button", onclick: () => this.start() }, "Try again"),
    );
    this.main = el(
      "div",
      { class: "main" },
      this.freshness,
      this.card.element,
      this.stage,
      this.sources.element,
      this.log.section,
    );
    this.element = el(
      "div",
      { class: "dashboard" },
      this.signedOut,
      this.main,
      this.notices.element,
    );
  }

  /** One question of the poll; resolves to whether something is going on. */
  async #update() {
    try {
      const hasChanged = await this.#askStatus();
      const isDue = Date.now() - this.#logAskedAt > CALM_MS;
      this.sources.load({ isBusy: hasChanged });
      if (hasChanged || isDue) {
        this.#logAskedAt = Date.now();
        await Promise.all([this.log.update(), this.statistics.load()]);
      }
      this.#showFreshness();
      return hasChanged || this.#status.counts.pending > 0;
    } catch (error) {
      if (!this.work.signal.aborted) this.#lose(error);
      throw error;
    }
  }

  async #askStatus() {
    const status = await this.work.client.getHubSpotStatus({ signal: this.work.signal });
    const before = this.#status;
    const text = JSON.stringify(status);
    const hasChanged = text !== this.#statusText;
    this.#status = status;
    this.#statusText = text;
    this.element.toggleAttribute("data-read-only", !mayChange(status));
    this.card.show(status);
    this.sources.show();
    this.#showSetup(before === null);
    if (before && before.connected !== status.connected) {
      const { hubId, state } = status;
      this.work.emit(status.connected ? "connected" : "disconnected", { hubId, state });
    }
    return hasChanged;
  }

  async #refreshStatus() {
    try {
      if (await this.#askStatus()) this.#logAskedAt = 0; // or the poll would see no change
    } catch (error) {
      if (!this.work.signal.aborted) this.#lose(error);
    }
    return this.#status;
  }

  /**
   * Until the first sync a workspace begins with the checklist, unless nobody could follow it; it
   * stays until it is put away.
   */
  #showSetup(isFirst) {
    if (isFirst && this.#status.lastSyncAt === null && mayChange(this.#status))
      this.stage.replaceChildren(this.checklist.element);
    this.checklist.show(this.#status, { hasSources: this.sources.isOffered });
  }

  #endSetup() {
    this.stage.replaceChildren(this.statistics.element);
    this.log.heading.focus();
  }

  #tick() {
    if (!this.#status) return;
    this.card.show(this.#status);
    this.sources.show();
    this.log.tick();
  }

  /** The poll failed: say so where it moves nothing, and go on. */
  #lose(error) {
    this.#fail(error, null);
    this.#showStaleness(describeError(error));
  }

  #showStaleness(why) {
    const known = this.#freshAt ? ` This is how it was at ${formatClock(this.#freshAt)}.` : "";
    this.freshness.dataset.kind = "error";
    setText(this.freshness, why + known);
  }

  #showFreshness() {
    this.#freshAt = Date.now();
    delete this.freshness.dataset.kind;
    setText(this.freshness, `Up to date, ${formatClock(this.#freshAt)}`);
  }

  /** What a person asked for failed; without a title it has been said already. */
  #fail(error, title, key = title) {
    if (this.work.signal.aborted) return;
    this.#emitError(error);
    if (error instanceof UnauthorizedError) this.#signOut(error);
    else if (title) this.notices.show({ kind: "error", key, title, text: describeError(error) });
  }

  #signOut({ code }) {
    setText(
      this.signedOutTitle,
      code === "missing_token" ? "You are not signed in" : "Your session has ended",
    );
    this.#isSignedOut = true;
    this.poll.rest();
    for (const dialog of this.work.root.querySelectorAll("dialog")) dialog.close();
    this.connecting.cancel();
    this.main.hidden = true;
    this.signedOut.hidden = false;
  }

  #emitError(error) {
    this.work.emit("error", { code: error.code ?? "network_error", message: error.message, error });
  }
}
