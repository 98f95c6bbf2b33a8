// Dialogs: modal, closed by Escape, the close button or a click beside them. The browser keeps the
// focus inside, and gives it back to where it was.

import { el, newId } from "./dom.js";
import { icon } from "./icons.js";
import { noticeRegion } from "./notices.js";

/**
 * Opens a dialog in `root` and returns it; it is removed when it closes. `kind` is its class
 * (`question`, `drawer`, `form`).
 */
export function openDialog(root, { kind, title, onClose = () => {} }, ...children) {
  const id = newId("dialog");
  const dialog = el(
    "dialog",
    { class: kind, "aria-labelledby": id },
    el(
      "div",
      { class: "dialog-box" },
      el(
        "header",
        { class: "dialog-header" },
        el("h2", { id, tabindex: "-1", autofocus: true }, title),
        el(
          "button",
          { type: "button", class: "plain", "aria-label": "Close", onclick: () => dialog.close() },
          icon("close"),
        ),
      ),
      ...children,
      noticeRegion(),
    ),
  );
  const openedBy = root.activeElement;
  // A press that began inside (selecting text, say) and ended outside closes nothing.
  let pressedOn = null;
  dialog.addEventListener("pointerdown", (event) => {
    pressedOn = event.target;
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressedOn === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    openedBy?.focus?.();
    onClose(dialog.returnValue);
  });
  root.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something happens; resolves to whether it may. */
export function askFirst(root, { title, action, isDangerous = false }, ...children) {
  return new Promise((resolve) => {
    const dialog = openDialog(
      root,
      { kind: "question", title, onClose: (answer) => resolve(answer === "yes") },
      el("div", { class: "dialog-body" }, ...children),
      el(
        "footer",
        { class: "dialog-footer" },
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        el(
          "button",
          {
            type: "button",
            class: isDangerous ? "danger" : "primary",
            onclick: () => dialog.close("yes"),
          },
          action,
        ),
      ),
    );
  });
}
