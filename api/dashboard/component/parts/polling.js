// Asking again and again, as rarely as is decent.

const QUICK_MS = 4000;
const IDLE_MS = 30_000;
const LONGEST_MS = 60_000;
const SLOWER = 1.3;

/**
 * Repeats `ask` until `signal` aborts: quickly while it resolves to true ("something is going on"),
 * ever more rarely while it resolves to false or rejects, not at all in a hidden tab, and at once
 * when the tab is looked at again or the network is back.
 */
export class Poll {
  #ask;
  #signal;
  #timer = 0;
  #wait = QUICK_MS;
  #current = null;
  #next = null;

  constructor(ask, signal) {
    this.#ask = ask;
    this.#signal = signal;
    document.addEventListener("visibilitychange", () => this.#wakeUp(), { signal });
    window.addEventListener("online", () => this.#wakeUp(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Asks now, or right after the question that is under way; resolves when it is answered. */
  now() {
    if (!this.#current) return this.#begin();
    this.#next ??= this.#current.then(() => {
      this.#next = null;
      return this.#begin();
    });
    return this.#next;
  }

  /** Stops until `now` is called. */
  rest() {
    clearTimeout(this.#timer);
    this.#wait = Infinity;
  }

  #begin() {
    clearTimeout(this.#timer);
    this.#current = this.#run().finally(() => {
      this.#current = null;
    });
    return this.#current;
  }

  async #run() {
    this.#wait = Math.min(this.#wait, LONGEST_MS);
    try {
      const isBusy = await this.#ask();
      this.#wait = isBusy ? QUICK_MS : Math.min(this.#wait * SLOWER, IDLE_MS);
    } catch (error) {
      const asked = error.retryAfterMs ?? 0;
      if (this.#wait !== Infinity)
        this.#wait = Math.min(Math.max(this.#wait * 2, asked), LONGEST_MS);
    }
    if (this.#signal.aborted || document.hidden || this.#wait === Infinity) return;
    this.#timer = setTimeout(() => this.now(), this.#wait);
  }

  #wakeUp() {
    if (document.hidden) {
      clearTimeout(this.#timer);
    } else if (this.#wait !== Infinity) {
      this.#wait = QUICK_MS;
      this.now();
    }
  }
}
