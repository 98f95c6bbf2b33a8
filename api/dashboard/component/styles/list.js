// Styles of the sync log: filters, table, and the table as cards where it is narrow.

export const list = `
  .sync-log { padding-inline: 0; }
  .sync-log > :not(table) { margin-inline: 20px; }
  .total { color: var(--muted); font-variant-numeric: tabular-nums; }
  .filters {
    display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; margin-top: 12px;
    justify-items: start;
  }
  .filter-fields {
    display: grid; gap: 12px; width: 100%; grid-template-columns: repeat(4, minmax(0, 1fr));
  }
  .span {
    grid-column: 1 / -1; display: grid; gap: 12px;
    grid-template-columns: repeat(2, minmax(0, 220px));
  }
  .list-bar {
    display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; min-height: 48px;
    padding: 8px 0;
  }
  .selection { display: flex; align-items: center; gap: 10px; font-weight: 550; }
  .newer-place { position: sticky; top: 52px; z-index: 2; height: 0; text-align: end; }
  .newer {
    min-height: 28px; margin-top: -38px; border-radius: 99px; border-color: var(--accent);
    background: var(--accent);
    color: var(--on-accent); font-size: 13px; box-shadow: var(--shadow);
  }
  .newer:hover { background: color-mix(in oklab, var(--accent) 88%, var(--text)); }

  .log { width: 100%; border-collapse: collapse; table-layout: fixed; transition: opacity 0.15s; }
  [aria-busy="true"] > .log:has(tr:not(.skeleton-row) td) { opacity: 0.55; }
  .log th {
    padding: 8px 12px; border-block: 1px solid var(--border); background: var(--raised);
    color: var(--muted); font-size: 13px; font-weight: 550; text-align: start;
  }
  .log td { padding: 12px; vertical-align: top; overflow-wrap: anywhere; }
  .log tbody tr { border-bottom: 1px solid var(--border); cursor: pointer; }
  .log tbody tr:hover { background: color-mix(in oklab, var(--raised) 60%, transparent); }
  .log tr.selected, .log tr.selected:hover {
    background: color-mix(in oklab, var(--accent) 8%, transparent);
  }
  .log .select { width: 56px; padding-inline: 20px; cursor: default; }
  .log .select input { display: block; }
  .log td.select { padding-top: 15px; }
  .log th.when { width: 132px; }
  .log th.who { width: 220px; }
  .log .do { width: 124px; padding-inline-end: 20px; text-align: end; }
  td.when { color: var(--muted); font-variant-numeric: tabular-nums; white-space: nowrap; }
  .caller { display: block; font-variant-numeric: tabular-nums; }
  .call-id {
    display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
    overflow: hidden; color: var(--muted);
  }
  .outcome {
    display: grid; grid-template-columns: 112px minmax(0, 1fr); gap: 4px 12px; min-height: 42px;
  }
  .outcome-words { text-wrap: pretty; max-width: 72ch; }
  .skeleton-row { cursor: default; }
  .skeleton-row .skeleton { display: block; height: 18px; width: 70%; }
  .skeleton-row td { height: 67px; }

  .empty { display: grid; gap: 4px; justify-items: center; padding: 40px 0; text-align: center; }
  .empty h3 { font-size: 16px; }
  .empty p { color: var(--muted); max-width: 52ch; text-wrap: balance; }
  .empty button { margin-top: 12px; }
  .list-end { display: grid; justify-items: center; padding-top: 16px; }
  .list-end:has([hidden]) { padding-top: 0; }

  @container hcs (width < 860px) {
    .filter-fields { grid-template-columns: repeat(2, minmax(0, 1fr)); }
    .log th.when { width: 116px; }
    .log th.who { width: 180px; }
    .outcome { grid-template-columns: minmax(0, 1fr); justify-items: start; min-height: 64px; }
  }
  @container hcs (width < 640px) {
    .sync-log > :not(table) { margin-inline: 16px; }
    .filters .segments { display: flex; width: 100%; overflow-x: auto; scrollbar-width: none; }
    .filters .segment { flex: 1 0 auto; }
    .filters .segment span { padding-inline: 5px; font-size: 13px; letter-spacing: -0.01em; }
    .log, .log tbody { display: block; }
    .log thead { display: block; }
    .log thead tr { display: flex; }
    .log th:not(.select) { display: none; }
    .log th.select { flex: 1; }
    .log tbody tr {
      display: grid; grid-template-columns: 28px minmax(0, 1fr) auto; gap: 2px 8px;
      padding: 12px 16px;
    }
    .log td { display: block; padding: 0; }
    .log th.select { display: flex; align-items: center; gap: 10px; padding-inline: 16px; }
    .log th.select::after { content: "Select all"; }
    .log td.select { grid-row: 1; grid-column: 1; padding: 3px 0 0; width: auto; }
    .log td.who { grid-row: 1; grid-column: 2; }
    .log td.when { grid-row: 1; grid-column: 3; padding-top: 1px; }
    .log td.what { grid-row: 2; grid-column: 2 / -1; padding-top: 6px; }
    .log td.do {
      grid-row: 3; grid-column: 2 / -1; width: auto; padding: 6px 0 0; text-align: start;
    }
    .log td.do:has([hidden]) { display: none; }
  }
`;
