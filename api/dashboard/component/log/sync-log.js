// The sync log: filters, rows, older and newer calls, and what can be done with them.

import { showDetail } from "./detail.js";
import { el, newId, setText } from "../parts/dom.js";
import { exportLog } from "./exporting.js";
import { describeError } from "../parts/failures.js";
import { Filters } from "./filters.js";
import { count, formatNumber } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { busyButton } from "../parts/inputs.js";
import { Pages } from "./pages.js";
import { Retries } from "./retries.js";
import { idsInView, logTable, Row, skeletonRows } from "./rows.js";
import { Selection } from "./selection.js";

const SKELETON_ROWS = 8;

export class SyncLog {
  #work;
  #rows = new Map();
  #pages = null;
  #loading = new AbortController();
  #found = { logs: [], isMore: false };

  constructor(work) {
    this.#work = work;
    this.filters = new Filters(() => this.#filter());
    this.retries = new Retries(work, {
      filters: this.filters,
      onRetried: () => this.#afterRetry(),
      selectedIds: () => this.selection.ids(),
    });
    this.selection = new Selection(
      () => [...this.#rows.values()],
      (amount) => this.retries.showSelection(amount),
    );
    this.#build();
  }

  /** Shows the first page of what the filters say. */
  async load() {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const signal = AbortSignal.any([loading.signal, this.#work.signal]);
    this.section.setAttribute("aria-busy", "true");
    if (!this.#pages) this.body.replaceChildren(...skeletonRows(SKELETON_ROWS));
    const pages = new Pages(this.#work.client, this.filters.query(), signal);
    try {
      await pages.start();
    } catch (error) {
      if (signal.aborted) return;
      this.#pages = null;
      this.section.removeAttribute("aria-busy");
      this.#showEmpty("The sync log could not be loaded", describeError(error), "Try again");
      throw error;
    }
    this.section.removeAttribute("aria-busy");
    this.#pages = pages;
    this.#rows = new Map();
    this.#offer({ logs: [], isMore: false });
    this.body.replaceChildren(...[...pages.logs.values()].map((log) => this.#makeRow(log).element));
    this.#afterChange();
  }

  /**
   * Refreshes what is on the screen in place and counts what is new, without moving anything; an
   * empty log, or one that could not be loaded, is filled. Raises what the client raises.
   */
  async update() {
    if (this.section.hasAttribute("aria-busy")) return;
    if (!this.#pages) {
      await this.load();
      return;
    }
    const pages = this.#pages;
    const asked = [pages.refresh(idsInView([...this.#rows.values()])), pages.findNew()];
    const answers = await Promise.all(asked).catch((error) => {
      if (!pages.isAbandoned) throw error;
    });
    if (pages.isAbandoned) return;
    const [changed, found] = answers;
    for (const log of [...found.known, ...changed]) this.#rows.get(log.id)?.show(log);
    if (!this.#rows.size && found.logs.length) this.#take(found);
    else this.#offer(found);
    this.#afterChange();
  }

  /** Tells the times anew: what was to come may be now. */
  tick() {
    for (const row of this.#rows.values()) row.show(row.log);
  }

  /** Shows the calls of one status, or all again. */
  filterStatus(status) {
    this.filters.setStatus(status);
    this.#filter();
    this.section.scrollIntoView({ block: "start" });
    this.heading.focus({ preventScroll: true });
  }

  #filter() {
    this.#work.emit("filters", { filters: this.filters.write() });
    this.load().catch((error) => this.#work.fail(error, null));
  }

  #build() {
    const id = newId("sync-log");
    this.heading = el("h2", { id, tabindex: "-1" }, "Sync log");
    this.total = el("p", { class: "total", role: "status" });
    this.body = el("tbody", { role: "rowgroup" });
    this.newer = el("button", {
      type: "button",
      class: "newer",
      hidden: true,
      onclick: () => this.#showNewer(),
    });
    this.older = busyButton({ label: "Load older", run: () => this.#loadOlder() });
    this.empty = el("div", { class: "empty", hidden: true });
    this.section = el(
      "section",
      { class: "card sync-log", "aria-labelledby": id },
      el(
        "header",
        { class: "card-header" },
        this.heading,
        el(
          "div",
          { class: "buttons" },
          this.retries.allButton,
          busyButton(
            {
              label: "Export CSV",
              className: "quiet changing",
              run: () => exportLog(this.#work, this.filters.query()),
            },
            icon("download"),
          ),
        ),
      ),
      this.filters.element,
      el("div", { class: "list-bar" }, this.total, this.filters.clear, this.retries.selectionBar),
      el("div", { class: "newer-place", role: "status" }, this.newer),
      logTable(id, this.selection.all, this.body),
      this.empty,
      el("div", { class: "list-end" }, this.older),
    );
    this.older.hidden = true;
    this.filters.clear.hidden = true;
  }

  #makeRow(log) {
    const row = new Row(log, {
      open: ({ log: { id: logId } }) =>
        showDetail(this.#work, logId, { onChanged: () => this.update() }),
      retry: ({ log: { id: logId } }) => this.retries.retryOne(logId),
      select: (each, isSelected) => {
        each.setSelected(isSelected);
        this.selection.show();
      },
    });
    this.#rows.set(log.id, row);
    return row;
  }

  async #loadOlder() {
    const pages = this.#pages;
    try {
      const logs = await pages.loadOlder();
      if (pages.isAbandoned) return;
      this.body.append(...logs.map((log) => this.#makeRow(log).element));
      this.#afterChange();
    } catch (error) {
      if (!pages.isAbandoned) this.#work.fail(error, "Older calls could not be loaded");
    }
  }

  #offer(found) {
    this.#found = found;
    const amount = found.logs.length;
    this.newer.hidden = !amount;
    const label = found.isMore ? `${amount}+ new calls` : count(amount, "new call");
    if (amount && this.newer.textContent !== label) this.newer.replaceChildren(icon("up"), label);
  }

  async #showNewer() {
    const found = this.#found;
    if (found.isMore) await this.load().catch((error) => this.#work.fail(error, null));
    else this.#take(found);
    this.#rows.values().next().value?.caller.focus({ preventScroll: true });
    this.section.scrollIntoView({ block: "start" });
  }

  #take({ logs }) {
    this.#pages.prepend(logs);
    const older = this.#rows;
    this.#rows = new Map();
    this.body.prepend(...logs.map((log) => this.#makeRow(log).element));
    for (const [id, row] of older) this.#rows.set(id, row);
    this.#offer({ logs: [], isMore: false });
    this.#afterChange();
  }

  #afterRetry() {
    this.selection.clear();
    this.#work.refresh();
  }

  #afterChange() {
    const { total, isTotalExact, hasOlder } = this.#pages;
    const isFiltered = this.filters.write() !== "";
    const amount = isTotalExact ? count(total, "call") : `More than ${formatNumber(total)} calls`;
    setText(this.total, isFiltered ? `${amount} found` : amount);
    this.older.hidden = !hasOlder;
    this.filters.clear.hidden = !isFiltered;
    this.empty.hidden = this.#rows.size > 0;
    if (!this.#rows.size && isFiltered) {
      this.#showEmpty(
        "No call matches these filters",
        "Choose another status or period, or clear the filters.",
        null,
      );
    } else if (!this.#rows.size) {
      this.#showEmpty(
        "No calls yet",
        "Each call appears here seconds after it has ended, with what became of it.",
        null,
      );
    }
    this.retries.show();
    this.selection.show();
  }

  #showEmpty(title, text, action) {
    this.body.replaceChildren();
    this.#rows.clear();
    const again = () => this.load().catch((error) => this.#work.fail(error, null));
    this.empty.replaceChildren(
      el("h3", {}, title),
      el("p", {}, text),
      ...(action ? [el("button", { type: "button", onclick: again }, action)] : []),
    );
    this.empty.hidden = false;
    this.selection.show();
  }
}
