// The look: the variables a host page may set, and the sheets of all parts.
//
// Constructed style sheets hold under a Content-Security-Policy without 'unsafe-inline'.

import { base } from "./base.js";
import { cards } from "./cards.js";
import { dialogs } from "./dialogs.js";
import { list } from "./list.js";

// Text on its background has a contrast of at least 4.5 to 1, in light and in dark; the colours of
// marks, which hold no text, of about 3 to 1.
const variables = `
  :host {
    --accent: var(--hcs-accent, light-dark(#2f55d4, #9db7ff));
    --on-accent: var(--hcs-on-accent, light-dark(#ffffff, #0d1530));
    --background: var(--hcs-background, transparent);
    --surface: var(--hcs-surface, light-dark(#ffffff, #181c24));
    --raised: var(--hcs-raised, light-dark(#f4f6f9, #212733));
    --text: var(--hcs-text, light-dark(#182230, #e8ecf3));
    --muted: var(--hcs-muted, light-dark(#56637a, #a4afc1));
    --border: var(--hcs-border, light-dark(#dfe4ec, #303847));
    --edge: var(--hcs-edge, light-dark(#8590a5, #6d788c));
    --success: var(--hcs-success, light-dark(#12704a, #62d3a1));
    --skipped: var(--hcs-skipped, light-dark(#8a5a00, #ecb955));
    --error: var(--hcs-error, light-dark(#b3261e, #ff9a8f));
    --pending: var(--hcs-pending, light-dark(#4a5872, #a9b7d1));
    --success-mark: var(--hcs-success, light-dark(#2c9a68, #46bd89));
    --skipped-mark: var(--hcs-skipped, light-dark(#c58312, #e0aa3e));
    --error-mark: var(--hcs-error, light-dark(#d64a3f, #f57c6f));
    --pending-mark: var(--hcs-pending, light-dark(#8593ab, #8f9db6));
    --radius: var(--hcs-radius, 12px);
    --font: var(--hcs-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
    --mono: var(--hcs-font-mono, ui-monospace, SFMono-Regular, Menlo, Consolas, monospace);
    --shadow: 0 1px 2px light-dark(#18223012, #0006);
    --high-shadow: 0 12px 40px light-dark(#18223033, #000a);
  }
  :host([color-scheme="light"]) { color-scheme: light; }
  :host([color-scheme="dark"]) { color-scheme: dark; }
  :host([color-scheme="auto"]) { color-scheme: light dark; }
`;

export const sheets = [variables, base, cards, list, dialogs].map((text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
});
