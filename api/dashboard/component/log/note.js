// A note as HubSpot shows it. Its HTML comes from our renderer, but its words are foreign: it is
// parsed in a document of its own and only known elements are built anew, with text as text.

import { el } from "../parts/dom.js";

const KNOWN = new Set(["P", "BR", "STRONG", "UL", "LI"]);

/** The note's HTML as elements. */
export function noteElement(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return el("div", { class: "note" }, rebuild(parsed.body));
}

function rebuild(parent) {
  return [...parent.childNodes].flatMap((node) => {
    if (node.nodeType === Node.TEXT_NODE) return [node.data];
    if (node.nodeType !== Node.ELEMENT_NODE) return [];
    if (KNOWN.has(node.tagName)) return [el(node.tagName, {}, rebuild(node))];
    const link = node.tagName === "A" ? node.getAttribute("href") : null;
    if (link?.startsWith("https://")) {
      return [el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, rebuild(node))];
    }
    return rebuild(node);
  });
}
