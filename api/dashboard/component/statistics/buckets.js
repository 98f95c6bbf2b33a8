// Counted calls in words; of the statistics one bucket for the tip, all of them as a table.

import { el } from "../parts/dom.js";
import {
  count,
  formatDay,
  formatDuration,
  formatNumber,
  formatPercent,
  formatTime,
} from "../parts/format.js";
import { STATUSES } from "../parts/words.js";

// The API counts waiting calls so far and no further, in all and in each bucket.
const MOST_PENDING = 10_000;

const isCut = ({ pending }) => pending >= MOST_PENDING;

/** "10,000+": the calls of one status in one or more counts, with a plus if there may be more. */
export function formatCalls(status, counts) {
  const total = counts.reduce((sum, each) => sum + each[status], 0);
  return formatNumber(total) + (status === "pending" && counts.some(isCut) ? "+" : "");
}

/** All calls of a bucket. */
export function totalOf(point) {
  return Object.keys(STATUSES).reduce((total, status) => total + point[status], 0);
}

/** What happened in a bucket, as elements in the order of the bars from the top. */
export function describeBucket(point, bucket) {
  const outcomes = Object.entries(STATUSES)
    .reverse()
    .filter(([status]) => point[status])
    .map(([status, label]) =>
      el(
        "p",
        {},
        el("span", { class: `swatch ${status}` }),
        `${label} ${formatCalls(status, [point])}`,
      ),
    );
  const total = totalOf(point);
  const amount = isCut(point) ? `More than ${formatNumber(total)} calls` : count(total, "call");
  return [
    el("strong", {}, `${nameBucket(point.at, bucket)}: ${amount}`),
    ...outcomes,
    ...(point.latency_p50_ms === null ? [] : [el("p", {}, describeLatency(point))]),
  ];
}

/** An answer of the statistics as a table, newest first. */
export function statisticsTable({ points, bucket }) {
  const first = bucket === "hour" ? "Hour" : "Day";
  const heads = [first, ...Object.values(STATUSES), "Median", "95th percentile"];
  const rows = points.toReversed().map((point) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, nameBucket(point.at, bucket)),
      Object.keys(STATUSES).map((status) => el("td", {}, formatCalls(status, [point]))),
      [point.latency_p50_ms, point.latency_p95_ms].map((ms) => el("td", {}, tellLatency(ms))),
    ),
  );
  return el(
    "table",
    { class: "numbers" },
    el("caption", { class: "hidden" }, `Outcomes by ${bucket}`),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        heads.map((head) => el("th", { scope: "col" }, head)),
      ),
    ),
    el("tbody", {}, rows),
  );
}

function describeLatency({ latency_p50_ms: median, latency_p95_ms: slowest }) {
  const share = formatPercent(0.95);
  return `Median ${formatDuration(median)}, ${share} within ${formatDuration(slowest)}`;
}

const tellLatency = (ms) => (ms === null ? "–" : formatDuration(ms));

const nameBucket = (at, bucket) => (bucket === "hour" ? formatTime(at) : formatDay(at));
