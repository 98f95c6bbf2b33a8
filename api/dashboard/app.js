// The page around the component: it signs in with the token of its address, and keeps the filters
// there, so that what is shown can be linked to.

import "../embed/hubspot-call-sync.js";

const TOKEN_KEY = "callsync.token";

const component = document.querySelector("hubspot-call-sync");

const readFragment = () => new URLSearchParams(location.hash.slice(1));

function writeFragment(text) {
  const fragment = text ? `#${text}` : "";
  history.replaceState(history.state, "", location.pathname + location.search + fragment);
}

// Browsers deny storage to a page in a frame of another site: there a token lasts until a reload.
let keptToken = null;

function keepToken(given) {
  keptToken = given;
  try {
    sessionStorage.setItem(TOKEN_KEY, given);
  } catch {
    // It is kept above.
  }
}

function findToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? keptToken;
  } catch {
    return keptToken;
  }
}

/** Keeps a token of the address for this tab, out of the address bar and of the history. */
function takeToken() {
  const fragment = readFragment();
  const token = fragment.get("token");
  if (token === null) return;
  keepToken(token);
  fragment.delete("token");
  writeFragment(fragment.toString());
}

/** Who is signed in, as the token says; only the API can tell whether it is true. */
function describeTenant(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return `${claims.workspace_id} · ${claims.sub}`;
  } catch {
    return "";
  }
}

function showAddress() {
  takeToken();
  const token = findToken() ?? "";
  document.getElementById("tenant").textContent = describeTenant(token);
  component.tokenProvider = token ? () => token : null;
  component.setAttribute("filters", readFragment().toString());
}

component.addEventListener("hubspot-call-sync:filters", ({ detail }) =>
  writeFragment(detail.filters),
);
window.addEventListener("hashchange", showAddress);
showAddress();
