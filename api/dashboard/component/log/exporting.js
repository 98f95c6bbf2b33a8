// The sync log as a file.

import { el } from "../parts/dom.js";

const KEEP_MS = 60_000;

/** Downloads what a query finds, as CSV. */
export async function exportLog(work, query) {
  try {
    const { blob, filename, truncated } = await work.client.exportSyncLogs(query, {
      signal: work.signal,
    });
    const url = URL.createObjectURL(blob);
    el("a", { href: url, download: filename }).click();
    // The browser reads it after the click has returned.
    setTimeout(() => URL.revokeObjectURL(url), KEEP_MS);
    work.notices.show({
      kind: truncated ? "info" : "success",
      key: "export",
      title: truncated ? "The file holds the newest 100,000 calls" : `${filename} is downloaded`,
      text: truncated ? "Choose a shorter period to export the others." : "",
      isBrief: !truncated,
    });
  } catch (error) {
    work.fail(error, "The sync log could not be exported");
  }
}
