// Styles of dialogs: questions and forms in the middle, details in a drawer.

export const dialogs = `
  dialog {
    width: min(520px, calc(100vw - 24px)); max-height: min(86dvh, 800px); padding: 0;
    border: 1px solid var(--border);
    border-radius: 14px; background: var(--surface); color: var(--text);
    box-shadow: var(--high-shadow);
    overflow: hidden;
  }
  dialog[open] { display: grid; animation: arrive 0.16s ease-out; }
  dialog::backdrop { background: light-dark(#1822305c, #000000a3); }
  .dialog-box {
    display: grid; grid-template-rows: auto minmax(0, 1fr) auto auto; min-height: 0;
    max-height: inherit;
  }
  .dialog-header {
    display: flex; align-items: center; justify-content: space-between; gap: 12px;
    padding: 16px 16px 12px 20px; border-bottom: 1px solid var(--border);
  }
  .dialog-header h2 { font-size: 17px; overflow-wrap: anywhere; }
  .dialog-body {
    display: grid; align-content: start; gap: 14px; padding: 16px 20px 20px; overflow: auto;
    overscroll-behavior: contain;
  }
  .question .dialog-body ul {
    display: grid; gap: 8px; list-style: disc; padding-inline-start: 18px;
  }
  .dialog-footer {
    display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 8px; padding: 12px 20px 16px;
  }
  .dialog-body .dialog-footer { padding: 4px 0 0; }
  .dialog-body .dialog-footer > .quiet:first-child {
    margin-inline-end: auto; margin-inline-start: -14px;
  }

  .drawer {
    width: min(560px, 100vw); height: 100dvh; max-height: none; margin: 0 0 0 auto;
    border-width: 0 0 0 1px; border-radius: 0;
  }
  .drawer[open] { animation: slide 0.2s ease-out; }
  .drawer .dialog-box { height: 100%; }
  @keyframes slide { from { translate: 32px 0; opacity: 0; } }
  .detail-outcome { display: grid; gap: 10px; justify-items: start; }
  .detail-outcome p { font-size: 15px; text-wrap: pretty; overflow-wrap: anywhere; }
  .drawer h3 { margin-top: 10px; }
  .facts { display: grid; gap: 6px; }
  .facts > div {
    display: grid; grid-template-columns: 116px minmax(0, 1fr); gap: 12px; align-items: center;
    min-height: 28px;
  }
  .facts dt { color: var(--muted); }
  .copyable { display: inline-flex; align-items: center; gap: 4px; max-width: 100%; }
  .note {
    padding: 14px 16px; border: 1px solid var(--border); border-radius: 10px;
    background: var(--raised);
    overflow-wrap: anywhere;
  }
  .note p + p, .note ul + p, .note p + ul { margin-top: 10px; }
  .note ul { list-style: disc; padding-inline-start: 20px; }
  .note strong { font-weight: 650; }
  .warnings { list-style: disc; padding-inline-start: 20px; overflow-wrap: anywhere; }
  .attempts { display: grid; gap: 0; }
  .attempts li {
    --tone: var(--pending-mark); position: relative; padding: 0 0 18px 22px;
    overflow-wrap: anywhere;
  }
  .attempts li[data-kind="success"] { --tone: var(--success-mark); }
  .attempts li[data-kind="skipped"] { --tone: var(--skipped-mark); }
  .attempts li[data-kind="error"] { --tone: var(--error-mark); }
  .attempts li::before {
    content: ""; position: absolute; left: 0; top: 6px; width: 10px; height: 10px;
    border-radius: 50%;
    background: var(--tone);
  }
  .attempts li:not(:last-child)::after {
    content: ""; position: absolute; left: 4px; top: 20px; bottom: -2px; width: 2px;
    background: var(--border);
  }
  .attempt-head { display: flex; justify-content: space-between; gap: 12px; }
  .attempt-head time {
    color: var(--muted); font-variant-numeric: tabular-nums; white-space: nowrap;
  }
  .correlation { display: flex; flex-wrap: wrap; align-items: center; gap: 0 6px; }

  .choices { display: grid; gap: 4px; }
  .choices legend { padding-bottom: 6px; }
  .choice {
    display: flex; gap: 10px; padding: 10px 12px; border: 1px solid var(--border);
    border-radius: 10px; cursor: pointer;
  }
  .choice:has(:checked) {
    border-color: var(--accent); background: color-mix(in oklab, var(--accent) 6%, transparent);
  }
  .choice input { flex: none; margin-top: 3px; }
  .rules { gap: 12px; }
  .field textarea { height: auto; min-height: 60px; padding: 8px 10px; resize: vertical; }
  .choice-label { display: block; font-weight: 600; }
  .trial, .trial-result, .trial-outcome { display: grid; gap: 12px; justify-items: start; }
  .trial > .field, .trial-result, .trial-result > .note, .contacts { width: 100%; }
  .trial-result:empty { display: none; }
  .trial-outcome { gap: 6px; }
  .contacts {
    display: grid; gap: 1px; border: 1px solid var(--border); border-radius: 10px; overflow: hidden;
    background: var(--border);
  }
  .contacts li {
    display: flex; flex-wrap: wrap; align-items: center; gap: 2px 10px; padding: 10px 14px;
    background: var(--surface);
  }
  .contacts a { display: inline-flex; align-items: center; gap: 4px; font-weight: 600; }
  .contacts .hint { flex: 1 0 100%; font-size: 13px; }

  .vendors { display: grid; gap: 8px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .vendors button { width: 100%; min-height: 44px; white-space: normal; }
  .check { display: flex; gap: 10px; align-items: start; cursor: pointer; }
  .check input { flex: none; margin-top: 3px; }
  .check .hint { display: block; font-size: 13px; }
  .drawer .part > h3 { margin: 0; }
  .address {
    display: grid; gap: 2px; padding: 8px 12px; border-radius: 10px; background: var(--raised);
  }
  .part { display: grid; gap: 10px; grid-template-columns: minmax(0, 1fr); }
  .check-this {
    padding: 10px 14px; border-radius: 10px;
    background: color-mix(in oklab, var(--error) 8%, var(--surface));
  }
  .fold { border: 1px solid var(--border); border-radius: 10px; }
  .fold > summary { padding: 10px 14px; font-weight: 600; cursor: pointer; }
  .fold > :not(summary) { margin: 0 14px 14px; }
  .how-to { display: grid; gap: 10px; list-style: decimal; padding-inline-start: 20px; }
  .how-to li, .warnings li { overflow-wrap: anywhere; text-wrap: pretty; }
  .how-to .copyable { display: inline; }
  .how-to .copyable button { vertical-align: middle; min-height: 24px; }
  .secrets { display: grid; gap: 8px; }
  .secrets > li { display: flex; gap: 12px; align-items: center; justify-content: space-between; }
  .secret-form, .options, .option-group, .map { display: grid; gap: 12px; min-width: 0; }
  .secret-form input.secret { font-family: var(--mono); -webkit-text-security: disc; }
  .map { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .option-group { padding: 12px 14px; border: 1px solid var(--border); border-radius: 10px; }
  .option-group legend { padding-inline: 4px; margin-inline-start: -4px; }

  @media (width < 480px) {
    .map { grid-template-columns: minmax(0, 1fr); }
    .facts > div { grid-template-columns: minmax(0, 1fr); gap: 0; }
  }
`;
