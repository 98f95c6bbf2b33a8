// Disconnecting HubSpot, after asking.

import { NOTICE } from "./connecting.js";
import { askFirst } from "../parts/dialogs.js";
import { el } from "../parts/dom.js";
import { count } from "../parts/format.js";

/** Asks, says what becomes of waiting calls, and disconnects; resolves to whether it did. */
export async function disconnect(work) {
  const { counts, hubId } = work.status();
  const waiting = counts.pending
    ? `${count(counts.pending, "call")} waiting now will not reach HubSpot, and neither will ` +
      `new ones.`
    : "New calls will no longer reach HubSpot.";
  const isSure = await askFirst(
    work.root,
    { title: `Disconnect HubSpot account ${hubId}?`, action: "Disconnect", isDangerous: true },
    el(
      "ul",
      {},
      el("li", {}, `${waiting} They are logged as skipped: “HubSpot not connected”.`),
      el(
        "li",
        {},
        "When you connect the same account again, calls of the 7 days before are synced by " +
          "themselves. Older ones can be retried by hand.",
      ),
      el("li", {}, "Notes that are already in HubSpot stay there."),
    ),
  );
  if (!isSure) return false;
  try {
    await work.client.disconnectHubSpot({ signal: work.signal });
  } catch (error) {
    work.fail(error, "HubSpot could not be disconnected");
    return false;
  }
  work.notices.show({
    kind: "success",
    key: NOTICE,
    title: "HubSpot disconnected",
    text: "Calls are still logged, and kept for when you connect again.",
  });
  return true;
}
