// What to click at the vendor's, with the source's address filled in.

import { copyable } from "../parts/copying.js";
import { el } from "../parts/dom.js";

const PLACE = "{url}";

/** The address, the steps, and what is good to know. */
export function describeSteps(work, source, vendor) {
  const address = () => copyable(work, source.url, "address");
  const fill = (step) =>
    step.split(PLACE).flatMap((text, index) => (index ? [address(), text] : [text]));
  return [
    el("div", { class: "address" }, el("span", { class: "hint" }, "Its address"), address()),
    el(
      "ol",
      { class: "how-to" },
      vendor.steps.map((step) => el("li", {}, fill(step))),
    ),
    vendor.caveats.length
      ? [
          el("h3", {}, "Good to know"),
          el(
            "ul",
            { class: "warnings" },
            vendor.caveats.map((caveat) => el("li", {}, fill(caveat))),
          ),
        ]
      : null,
  ];
}
