// The card with the picture: outcomes and latency over a period, and the same as a table.

import { describeBucket, formatCalls, statisticsTable, totalOf } from "./buckets.js";
import { CHART_HEIGHT, drawChart } from "./chart.js";
import { el, newId, setText } from "../parts/dom.js";
import { describeError } from "../parts/failures.js";
import { formatPercent, TIME_ZONE } from "../parts/format.js";
import { radios } from "../parts/inputs.js";
import { STATUSES } from "../parts/words.js";

const PERIODS = {
  day: { label: "24 hours", bucket: "hour" },
  week: { label: "7 days", bucket: "day", days: 7 },
  month: { label: "30 days", bucket: "day", days: 30 },
};
// What is drawn changes with every call; a picture may lag a little.
const REST_MS = 10_000;

export class Statistics {
  #work;
  #period = "day";
  #answer = null;
  #askedAt = 0;
  #later = 0;
  #indexAt = () => null;

  constructor(work) {
    this.#work = work;
    const id = newId("statistics");
    this.picture = el("div", { class: "picture skeleton" });
    this.tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
    this.frame = el(
      "div",
      { class: "frame", onpointermove: (event) => this.#point(event) },
      this.picture,
      this.tip,
    );
    this.frame.addEventListener("pointerleave", () => this.#hideTip());
    this.table = el("div", {
      class: "table-scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "Outcomes as a table",
      hidden: true,
    });
    this.toggle = el(
      "button",
      {
        type: "button",
        class: "small quiet",
        "aria-pressed": "false",
        onclick: () => this.#toggleTable(),
      },
      "Show as table",
    );
    this.legend = el("ul", { class: "legend", "aria-label": "Legend" });
    this.element = el(
      "section",
      { class: "card statistics", "aria-labelledby": id },
      el(
        "header",
        { class: "card-header" },
        el("h2", { id }, "Outcomes over time"),
        this.toggle,
        radios({
          label: "Period of the picture",
          options: Object.entries(PERIODS).map(([value, { label }]) => ({ value, label })),
          value: this.#period,
          onChange: (value) => this.#choose(value),
        }).element,
      ),
      this.frame,
      this.table,
      this.legend,
    );
    const watcher = new ResizeObserver(() => this.#draw());
    watcher.observe(this.frame);
    work.signal.addEventListener("abort", () => {
      watcher.disconnect();
      clearTimeout(this.#later);
    });
    // The picture's height is known before its contents, so that nothing moves.
    this.picture.style.height = `${CHART_HEIGHT}px`;
  }

  /**
   * Asks anew, a little later if it has just been asked; what goes wrong is said in the picture's
   * place.
   */
  async load({ isUrgent = false } = {}) {
    clearTimeout(this.#later);
    const rest = this.#askedAt + REST_MS - Date.now();
    if (!isUrgent && rest > 0) {
      this.#later = setTimeout(() => this.load(), rest);
      return;
    }
    this.#askedAt = Date.now();
    const period = this.#period;
    const { bucket, days } = PERIODS[period];
    const query = { bucket, time_zone: TIME_ZONE, from: days ? startOfDay(days - 1) : undefined };
    try {
      const answer = await this.#work.client.getStatistics(query, { signal: this.#work.signal });
      if (period !== this.#period) return;
      this.#answer = answer;
      this.picture.classList.remove("skeleton");
      this.#draw();
      this.table.replaceChildren(statisticsTable(answer));
    } catch (error) {
      this.#work.fail(error, null);
      if (!this.#answer) this.#showProblem(describeError(error));
    }
  }

  #choose(period) {
    this.#period = period;
    this.#answer = null;
    this.load({ isUrgent: true });
  }

  #showProblem(text) {
    this.picture.classList.remove("skeleton");
    this.picture.replaceChildren(
      el("p", { class: "picture-empty" }, `The picture could not be loaded. ${text}`),
    );
  }

  #draw() {
    const width = this.frame.clientWidth;
    if (!this.#answer || width < 100) return;
    const { points, bucket } = this.#answer;
    const { picture, indexAt } = drawChart({
      points,
      bucket,
      width,
      title: `Outcomes of ${PERIODS[this.#period].label}, by ${bucket}`,
      description: Object.entries(STATUSES)
        .map(([status, label]) => `${label}: ${formatCalls(status, points)}`)
        .join(", "),
    });
    this.#indexAt = indexAt;
    this.#hideTip();
    const isEmpty = points.every((point) => totalOf(point) === 0);
    this.picture.replaceChildren(
      picture,
      ...(isEmpty ? [el("p", { class: "picture-empty" }, "No calls in this period.")] : []),
    );
    this.legend.replaceChildren(
      ...Object.entries(STATUSES).map(([status, label]) =>
        el(
          "li",
          {},
          el("span", { class: `swatch ${status}` }),
          `${label} `,
          el("b", {}, formatCalls(status, points)),
        ),
      ),
      el(
        "li",
        { class: "legend-latency" },
        el("span", { class: "swatch median" }),
        "Median time to the note",
      ),
      el("li", {}, el("span", { class: "swatch slowest" }), `${formatPercent(0.95)} are faster`),
    );
  }

  #point(event) {
    const x = event.clientX - this.frame.getBoundingClientRect().left;
    const index = this.#answer ? this.#indexAt(x) : null;
    if (index === null) {
      this.#hideTip();
      return;
    }
    this.tip.replaceChildren(...describeBucket(this.#answer.points[index], this.#answer.bucket));
    this.tip.hidden = false;
    const room = this.frame.clientWidth - this.tip.offsetWidth;
    const left = Math.max(0, Math.min(x - this.tip.offsetWidth / 2, room));
    this.tip.style.translate = `${left}px 0`;
  }

  #hideTip() {
    this.tip.hidden = true;
  }

  #toggleTable() {
    const isTable = this.table.hidden;
    this.table.hidden = !isTable;
    this.frame.hidden = isTable;
    this.toggle.setAttribute("aria-pressed", String(isTable));
    setText(this.toggle, isTable ? "Show as picture" : "Show as table");
  }
}

/** Midnight of the reader's day so many days ago, in epoch milliseconds. */
function startOfDay(daysAgo) {
  const start = new Date();
  start.setHours(0, 0, 0, 0);
  start.setDate(start.getDate() - daysAgo);
  return start.getTime();
}
