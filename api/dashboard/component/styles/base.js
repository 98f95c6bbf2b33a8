// Styles of what occurs everywhere: text, buttons, fields, pills, notices.

export const base = `
  :host {
    display: block;
    container: hcs / inline-size;
    background: var(--background);
    color: var(--text);
    font: 400 14px/1.5 var(--font);
    text-align: start;
    -webkit-text-size-adjust: 100%;
  }
  :host([hidden]), [hidden] { display: none !important; }
  /* What a token for looking may not do; the API refuses it anyway. */
  [data-read-only] :is(.changing, .log .select, .log .do) { display: none !important; }
  *, *::before, *::after { box-sizing: border-box; }
  h2, h3, p, ul, ol, dl, dd, fieldset, legend { margin: 0; padding: 0; border: 0; }
  ul, ol { list-style: none; }
  h2 {
    font-size: 16px; line-height: 24px; font-weight: 650; letter-spacing: -0.006em;
    text-wrap: balance;
  }
  h3 { font-size: 14px; line-height: 20px; font-weight: 650; }
  a { color: var(--accent); text-underline-offset: 2px; }
  code, .mono { font-family: var(--mono); font-size: 12.5px; overflow-wrap: anywhere; }
  .hint { color: var(--muted); }
  .hidden {
    position: absolute; width: 1px; height: 1px; margin: -1px;
    overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
  .icon {
    flex: none; width: 16px; height: 16px; fill: none; stroke: currentColor;
    stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round;
  }
  :focus { outline: none; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 8px; }
  h2:focus-visible { outline-offset: 4px; border-radius: 4px; }

  button, .button {
    display: inline-flex; align-items: center; justify-content: center; gap: 6px;
    min-height: 36px; padding: 0 14px; border: 1px solid var(--edge); border-radius: 8px;
    background: var(--surface); color: var(--text); font: inherit; font-weight: 550;
    text-decoration: none; white-space: nowrap; cursor: pointer;
    transition: background-color 0.12s, border-color 0.12s, opacity 0.12s;
  }
  button:hover, .button:hover { background: var(--raised); }
  button:active { translate: 0 0.5px; }
  button[aria-disabled="true"] { opacity: 0.6; cursor: progress; }
  button.primary {
    background: var(--accent); border-color: var(--accent); color: var(--on-accent);
  }
  button.primary:hover { background: color-mix(in oklab, var(--accent) 88%, var(--text)); }
  button.danger {
    background: var(--error); border-color: var(--error); color: light-dark(#fff, #2b0805);
  }
  button.quiet { border-color: transparent; background: transparent; color: var(--muted); }
  button.quiet:hover { background: var(--raised); color: var(--text); }
  button.small, .button.small {
    min-height: 28px; padding: 0 10px; font-size: 13px; border-radius: 7px;
  }
  button.plain {
    min-height: 28px; width: 28px; padding: 0; border: 0; background: transparent;
    color: var(--muted);
  }
  button.plain:hover { background: var(--raised); color: var(--text); }
  button.link {
    min-height: 0; padding: 0; border: 0; background: none; color: inherit; font-weight: 600;
    text-align: start; white-space: normal;
  }
  button.link:hover { text-decoration: underline; text-underline-offset: 3px; }
  .buttons { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }

  input:not([type="radio"], [type="checkbox"]), select, textarea {
    width: 100%; min-width: 0; height: 36px; padding: 0 10px; border: 1px solid var(--edge);
    border-radius: 8px; background: var(--surface); color: var(--text); font: inherit;
  }
  input::placeholder { color: var(--muted); opacity: 1; }
  input[aria-invalid="true"], textarea[aria-invalid="true"] { border-color: var(--error); }
  input[type="checkbox"], input[type="radio"] {
    width: 16px; height: 16px; margin: 0; accent-color: var(--accent);
  }
  .field { display: grid; gap: 4px; align-content: start; min-width: 0; }
  .field label, legend { font-size: 13px; font-weight: 550; color: var(--muted); }
  .field .hint { font-size: 13px; }
  .problem { color: var(--error); font-size: 13px; }
  .problem:empty { display: none; }

  .segments {
    display: inline-flex; min-width: 0; max-width: 100%; padding: 3px; border-radius: 10px;
    background: var(--raised);
  }
  .segment { position: relative; cursor: pointer; }
  .segment input {
    position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0; cursor: pointer;
  }
  .segment span {
    display: block; padding: 3px 12px; border-radius: 7px; color: var(--muted);
    font-weight: 550; white-space: nowrap; transition: background-color 0.12s;
  }
  .segment:hover span { color: var(--text); }
  .segment input:checked + span {
    background: var(--surface); color: var(--text);
    box-shadow: 0 0 0 1px var(--border), var(--shadow);
  }
  .segment input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 1px; }

  .pill {
    --tone: var(--pending);
    display: inline-flex; align-items: center; gap: 4px; padding: 1px 9px 1px 5px;
    border-radius: 99px;
    background: color-mix(in oklab, var(--tone) 13%, var(--surface)); color: var(--tone);
    font-size: 12.5px; line-height: 20px; font-weight: 600; white-space: nowrap;
  }
  .pill-place { display: flex; flex-wrap: wrap; gap: 4px; align-content: start; }
  .pill .icon { width: 14px; height: 14px; stroke-width: 2; }
  .pill:not(:has(.icon)) { padding-inline: 9px; }
  [data-kind="success"] { --tone: var(--success); }
  [data-kind="skipped"] { --tone: var(--skipped); }
  [data-kind="error"] { --tone: var(--error); }
  .swatch {
    display: inline-block; flex: none; width: 9px; height: 9px; border-radius: 3px;
    background: var(--pending-mark);
  }
  .swatch.success { background: var(--success-mark); }
  .swatch.skipped { background: var(--skipped-mark); }
  .swatch.error { background: var(--error-mark); }
  .swatch.median, .swatch.slowest {
    height: 3px; width: 14px; background: var(--accent); vertical-align: middle;
  }
  .swatch.slowest {
    background: repeating-linear-gradient(90deg, var(--muted) 0 4px, transparent 4px 6px);
  }

  .notices {
    position: sticky; bottom: 16px; z-index: 3; height: 0; padding: 0 12px; pointer-events: none;
    display: flex; flex-direction: column-reverse; align-items: center; gap: 8px;
  }
  .notice button { pointer-events: auto; }
  .notice {
    --tone: var(--accent);
    flex: none; display: flex; gap: 12px; align-items: flex-start;
    width: min(100%, 480px); padding: 12px 12px 12px 14px;
    border: 1px solid var(--border); border-inline-start: 4px solid var(--tone);
    border-radius: 10px;
    background: color-mix(in oklab, var(--tone) 5%, var(--surface));
    box-shadow: var(--high-shadow); animation: arrive 0.18s ease-out;
  }
  .notice[data-kind="success"] { --tone: var(--success); }
  .notice[data-kind="error"] { --tone: var(--error); }
  .notice-icon { color: var(--tone); line-height: 0; padding-top: 3px; }
  .notice-words { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  .notice-words p { color: var(--muted); max-width: 80ch; }
  .notice-words .buttons { padding-top: 8px; }

  .skeleton {
    position: relative; overflow: hidden; color: transparent; border-radius: 6px;
    background: var(--raised);
  }
  .skeleton > * { visibility: hidden; }
  .skeleton::after {
    content: ""; position: absolute; inset: 0; translate: -100% 0; animation: shimmer 1.4s infinite;
    background: linear-gradient(
      90deg, transparent, color-mix(in oklab, var(--surface) 60%, transparent), transparent
    );
  }
  .skeleton.line { display: block; height: 16px; margin: 10px 0; }
  .skeleton.line:nth-child(3n) { width: 60%; }
  .skeleton.block { display: block; height: 240px; }
  @keyframes shimmer { to { translate: 100% 0; } }
  @keyframes arrive { from { opacity: 0; translate: 0 8px; } }
  @media (prefers-reduced-motion: reduce) {
    *, *::before, *::after {
      animation: none !important; transition: none !important; scroll-behavior: auto !important;
    }
  }
  @media (forced-colors: active) {
    .pill, .segment input:checked + span, button { border: 1px solid; }
    .swatch, .bar { forced-color-adjust: none; }
  }
`;
