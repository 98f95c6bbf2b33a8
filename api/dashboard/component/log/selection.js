// Which rows are selected: one by one, or all that can be retried.

import { el } from "../parts/dom.js";
import { canRetry } from "../parts/words.js";

/** `rows()` are those on the screen; `onChange(amount)` hears how many are selected. */
export class Selection {
  #rows;
  #onChange;

  constructor(rows, onChange) {
    this.#rows = rows;
    this.#onChange = onChange;
    this.all = el("input", {
      type: "checkbox",
      "aria-label": "Select all loaded calls that can be retried",
      disabled: true,
      onchange: () => this.#selectAll(this.all.checked),
    });
  }

  ids() {
    return this.#rows()
      .filter((row) => row.box.checked)
      .map((row) => row.log.id);
  }

  clear() {
    this.#selectAll(false);
  }

  /** Fits the box of all to the rows, whose states change by themselves. */
  show() {
    const amount = this.ids().length;
    const possible = this.#rows().filter((row) => !row.box.hidden).length;
    this.all.disabled = possible === 0;
    this.all.checked = amount > 0 && amount === possible;
    this.all.indeterminate = amount > 0 && amount < possible;
    this.#onChange(amount);
  }

  #selectAll(isSelected) {
    for (const row of this.#rows()) {
      row.setSelected(isSelected && canRetry(row.log));
    }
    this.show();
  }
}
