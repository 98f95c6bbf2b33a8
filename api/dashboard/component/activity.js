// Who did what to the connection and its calls, newest first.

import { openDialog } from "./parts/dialogs.js";
import { el } from "./parts/dom.js";
import { describeError } from "./parts/failures.js";
import { count, timeElement } from "./parts/format.js";
import { busyButton } from "./parts/inputs.js";
import { REASONS, STATUSES } from "./parts/words.js";

// What people call the settings.
const SETTINGS = {
  default_region: "country of numbers",
  match_policy: "choice between contacts",
  phone_properties: "further contact properties",
  own_numbers: "your own numbers",
  activity: "note or call",
  write_when: "when a call is written",
  keep: "what is kept of a call",
  rules: "which calls are left out",
};

const WORDS = {
  connected: ({ hub_id: hubId, replaced_hub_id: replaced }) =>
    (hubId ? `HubSpot account ${hubId} connected` : "HubSpot connected") +
    (replaced ? ` in place of account ${replaced}` : ""),
  disconnected: ({ hub_id: hubId }) =>
    hubId ? `HubSpot account ${hubId} disconnected` : "HubSpot disconnected",
  settings_changed: ({ names }) =>
    "Settings changed" +
    (names?.length ? `: ${names.map((name) => SETTINGS[name] ?? name).join(", ")}` : ""),
  source_added: () => "Call source added",
  source_changed: () => "Call source changed",
  source_removed: () => "Call source removed",
  exported: ({ filter }) => {
    const asked = describeFilter(filter ?? {});
    return asked ? `Sync log exported: ${asked}` : "Whole sync log exported";
  },
  retried: ({ calls }) => `${count(calls ?? 0, "call")} tried again`,
  test_call_sent: () => "Test call sent",
  person_erased: ({ calls }) => `A person was forgotten: ${count(calls ?? 0, "call")} erased`,
  tenant_erased: ({ calls }) => `All that came before was erased: ${count(calls ?? 0, "call")}`,
  sessions_ended: () => "All sessions ended",
};

/** Opens the list of what was done. */
export function openActivity(work) {
  const closing = new AbortController();
  const signal = AbortSignal.any([closing.signal, work.signal]);
  const body = el(
    "div",
    { class: "dialog-body", "aria-busy": "true" },
    Array.from({ length: 4 }, () => el("span", { class: "skeleton line" })),
  );
  openDialog(
    work.root,
    { kind: "drawer", title: "Activity", onClose: () => closing.abort() },
    body,
  );
  const list = el("ol", { class: "attempts", reversed: true });
  let cursor = null;
  const older = busyButton({ label: "Show older", run: () => load(), className: "small" });
  const load = async () => {
    try {
      const page = await work.client.getAuditTrail(cursor ? { cursor } : {}, { signal });
      const shown = page.entries.map(describeDeed);
      list.append(...shown);
      cursor = page.next_cursor;
      older.hidden = cursor === null;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (list.children.length) work.fail(error, "Older activity could not be loaded");
      else body.replaceChildren(el("p", { role: "alert" }, describeError(error)));
      return false;
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  load().then((isLoaded) => {
    if (!isLoaded) return;
    const isEmpty = list.children.length === 0;
    body.replaceChildren(
      el(
        "p",
        { class: "hint" },
        isEmpty
          ? "Nothing has been done yet. Connecting, exports, retries and changed settings are " +
              "listed here."
          : "Who connected, exported, retried or changed settings, and from which address.",
      ),
      ...(isEmpty ? [] : [list, older]),
    );
  });
}

function describeDeed({ at, actor, action, address, details }) {
  const words = WORDS[action]?.(details) ?? action.replaceAll("_", " ");
  const by = actor === "operator" ? "by an operator of this service" : "by you or your team";
  const origin = address ? ` from ${address}` : "";
  return el(
    "li",
    {},
    el("div", { class: "attempt-head" }, el("strong", {}, words + origin), timeElement(at)),
    el("p", { class: "hint" }, by),
  );
}

function describeFilter({ status, error_code: code, from, to, phone, call_id: callId }) {
  return [
    STATUSES[status],
    REASONS[code],
    phone ? "one number" : null,
    callId ? "one call" : null,
    from ? `from ${from}` : null,
    to ? `until ${to}` : null,
  ]
    .filter(Boolean)
    .join(", ");
}
