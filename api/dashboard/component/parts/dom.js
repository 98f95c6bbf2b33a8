// Making elements. Whatever is shown goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. `on…` attributes are listeners, false and null are left
 * out, true is an empty attribute; children are nodes, texts, or lists of them.
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Sets text only where it differs, so that screen readers are not told twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replaces children only when `key` differs from the last time. */
export function setChildren(node, key, makeChildren) {
  if (node.shownKey === key) return;
  node.shownKey = key;
  node.replaceChildren(...[makeChildren()].flat(Infinity).filter((child) => child !== null));
}

let lastId = 0;

/** An id for `aria-labelledby` and `for`, unique on the page. */
export const newId = (name) => `hcs-${name}-${++lastId}`;

/** Waits, or rejects when the signal aborts. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
