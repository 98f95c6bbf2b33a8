// <hubspot-call-sync>: the dashboard as a custom element.
//
//   <script type="module" src="https://calls.example.com/embed/hubspot-call-sync.js"></script>
//   <hubspot-call-sync></hubspot-call-sync>
//   document.querySelector("hubspot-call-sync").tokenProvider = async () => freshJwt();
//
// Attributes:
//   api-url         where the API is; default: where this module came from
//   token           a JWT; better is the property `tokenProvider`, which can refresh it
//   return-to       where HubSpot sends the browser back to; default: a page that is sure to work
//   filters         of the sync log, as a query string: "status=error&period=week"
//   color-scheme    light, dark, or auto (the system's); default: the page's own
//   opener-origins  who is told when HubSpot's popup lands on this page; default: its own origin
// Events, all bubbling: `hubspot-call-sync:connected`, `:disconnected`, `:error`, `:filters`.
// Colours and fonts: custom properties `--hcs-…`, see styles.js.

import { HubSpotCallSyncClient, UnauthorizedError } from "../client.js";
import { Dashboard } from "./dashboard.js";
import { el } from "./parts/dom.js";
import { describeConnecting } from "./parts/failures.js";
import { takeOutcome, tellOpener } from "./connection/landing.js";
import { sheets } from "./styles/styles.js";

const NAME = "hubspot-call-sync";

export class HubSpotCallSync extends HTMLElement {
  static observedAttributes = ["api-url", "token", "filters"];

  #tokenProvider = null;
  #dashboard = null;
  #running = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = sheets;
  }

  /** `({refused}) => jwt | Promise<jwt>`; `refused` says that the API did not take the last one. */
  get tokenProvider() {
    return this.#tokenProvider;
  }

  set tokenProvider(provider) {
    this.#tokenProvider = provider;
    this.#dashboard?.resume();
  }

  /** Asks for everything now. */
  refresh() {
    this.#dashboard?.refresh();
  }

  connectedCallback() {
    // A page may have set it before this module was loaded.
    if (Object.hasOwn(this, "tokenProvider")) {
      const given = this.tokenProvider;
      delete this.tokenProvider;
      this.tokenProvider = given;
    }
    // Frameworks set properties right after they have inserted the element.
    queueMicrotask(() => this.isConnected && !this.#running && this.#start());
  }

  disconnectedCallback() {
    // An element that is only moved comes back at once.
    queueMicrotask(() => this.isConnected || this.#stop());
  }

  attributeChangedCallback(name, before, now) {
    if (!this.#running || before === now) return;
    if (name === "token") {
      this.#dashboard?.resume();
    } else if (name === "filters") {
      this.#dashboard?.setFilters(now ?? "");
    } else {
      this.#stop();
      this.#start();
    }
  }

  #start() {
    this.#running = new AbortController();
    const landed = takeOutcome({
      isSignedIn: this.#tokenProvider !== null || this.hasAttribute("token"),
    });
    if (landed?.isPopup) {
      const origins = this.getAttribute("opener-origins") ?? location.origin;
      tellOpener(landed.outcome, origins.split(" "));
      this.shadowRoot.replaceChildren(landedPanel(landed.outcome));
      return;
    }
    const base = new URL(
      this.getAttribute("api-url") ?? new URL("..", import.meta.url),
      document.baseURI,
    );
    const apiUrl = (base.origin + base.pathname).replace(/\/+$/, "");
    this.#dashboard = new Dashboard({
      root: this.shadowRoot,
      client: new HubSpotCallSyncClient({
        baseUrl: apiUrl,
        token: (state) => this.#findToken(state),
      }),
      apiPage: `${apiUrl}/`,
      landingPage: `${apiUrl}/embed/landed`,
      returnTo: () => this.getAttribute("return-to"),
      emit: (name, detail) => this.#emit(name, detail),
      filters: this.getAttribute("filters") ?? "",
      signal: this.#running.signal,
    });
    this.shadowRoot.replaceChildren(this.#dashboard.element);
    this.#dashboard.start();
    if (landed) this.#dashboard.connecting.tell(landed.outcome);
  }

  #stop() {
    this.#running?.abort();
    this.#running = null;
    this.#dashboard = null;
    this.shadowRoot.replaceChildren();
  }

  /** A token, or an UnauthorizedError without asking the API: it would only be refused there. */
  async #findToken(state) {
    const token = this.#tokenProvider
      ? await this.#tokenProvider(state)
      : this.getAttribute("token");
    if (token) return token;
    throw new UnauthorizedError({
      status: 401,
      code: "missing_token",
      message: "There is no token.",
    });
  }

  #emit(name, detail) {
    this.dispatchEvent(
      new CustomEvent(`${NAME}:${name}`, { detail, bubbles: true, composed: true }),
    );
  }
}

/** What a popup shows that could not close itself. */
function landedPanel({ hubspot, code }) {
  const isConnected = hubspot === "connected";
  const { kind, title, text } = isConnected
    ? { kind: "success", title: "HubSpot connected successfully!", text: "" }
    : describeConnecting(code);
  return el(
    "section",
    { class: "card landed", role: "status", "data-kind": kind },
    el("h2", {}, title),
    el("p", {}, `${text} You can close this window.`.trim()),
  );
}

if (!customElements.get(NAME)) customElements.define(NAME, HubSpotCallSync);
