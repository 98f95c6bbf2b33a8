// Icons, drawn with strokes on a grid of 16 by 16. They only ever stand beside words.

import { svg } from "./dom.js";

const PATHS = {
  success: "M3.5 8.5l3 3 6-7",
  pending: "M8 4.5V8l2.5 1.5M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
  skipped: "M4 8h8",
  error: "M8 4.5v4M8 11.4v.1",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3",
  external: "M9 3h4v4M13 3L7.5 8.5M6.5 4H3v9h9V9.5",
  retry: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5V5h-2.5",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.2h10",
  settings: "M2.5 5H9M12 5h1.5M2.5 11H4M7 11h6.5M10.5 3.5v3M5.5 9.5v3",
  search: "M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM10 10l3.5 3.5",
  list: "M2.5 4.5h11M2.5 8h11M2.5 11.5h7",
  up: "M8 13V3.5M4.2 7.2L8 3.4l3.8 3.8",
};

/** An icon; it is hidden from screen readers. */
export function icon(name) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    svg("path", { d: PATHS[name] }),
  );
}
