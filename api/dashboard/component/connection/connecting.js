// Connecting HubSpot: in a popup, or by a redirect where popups are blocked.

import { BadRequestError } from "../../client.js";
import { pause } from "../parts/dom.js";
import { describeConnecting } from "../parts/failures.js";
import { CHANNEL, isOutcome, markPopup, plainAddress, POPUP_NAME } from "./landing.js";

const WATCH_MS = 2000;
const REDIRECT_MS = 6000;
const CLOSING_MS = 500;
// An attempt is void after ten minutes; whoever is still in HubSpot then has to start again.
const LONGEST_MS = 600_000;
/** The notice that says how connecting or disconnecting went: there is one at a time. */
export const NOTICE = "connection";

/**
 * One instance's attempts to connect. `work` is what the parts of an instance share;
 * `onChange(isWaiting)` hears when an attempt begins and ends.
 */
export class Connecting {
  #work;
  #onChange;
  #attempt = null;

  constructor(work, onChange) {
    this.#work = work;
    this.#onChange = onChange;
    work.signal.addEventListener("abort", () => this.cancel());
  }

  /** Starts; must be called in the very click, because browsers block popups that none explains. */
  start() {
    this.cancel();
    const popup = window.open("about:blank", POPUP_NAME, placePopup());
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#onChange(true);
    this.#work.notices.close(NOTICE);
    this.#run(popup, attempt).catch((error) => {
      if (attempt.signal.aborted) return;
      popup?.close();
      this.#end(attempt);
      this.#work.fail(error, "HubSpot cannot be connected right now", NOTICE);
    });
  }

  /** Gives up waiting; what the person still does in HubSpot counts nevertheless. */
  cancel() {
    if (this.#attempt) this.#end(this.#attempt);
  }

  /** Says how an attempt went, after a redirect too. */
  tell({ hubspot, code }) {
    if (hubspot === "connected") {
      this.#work.notices.show({
        kind: "success",
        key: NOTICE,
        title: "HubSpot connected successfully!",
        text: "Calls that waited are synced now, new ones as they end.",
      });
    } else {
      const { action, ...words } = describeConnecting(code);
      this.#work.notices.show({
        key: NOTICE,
        ...words,
        actions: [{ label: action, run: () => this.start() }],
      });
    }
  }

  async #run(popup, attempt) {
    const { signal } = attempt;
    const before = this.#work.status();
    if (popup === null) {
      await this.#redirect(attempt);
      return;
    }
    popup.document.title = "HubSpot";
    popup.document.body.textContent = "Opening HubSpot …";
    this.#listen(popup, attempt, before);
    const authUrl = await this.#initiate(
      markPopup(this.#work.returnTo ?? this.#work.landingPage),
      signal,
    );
    popup.location.replace(authUrl);
    const startedAt = Date.now();
    while (Date.now() - startedAt < LONGEST_MS) {
      await pause(WATCH_MS, signal);
      // A popup that HubSpot cut off looks closed from here, so the status alone can tell.
      await this.#look(popup, attempt, before);
    }
    this.#end(attempt);
    this.tell({ hubspot: "error", code: "invalid_state" });
  }

  /** Ends the attempt if the status says that it has succeeded. */
  async #look(popup, attempt, before) {
    const status = await this.#work.refreshStatus();
    if (attempt.signal.aborted || !status?.connected) return;
    if (status.connectedAt === before?.connectedAt) return;
    this.#end(attempt);
    popup.close();
    this.#work.refresh();
    this.tell({ hubspot: "connected" });
  }

  #listen(popup, attempt, before) {
    const { signal } = attempt;
    const hear = (outcome) => {
      if (outcome.hubspot === "connected") {
        this.#look(popup, attempt, before);
      } else {
        this.#end(attempt);
        this.tell(outcome);
      }
    };
    const origins = new Set([location.origin, new URL(this.#work.apiPage).origin]);
    const hearMessage = ({ data, origin, source }) => {
      if (source === popup && origins.has(origin) && isOutcome(data)) hear(data);
    };
    window.addEventListener("message", hearMessage, { signal });
    const channel = new BroadcastChannel(CHANNEL);
    // Other pages' attempts are heard here too; ours needs it only when its popup was cut off: it
    // looks closed from here, or has closed itself in a moment.
    channel.addEventListener("message", async ({ data }) => {
      await pause(CLOSING_MS, signal).catch(() => {});
      if (!signal.aborted && popup.closed && isOutcome(data)) hear(data);
    });
    signal.addEventListener("abort", () => channel.close());
  }

  #end(attempt) {
    attempt.abort();
    if (this.#attempt !== attempt) return;
    this.#attempt = null;
    this.#onChange(false);
  }

  async #redirect(attempt) {
    const { signal } = attempt;
    const authUrl = await this.#initiate(this.#work.returnTo ?? plainAddress(), signal);
    const go = () => location.assign(authUrl);
    const cancel = () => this.cancel();
    this.#onChange(false); // there is no window to wait for
    const close = this.#work.notices.show({
      key: NOTICE,
      title: "Your browser blocked the HubSpot window",
      text: "This page goes to HubSpot in a few seconds instead, and comes back here afterwards.",
      actions: [
        { label: "Go to HubSpot now", run: go },
        { label: "Cancel", run: cancel },
      ],
      onDismiss: cancel,
    });
    signal.addEventListener("abort", close);
    await pause(REDIRECT_MS, signal);
    go();
  }

  /** The address of HubSpot's consent page; `returnTo` is replaced where it is not allowed. */
  async #initiate(returnTo, signal) {
    const { client, apiPage } = this.#work;
    try {
      return (await client.initiateHubSpotOAuth({ returnTo }, { signal })).authUrl;
    } catch (error) {
      if (!(error instanceof BadRequestError)) throw error;
      // By a page of its own to return to, the API knows the built-in page in every browser.
      const isBuiltIn = new URL(apiPage).origin === location.origin;
      const instead = isBuiltIn ? { returnTo: apiPage } : {};
      return (await client.initiateHubSpotOAuth(instead, { signal })).authUrl;
    }
  }
}

function placePopup() {
  const [width, height] = [720, 820];
  const left = Math.max(0, window.screenX + (window.outerWidth - width) / 2);
  const top = Math.max(0, window.screenY + (window.outerHeight - height) / 2);
  return `popup,width=${width},height=${height},left=${Math.round(left)},top=${Math.round(top)}`;
}
