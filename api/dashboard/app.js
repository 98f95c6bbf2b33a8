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

/** Takes a token out of the address bar and of the history; null when there is none. */
function takeToken() {
  const fragment = readFragment();
  const token = fragment.get("token");
  fragment.delete("token");
  if (token !== null) writeFragment(fragment.toString());
  return token;
}

/** Who is signed in, as the token says; only the API can tell whether it is true. */
function readTenant(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return { user: String(claims.sub), workspace: String(claims.workspace_id) };
  } catch {
    return { user: "", workspace: "" };
  }
}

function describeTenant(token) {
  const { user, workspace } = readTenant(token);
  return user || workspace ? `${workspace} · ${user}` : "";
}

function isSameTenant(one, other) {
  const [a, b] = [readTenant(one), readTenant(other)];
  return a.user === b.user && a.workspace === b.workspace;
}

const question = document.getElementById("sign-in");

/**
 * Whether to sign in as somebody else, which a link must not decide: whoever connects HubSpot here
 * connects it to the workspace that is signed in.
 */
function askWhetherToBecome(token) {
  if (question.open) question.close("stay"); // a second link: the first is forgotten
  document.getElementById("sign-in-now").textContent = describeTenant(findToken());
  document.getElementById("sign-in-as").textContent = describeTenant(token) || "nobody known";
  question.returnValue = "";
  question.showModal();
  return new Promise((resolve) => {
    question.addEventListener("close", () => resolve(question.returnValue === "change"), {
      once: true,
    });
  });
}

/** Shows whoever is signed in, and what the address says. */
function show() {
  const token = findToken() ?? "";
  document.getElementById("tenant").textContent = describeTenant(token);
  component.tokenProvider = token ? () => token : null;
  component.setAttribute("filters", readFragment().toString());
}

/** Begins anew as somebody else: nothing of the last tenant stays on the screen. */
function become(token) {
  keepToken(token);
  const place = component.parentElement;
  component.remove();
  // An element that comes back at once goes on as it was.
  setTimeout(() => {
    place.prepend(component);
    show();
  });
}

// In one go unless it has to ask: the element starts by itself, and may not do so signed out.
function showAddress() {
  const token = takeToken();
  const known = findToken();
  if (token !== null && known !== null && !isSameTenant(known, token)) {
    askWhetherToBecome(token).then((isAgreed) => isAgreed && become(token));
  } else if (token !== null) {
    keepToken(token);
  }
  show();
}

component.addEventListener("hubspot-call-sync:filters", ({ detail }) =>
  writeFragment(detail.filters),
);
for (const button of question.querySelectorAll("button")) {
  button.addEventListener("click", () => question.close(button.value));
}
window.addEventListener("hashchange", showAddress);
showAddress();
