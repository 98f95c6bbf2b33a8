// The part of the sync log that is on the screen: pages by cursor, what is new, what has changed.

const PAGE_SIZE = 50;
const MOST_IDS = 200;

/** Entries of one filter, newest first. Every method raises what the client raises. */
export class Pages {
  #client;
  #signal;
  #query;
  #cursor = null;

  constructor(client, query, signal) {
    this.#client = client;
    this.#query = query;
    this.#signal = signal;
    this.logs = new Map();
    this.total = 0;
    this.isTotalExact = true;
  }

  /** Whether other pages are being loaded in their place: what they still ask is broken off. */
  get isAbandoned() {
    return this.#signal.aborted;
  }

  get hasOlder() {
    return this.#cursor !== null;
  }

  /** Loads the first page. */
  async start() {
    const page = await this.#ask({ limit: PAGE_SIZE });
    this.#cursor = page.next_cursor;
    this.#count(page);
    for (const log of page.logs) this.logs.set(log.id, log);
  }

  /** Loads the next page and returns its entries. */
  async loadOlder() {
    const page = await this.#ask({ limit: PAGE_SIZE, cursor: this.#cursor });
    this.#cursor = page.next_cursor;
    for (const log of page.logs) this.logs.set(log.id, log);
    return page.logs;
  }

  /**
   * Looks for entries that are newer than all loaded ones. Returns them, whether there are more
   * between them and what is loaded, and those on the newest page that are known, as they are now:
   * a call may grow after it was synced.
   */
  async findNew() {
    const page = await this.#ask({ limit: PAGE_SIZE });
    this.#count(page);
    const newest = this.logs.values().next().value;
    const isNew = (log) =>
      !newest ||
      log.created_at > newest.created_at ||
      (log.created_at === newest.created_at && log.id > newest.id);
    const logs = page.logs.filter((log) => !this.logs.has(log.id) && isNew(log));
    const known = page.logs.filter((log) => this.logs.has(log.id));
    for (const log of known) this.logs.set(log.id, log);
    const isMore = logs.length === page.logs.length && page.next_cursor !== null;
    return { logs, isMore, known };
  }

  /** Takes entries up at the top. */
  prepend(logs) {
    this.logs = new Map([...logs.map((log) => [log.id, log]), ...this.logs]);
  }

  /** Asks anew for those of `ids` that may have changed, and returns them. */
  async refresh(ids) {
    const isOpen = (log) => log?.status !== "success" || log.update !== null;
    const open = ids.filter((id) => isOpen(this.logs.get(id))).slice(0, MOST_IDS);
    if (!open.length) return [];
    const { logs } = await this.#client.getHubSpotSyncLogs(
      { ids: open.join(",") },
      { signal: this.#signal },
    );
    for (const log of logs) this.logs.set(log.id, log);
    return logs;
  }

  #ask(page) {
    return this.#client.getHubSpotSyncLogs({ ...this.#query, ...page }, { signal: this.#signal });
  }

  #count({ total, total_exact: isExact }) {
    this.total = total;
    this.isTotalExact = isExact;
  }
}
