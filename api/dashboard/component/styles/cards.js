// Styles of the cards: the connection, the picture, the checklist, the states without data.

export const cards = `
  .dashboard { position: relative; }
  .main { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
  .freshness {
    min-height: 20px; margin-bottom: -8px; color: var(--muted); font-size: 13px; line-height: 20px;
    text-align: end;
  }
  .freshness[data-kind="error"] { color: var(--error); font-weight: 550; }
  .card {
    padding: 20px; border: 1px solid var(--border); border-radius: var(--radius);
    background: var(--surface); box-shadow: var(--shadow); scroll-margin-top: 12px;
  }
  .card-header {
    display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; min-height: 36px;
  }
  .card-header > h2 { margin-inline-end: auto; }

  .state {
    display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; margin-inline-end: auto;
    min-height: 36px;
  }
  .action { min-width: 152px; justify-content: flex-end; }
  .state-words { min-height: 21px; color: var(--muted); text-wrap: pretty; }
  .read-only { color: var(--muted); text-wrap: pretty; }
  .tiles {
    display: grid; gap: 12px; grid-template-columns: repeat(5, minmax(0, 1fr)); margin-top: 16px;
  }
  .tiles > li { display: grid; }
  .tile {
    display: grid; gap: 0; align-content: start; justify-items: start; justify-content: start;
    width: 100%; min-height: 88px;
    padding: 10px 14px; border: 1px solid var(--border); border-radius: 10px;
    background: var(--surface);
    text-align: start; font-weight: 400; white-space: normal;
  }
  button.tile:hover { border-color: var(--edge); background: var(--raised); }
  .tile-label {
    display: flex; align-items: center; gap: 7px; color: var(--muted); font-size: 13px;
    font-weight: 550;
  }
  .tile-value {
    font-size: 24px; line-height: 32px; font-weight: 650; letter-spacing: -0.02em;
    font-variant-numeric: tabular-nums; min-width: 2ch;
  }
  .tile-note { color: var(--muted); font-size: 12.5px; line-height: 18px; }

  .stage { display: grid; grid-template-columns: minmax(0, 1fr); min-height: 444px; }
  .statistics {
    display: grid; grid-template-columns: minmax(0, 1fr); align-content: start; gap: 12px;
  }
  .frame { position: relative; }
  .picture { position: relative; overflow: hidden; }
  .picture-empty {
    position: absolute; inset: 60px 0 auto 46px; text-align: center; color: var(--muted);
  }
  .chart { display: block; }
  .chart .grid { stroke: var(--border); }
  .chart .base { stroke: var(--edge); }
  .chart .tick { fill: var(--muted); font: 11.5px var(--font); font-variant-numeric: tabular-nums; }
  .chart .axis-title { fill: var(--muted); font: 550 12.5px var(--font); }
  .bar { fill: var(--pending-mark); }
  .bar.success { fill: var(--success-mark); }
  .bar.skipped { fill: var(--skipped-mark); }
  .bar.error { fill: var(--error-mark); }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
  .line.median { stroke: var(--accent); }
  .line.slowest { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 4 3; }
  .dot.median { fill: var(--accent); }
  .dot.slowest { fill: var(--muted); }
  .tip {
    position: absolute; top: 0; left: 0; z-index: 1; max-width: 100%; padding: 8px 12px;
    pointer-events: none;
    border: 1px solid var(--border); border-radius: 8px; background: var(--surface);
    box-shadow: var(--high-shadow); font-size: 13px; font-variant-numeric: tabular-nums;
  }
  .tip p { display: flex; align-items: center; gap: 7px; color: var(--muted); }
  .legend {
    display: flex; flex-wrap: wrap; gap: 4px 18px; min-height: 21px; color: var(--muted);
    font-size: 13px;
  }
  .legend li { display: flex; align-items: center; gap: 6px; }
  .legend b { color: var(--text); font-weight: 600; font-variant-numeric: tabular-nums; }
  .legend-latency { margin-inline-start: auto; }
  .table-scroll {
    max-height: 340px; overflow: auto; border: 1px solid var(--border); border-radius: 8px;
  }
  .numbers { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
  .numbers th, .numbers td {
    padding: 6px 12px; text-align: end; white-space: nowrap; border-bottom: 1px solid var(--border);
  }
  .numbers th:first-child { text-align: start; }
  .numbers thead th {
    position: sticky; top: 0; background: var(--raised); color: var(--muted); font-size: 13px;
    font-weight: 550;
  }
  .numbers tbody th { font-weight: 400; }

  .checklist ol { display: grid; margin-top: 12px; }
  .step { display: flex; gap: 14px; padding-bottom: 24px; position: relative; }
  .step:last-child { padding-bottom: 0; }
  .step:not(:last-child)::before {
    content: ""; position: absolute; left: 13px; top: 32px; bottom: 4px; width: 2px;
    background: var(--border);
  }
  .step-mark {
    flex: none; display: grid; place-items: center; width: 28px; height: 28px; border-radius: 50%;
    border: 1px solid var(--edge); color: var(--muted); font-weight: 600; font-size: 13px;
  }
  .step[data-state="current"] .step-mark {
    border-color: var(--accent); background: var(--accent); color: var(--on-accent);
  }
  .step[data-state="done"] .step-mark { border-color: var(--success); color: var(--success); }
  .step-body { flex: 1; min-width: 0; padding-top: 3px; }
  .step-body > .trial { margin-top: 12px; max-width: 440px; }
  .step-body > .trial-result { margin-top: 8px; }

  .sources { display: grid; gap: 12px; grid-template-columns: minmax(0, 1fr); }
  .sources-body { display: grid; gap: 8px; justify-items: start; min-height: 21px; }
  .sources-body > .skeleton.line { width: 100%; margin: 2.5px 0; }
  .sources .card-header > .buttons { flex: none; margin-inline: 0; }
  .source-list { width: 100%; }
  .source-list > li {
    display: grid; grid-template-columns: 220px minmax(0, 1fr) auto; gap: 4px 16px;
    align-items: start; padding: 12px 0; border-top: 1px solid var(--border);
    overflow-wrap: anywhere;
  }
  .source-list > li:last-child { border-bottom: 1px solid var(--border); }
  .source-name { display: grid; gap: 4px; justify-items: start; }
  .source-words { text-wrap: pretty; }
  .source-words .hint { font-size: 13px; }
  .own-webhook { display: flex; flex-wrap: wrap; align-items: center; gap: 0 8px; font-size: 13px; }

  .signed-out, .landed {
    display: grid; gap: 8px; justify-items: center; padding: 56px 24px; text-align: center;
    text-wrap: balance;
  }
  .signed-out h2, .landed h2 { font-size: 20px; line-height: 28px; }
  .signed-out p, .landed p { max-width: 52ch; color: var(--muted); }
  .landed[data-kind] h2 { color: var(--tone); }

  @container hcs (width < 860px) {
    .tiles { grid-template-columns: repeat(6, minmax(0, 1fr)); }
    .tiles > li { grid-column: span 2; }
    .tiles > li:nth-child(-n + 2) { grid-column: span 3; }
    .action { min-width: 152px; justify-content: flex-end; }
  .state-words { min-height: 42px; }
    .legend-latency { margin-inline-start: 0; }
  }
  @container hcs (width < 700px) {
    .stage { min-height: 552px; }
    .source-list > li { grid-template-columns: minmax(0, 1fr) auto; }
    .source-words { grid-row: 2; grid-column: 1 / -1; }
  }
  @container hcs (width < 560px) {
    .card { padding: 16px; }
    .sources-body { min-height: 63px; }
    .tiles { gap: 8px; }
    .tile { padding: 8px; }
    .tile-label { gap: 5px; letter-spacing: -0.01em; }
    .state, .card-header > .buttons { flex: 1 0 100%; }
    .card-header > .buttons { gap: 4px; margin-inline: -8px; }
    .card-header button.quiet { padding-inline: 8px; gap: 4px; }
    .card-header > .state { min-height: 52px; align-content: center; }
    .action { flex: 1 0 100%; min-height: 36px; justify-content: flex-start; }
    .action button.primary { flex: 1; margin-inline: 8px; }
    .card-header .segments { flex: 1 0 100%; }
    .card-header .segment { flex: 1; }
    .segment span { padding-inline: 8px; text-align: center; }
  }
`;
