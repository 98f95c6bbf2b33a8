// Notices: what has just happened, announced politely, at the bottom of what is seen. They move
// nothing, and let clicks through to what they cover.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const BRIEF_MS = 6000;
const ICONS = { success: "success", error: "error", info: "pending" };

/** A region whose notices are announced; it has to be there before them. */
export const noticeRegion = () => el("div", { class: "notices", role: "status" });

/** The notices of one instance in `root`, in its own region or in that of the open dialog. */
export class Notices {
  #root;

  constructor(root) {
    this.#root = root;
    this.element = noticeRegion();
  }

  /**
   * Shows a notice: `kind` is success, error or info; `isBrief` ones go by themselves. One with the
   * same `key` is replaced. `actions` are `{label, run}`; running one closes the notice, as
   * dismissing it does.
   *
   * Returns a function that closes it.
   */
  show({ kind = "info", title, text = "", key = title, isBrief = false, actions = [], onDismiss }) {
    this.close(key);
    const timer = isBrief ? setTimeout(() => close(), BRIEF_MS) : 0;
    const close = () => {
      clearTimeout(timer);
      notice.remove();
    };
    const act = (run) => () => {
      close();
      run();
    };
    const notice = el(
      "div",
      { class: "notice", "data-kind": kind, "data-key": key },
      el("span", { class: "notice-icon" }, icon(ICONS[kind])),
      el(
        "div",
        { class: "notice-words" },
        el("strong", {}, title),
        text ? el("p", {}, text) : null,
        actions.length
          ? el(
              "div",
              { class: "buttons" },
              actions.map(({ label, run }) =>
                el("button", { type: "button", class: "small", onclick: act(run) }, label),
              ),
            )
          : null,
      ),
      el(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": "Dismiss",
          onclick: act(() => onDismiss?.()),
        },
        icon("close"),
      ),
    );
    this.#place().append(notice);
    return close;
  }

  /** Removes the notice of a key, if it is there. */
  close(key) {
    for (const notice of this.#root.querySelectorAll(".notice")) {
      if (notice.dataset.key === key) notice.remove();
    }
  }

  /** Outside an open dialog nothing can be reached or is read out. */
  #place() {
    const dialog = [...this.#root.querySelectorAll("dialog[open]")].at(-1);
    return dialog?.querySelector(".notices") ?? this.element;
  }
}
