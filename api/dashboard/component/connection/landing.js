// The way back from HubSpot: what the address says, and telling the page that waits for it.
//
// A popup that HubSpot's pages have cut off from its opener cannot reach it by postMessage. Pages of
// the same origin then hear it by BroadcastChannel; others find out by asking for the status.

export const POPUP_NAME = "hubspot-call-sync";
export const CHANNEL = "hubspot-call-sync";
const POPUP_MARK = "hubspot-popup";
const OWN_PARAMETERS = ["hubspot", "code", "message", POPUP_MARK];

/** The address to return to when connecting in a popup, recognisable as such. */
export function markPopup(address) {
  const url = new URL(address);
  url.searchParams.set(POPUP_MARK, "1");
  return url.href;
}

/** The address of this page without what connecting leaves in it. */
export function plainAddress() {
  const url = new URL(location.href);
  url.hash = "";
  for (const name of OWN_PARAMETERS) url.searchParams.delete(name);
  return url.href;
}

/** Whether a message is one of ours: `{source: "callsync", hubspot, code?}`. */
export const isOutcome = (data) => data?.source === "callsync" && typeof data.hubspot === "string";

/**
 * Reads what the browser was sent back with and removes it from the address bar; null when it was
 * not. `isPopup` says that another page waits for it: a page of anybody's may have opened this one,
 * where nobody is signed in then.
 */
export function takeOutcome({ isSignedIn }) {
  const url = new URL(location.href);
  if (!url.searchParams.has("hubspot")) return null;
  const outcome = { source: "callsync", hubspot: url.searchParams.get("hubspot") };
  if (url.searchParams.has("code")) outcome.code = url.searchParams.get("code");
  const isOurWindow = window.opener !== null && (window.name === POPUP_NAME || !isSignedIn);
  const isPopup = url.searchParams.has(POPUP_MARK) || isOurWindow;
  for (const name of OWN_PARAMETERS) url.searchParams.delete(name);
  history.replaceState(history.state, "", url.href);
  return { outcome, isPopup };
}

/** Tells the page that opened this popup, on whichever of `origins` it is, and closes the popup. */
export function tellOpener(outcome, origins) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(outcome);
  channel.close();
  // Browsers complain in the console of each origin that is not the opener's.
  const isOurs = isOfThisOrigin(window.opener);
  for (const origin of origins) {
    if ((origin === location.origin) === isOurs) window.opener?.postMessage(outcome, origin);
  }
  window.close();
}

function isOfThisOrigin(other) {
  try {
    return other?.location.origin === location.origin;
  } catch {
    return false;
  }
}
