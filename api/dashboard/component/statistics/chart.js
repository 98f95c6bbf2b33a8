// The picture of the statistics: stacked outcomes above, latency below, over one axis of time.

import { totalOf } from "./buckets.js";
import { svg } from "../parts/dom.js";
import { formatClock, formatDay, formatNumber, formatShort } from "../parts/format.js";
import { STATUSES } from "../parts/words.js";

const HEIGHTS = { outcomes: 168, latency: 84, axis: 24 };
const GAP = 34; // holds the latency's title
const MARGIN = { top: 10, left: 46, right: 4 };
const LABEL_WIDTH = 64;
// Units of the latency's axis, in milliseconds.
const UNITS = [
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];
const LATENCIES = ["latency_p95_ms", "latency_p50_ms"];

export const CHART_HEIGHT = MARGIN.top + HEIGHTS.outcomes + GAP + HEIGHTS.latency + HEIGHTS.axis;

/**
 * Draws points `{at, pending, success, error, skipped, latency_p50_ms, latency_p95_ms}` of equal
 * buckets, `width` pixels wide. `title` and `description` are what a screen reader is told.
 *
 * Returns `{picture, indexAt}`: the SVG, and the index of the bucket at an x, null beside them.
 */
export function drawChart({ points, bucket, width, title, description }) {
  const right = width - MARGIN.right;
  const step = (right - MARGIN.left) / points.length;
  const slots = points.map((point, index) => ({ point, x: MARGIN.left + index * step }));
  const latencyTop = MARGIN.top + HEIGHTS.outcomes + GAP;
  const picture = svg(
    "svg",
    {
      class: "chart",
      width,
      height: CHART_HEIGHT,
      role: "img",
      "aria-label": `${title}. ${description}`,
    },
    drawOutcomes(slots, step, right),
    svg("text", { class: "axis-title", x: MARGIN.left, y: latencyTop - 12 }, "From call to note"),
    drawLatency(slots, step, latencyTop, right),
    drawTimes(slots, step, bucket, latencyTop + HEIGHTS.latency + 17, right),
  );
  const indexAt = (x) => {
    const index = Math.floor((x - MARGIN.left) / step);
    return index >= 0 && index < points.length ? index : null;
  };
  return { picture, indexAt };
}

function drawOutcomes(slots, step, right) {
  const tops = slots.map(({ point }) => totalOf(point));
  const ticks = niceTicks(Math.max(4, ...tops), 4, true);
  const scale = HEIGHTS.outcomes / ticks.at(-1);
  const bottom = MARGIN.top + HEIGHTS.outcomes;
  const barWidth = Math.max(1, Math.min(step * 0.72, 34));
  const bars = slots.flatMap(({ point, x }) => {
    let y = bottom;
    return Object.keys(STATUSES).map((status) => {
      const height = point[status] * scale;
      if (!height) return null;
      y -= height;
      // A line of background between two colours tells them apart without relying on hue.
      const seen = Math.max(0.75, height - 1);
      return svg("rect", {
        class: `bar ${status}`,
        x: round(x + (step - barWidth) / 2),
        y: round(y),
        width: round(barWidth),
        height: round(seen),
        rx: Math.min(2, barWidth / 4),
      });
    });
  });
  return [drawGrid(ticks, bottom, scale, right, formatShort), bars.filter(Boolean)];
}

function drawLatency(slots, step, top, right) {
  const values = slots.flatMap(({ point }) => LATENCIES.map((name) => point[name] ?? 0));
  const highest = Math.max(1000, ...values);
  const [unit, name] = UNITS.find(([size]) => highest >= 1.5 * size) ?? UNITS.at(-1);
  const ticks = niceTicks(highest / unit, 2, unit > 1000).map((tick) => tick * unit);
  const scale = HEIGHTS.latency / ticks.at(-1);
  const bottom = top + HEIGHTS.latency;
  const lines = LATENCIES.map((latency) => {
    const runs = [[]];
    for (const { point, x } of slots) {
      if (point[latency] === null) runs.push([]);
      else runs.at(-1).push([round(x + step / 2), round(bottom - point[latency] * scale)]);
    }
    return runs.filter((run) => run.length).map((run) => drawRun(run, latency));
  });
  return [
    drawGrid(ticks, bottom, scale, right, (ms) => `${formatNumber(ms / unit)} ${name}`),
    lines,
  ];
}

/** A line through neighbouring buckets; one alone is a dot. */
function drawRun(run, latency) {
  const kind = latency === "latency_p50_ms" ? "median" : "slowest";
  if (run.length === 1)
    return svg("circle", { class: `dot ${kind}`, cx: run[0][0], cy: run[0][1], r: 2.5 });
  return svg("path", { class: `line ${kind}`, d: `M${run.map((at) => at.join(" ")).join("L")}` });
}

function drawGrid(ticks, bottom, scale, right, format) {
  return ticks.map((tick) => {
    const y = round(bottom - tick * scale) + 0.5;
    return [
      svg("line", { class: tick ? "grid" : "base", x1: MARGIN.left, x2: right, y1: y, y2: y }),
      svg(
        "text",
        { class: "tick", x: MARGIN.left - 8, y: y + 3.5, "text-anchor": "end" },
        format(tick),
      ),
    ];
  });
}

function drawTimes(slots, step, bucket, y, right) {
  const every = Math.max(1, Math.ceil(LABEL_WIDTH / step));
  const isShown = (_, index) => (slots.length - 1 - index) % every === 0;
  return slots.filter(isShown).map(({ point, x }) => {
    const middle = x + step / 2;
    const isLast = middle + LABEL_WIDTH / 2 > right;
    return svg(
      "text",
      {
        class: "tick",
        x: round(isLast ? right : middle),
        y,
        "text-anchor": isLast ? "end" : "middle",
      },
      bucket === "hour" ? formatClock(point.at) : formatDay(point.at),
    );
  });
}

/** Round numbers from 0 to at least `highest`, about `amount` steps. */
function niceTicks(highest, amount, isWhole) {
  const rough = highest / amount;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find(
    (each) => each * power >= rough && !(isWhole && (each * power) % 1),
  );
  const size = (factor ?? 10) * power;
  return Array.from({ length: Math.ceil(highest / size) + 1 }, (_, index) => index * size);
}

const round = (value) => Math.round(value * 10) / 10;
