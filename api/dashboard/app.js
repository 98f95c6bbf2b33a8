"use strict";

const POLL_MS = 5000;
const TOKEN_KEY = "callsync.token";
const PAGE_SIZE = 50;
const STATES = {
  connected: "Connected",
  disconnected: "Not connected",
  reconnect_required: "Reconnect required",
};
const OUTCOMES = { pending: "waiting", success: "synced", skipped: "skipped", error: "failed" };

const find = (id) => document.getElementById(id);
let nextCursor = null;
let isPollFailing = false;

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN_KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

async function ask(path, options = {}) {
  const answer = await fetch(`api/hubspot/${path}`, {
    ...options,
    headers: { Authorization: `Bearer ${takeToken() ?? ""}` },
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? `Status ${answer.status}`);
  return body;
}

function notify(message, isError = false) {
  const notice = find("notice");
  notice.textContent = message;
  notice.classList.toggle("failure", isError);
  notice.hidden = !message;
}

// What fetch throws when no answer comes is a TypeError.
const describe = (error) =>
  error instanceof TypeError ? "The service cannot be reached." : error.message;

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    notify(describe(error), true);
  }
}

const time = (ms) => (ms === null ? "–" : new Date(ms).toLocaleString());

async function showStatus() {
  const status = await ask("status");
  find("state").textContent = STATES[status.state];
  find("state").dataset.state = status.state;
  const parts = [];
  if (status.hubId) parts.push(`account ${status.hubId}`);
  if (status.lastSyncAt) parts.push(`last synced ${time(status.lastSyncAt)}`);
  if (status.pausedUntil) {
    parts.push(`paused until ${time(status.pausedUntil)}: ${status.pauseReason ?? ""}`);
  }
  find("details").textContent = parts.join(" · ");
  find("connect").hidden = status.connected;
  find("disconnect").hidden = status.state === "disconnected";
  for (const cell of find("counts").querySelectorAll("[data-count]")) {
    cell.textContent = status.counts[cell.dataset.count].toLocaleString();
  }
  return status;
}

function cell(text, className = "") {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}

function outcomeCell(log) {
  const made = cell("");
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.dataset.state = log.status;
  badge.textContent = OUTCOMES[log.status];
  made.append(badge, ` ${log.error_message ?? ""}`);
  return made;
}

function retryCell(log) {
  const made = cell("");
  if (log.status === "error" || log.status === "skipped") {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Retry";
    button.addEventListener("click", () => attempt(() => retry(log.id, button)));
    made.append(button);
  }
  return made;
}

async function retry(id, button) {
  button.disabled = true;
  const { requeued } = await ask(`sync-logs/${encodeURIComponent(id)}/retry`, { method: "POST" });
  notify(requeued ? "The call is tried again." : "This call's contents are deleted already.");
  await showLogs();
}

async function showLogs(cursor = null) {
  const query = new URLSearchParams({ limit: PAGE_SIZE });
  if (find("status").value) query.set("status", find("status").value);
  if (cursor) query.set("cursor", cursor);
  const page = await ask(`sync-logs?${query}`);
  const rows = page.logs.map((log) => {
    const row = document.createElement("tr");
    row.append(
      cell(time(log.created_at)),
      cell(log.phone_number ?? "withheld"),
      cell(log.call_id, "id"),
      outcomeCell(log),
      retryCell(log),
    );
    return row;
  });
  if (cursor) find("logs").append(...rows);
  else find("logs").replaceChildren(...rows);
  nextCursor = page.next_cursor;
  find("more").hidden = nextCursor === null;
  find("empty").hidden = find("logs").children.length > 0;
}

async function connect() {
  // Opened before anything is awaited: browsers block pop-ups that no click explains.
  const popup = window.open("about:blank", "hubspot", "width=720,height=800");
  try {
    const { authUrl } = await ask("oauth/initiate");
    if (popup) popup.location.href = authUrl;
    else location.href = authUrl;
  } catch (error) {
    popup?.close();
    throw error;
  }
}

async function disconnect() {
  if (!confirm("Disconnect HubSpot? Calls are no longer synced.")) return;
  notify((await ask("disconnect", { method: "DELETE" })).message);
  await showStatus();
}

const isHubSpotOutcome = (data) => data?.source === "callsync" && "hubspot" in data;
const readMeta = (name) => document.querySelector(`meta[name="${name}"]`).content;

/** The message is our own for the code: an address may say anything. */
function showOutcome({ hubspot, code }) {
  const failures = JSON.parse(readMeta("failures"));
  if (hubspot === "connected") notify("HubSpot is connected.");
  else notify(failures[code] ?? "HubSpot could not be connected.", true);
}

/** What the address says when the browser returns from HubSpot; null otherwise. */
function takeOutcome() {
  const query = new URLSearchParams(location.search);
  if (!query.has("hubspot")) return null;
  const outcome = { source: "callsync" };
  for (const name of ["hubspot", "code", "message"]) {
    if (query.has(name)) outcome[name] = query.get(name);
    query.delete(name);
  }
  const rest = query.toString();
  history.replaceState(null, "", location.pathname + (rest && `?${rest}`) + location.hash);
  return outcome;
}

/** Tells the page that opened this pop-up, on whichever allowed origin it is, and closes. */
function tellOpener(outcome) {
  for (const origin of readMeta("allowed-origins").split(" ")) window.opener.postMessage(outcome, origin);
  window.close();
}

async function refresh() {
  await Promise.all([showStatus(), showLogs()]);
  notify("");
}

/** Keeps the status fresh; what it has to complain about goes away by itself. */
async function poll() {
  if (document.hidden || !takeToken()) return;
  try {
    await showStatus();
    if (isPollFailing) notify("");
    isPollFailing = false;
  } catch (error) {
    isPollFailing = true;
    notify(describe(error), true);
  }
}

function listen() {
  window.addEventListener("message", (event) => {
    if (event.origin !== location.origin || !isHubSpotOutcome(event.data)) return;
    attempt(refresh).then(() => showOutcome(event.data));
  });
  window.addEventListener("hashchange", () => takeToken() && attempt(refresh));
  find("refresh").addEventListener("click", () => attempt(refresh));
  find("status").addEventListener("change", () => attempt(() => showLogs()));
  find("more").addEventListener("click", () => attempt(() => showLogs(nextCursor)));
  find("connect").addEventListener("click", () => attempt(connect));
  find("disconnect").addEventListener("click", () => attempt(disconnect));
  setInterval(poll, POLL_MS);
}

async function start() {
  const outcome = takeOutcome();
  if (outcome && window.opener) {
    tellOpener(outcome);
    return;
  }
  listen();
  if (takeToken()) await attempt(refresh);
  else notify("Open this page with a link that signs you in.", true);
  if (outcome) showOutcome(outcome);
}

start();
