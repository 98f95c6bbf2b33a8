// Trying again by hand: one call, the selected ones, or all that the filters find.

import { askFirst } from "../parts/dialogs.js";
import { el } from "../parts/dom.js";
import { count, formatNumber } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { busyButton } from "../parts/inputs.js";

// What the API takes by ids in one order, and what it lists on one page.
const MOST_IDS = 1000;
const PAGE_SIZE = 200;
const KINDS = {
  error: { noun: "failed", order: { status: "error" } },
  skipped: { noun: "skipped", order: { status: "skipped" } },
  update: { noun: "incomplete", order: { update: "failed" } },
};

/** `list`: filters, selectedIds(), onRetried(). */
export class Retries {
  #work;
  #list;

  constructor(work, list) {
    this.#work = work;
    this.#list = list;
    this.allButton = busyButton(
      { label: "", className: "quiet changing", run: () => this.#retryAll() },
      icon("retry"),
    );
    this.allLabel = el("span");
    this.allButton.append(this.allLabel);
    this.selected = el("span", { role: "status" });
    this.selectedButton = busyButton({
      label: "Retry selected",
      className: "primary small",
      run: () => this.#retrySelected(),
    });
    this.selectionBar = el(
      "div",
      { class: "selection changing", hidden: true },
      this.selected,
      this.selectedButton,
    );
    this.show();
  }

  /** Fits the button to what the filters say. */
  show() {
    const kind = this.#kind();
    this.allButton.hidden = !kind;
    this.allLabel.textContent = `Retry all ${(kind ?? KINDS.error).noun}`;
  }

  showSelection(amount) {
    this.selectionBar.hidden = amount === 0;
    this.selected.textContent = amount ? `${formatNumber(amount)} selected` : "";
  }

  async retryOne(id) {
    try {
      this.#tell(await this.#work.client.retrySyncLog(id, { signal: this.#work.signal }));
    } catch (error) {
      this.#work.fail(error, "The call could not be retried");
    }
  }

  async #retrySelected() {
    try {
      this.#tell(
        await this.#work.client.retrySyncLogs(
          { ids: this.#list.selectedIds() },
          { signal: this.#work.signal },
        ),
      );
    } catch (error) {
      this.#work.fail(error, "The calls could not be retried");
    }
  }

  async #retryAll() {
    const kind = this.#kind();
    const { noun } = kind;
    const query = { ...this.#list.filters.query(), status: undefined, ...kind.order };
    try {
      const { total, total_exact: isExact } = await this.#work.client.getHubSpotSyncLogs(
        { ...query, limit: 1 },
        { signal: this.#work.signal },
      );
      if (total === 0) {
        this.#work.notices.show({
          title: `No ${noun} call matches the filters`,
          key: "retry",
          isBrief: true,
        });
        return;
      }
      if (!(await this.#ask(total, isExact, kind))) return;
      this.#tell(await this.#order(query));
    } catch (error) {
      this.#work.fail(error, "The calls could not be retried");
    }
  }

  #ask(total, isExact, { noun, order }) {
    const amount = isExact
      ? count(total, `${noun} call`)
      : `the newest ${formatNumber(total)} ${noun} calls`;
    return askFirst(
      this.#work.root,
      { title: `Retry ${amount}?`, action: isExact ? `Retry ${formatNumber(total)}` : "Retry" },
      el(
        "p",
        {},
        order.update
          ? "What came in later is added to each note. What people have written there stays."
          : "Each is worked on once more, as if it had just come in. A note that exists is never " +
              "written again.",
      ),
      el("p", {}, "Calls whose contents were deleted are left out."),
    );
  }

  /** The API retries by status, reason and time; other filters are first turned into ids. */
  async #order({ phone, call_id, ...order }) {
    const { client, signal } = this.#work;
    if (!phone && !call_id) return client.retrySyncLogs(order, { signal });
    const ids = [];
    let cursor;
    do {
      const query = { ...order, phone, call_id, limit: PAGE_SIZE, cursor };
      const page = await client.getHubSpotSyncLogs(query, { signal });
      ids.push(...page.logs.map((log) => log.id));
      cursor = page.next_cursor;
    } while (cursor && ids.length < MOST_IDS);
    return client.retrySyncLogs({ ids }, { signal });
  }

  #tell({ requeued, ignored }) {
    const left = ignored
      ? `${count(ignored, "call")} left out: synced, waiting already, or without contents.`
      : "";
    this.#work.notices.show(
      requeued
        ? {
            kind: "success",
            key: "retry",
            title: `${count(requeued, "call")} ${requeued === 1 ? "is" : "are"} being tried again`,
            text: left,
            isBrief: true,
          }
        : { kind: "info", key: "retry", title: "Nothing was retried", text: left },
    );
    this.#list.onRetried();
  }

  /** Which calls "all" are: the failed ones unless the filters say others; undefined if none. */
  #kind() {
    const { status, update } = this.#list.filters.query();
    if (update === undefined) return KINDS[status ?? "error"];
    return update === "failed" && (status ?? "success") === "success" ? KINDS.update : undefined;
  }
}
