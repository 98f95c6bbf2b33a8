// Fields of forms, each with its label.

import { el, newId } from "./dom.js";

/** A row of choices of which one holds; `options` are `{value, label}`, `label` is only heard. */
export function radios({ label, options, value, onChange }) {
  const name = newId("choice");
  const inputs = options.map((option) =>
    el("input", {
      type: "radio",
      name,
      value: option.value,
      onchange: () => onChange(option.value),
    }),
  );
  const set = (chosen) => {
    for (const input of inputs) input.checked = input.value === chosen;
  };
  set(value);
  const element = el(
    "fieldset",
    { class: "segments" },
    el("legend", { class: "hidden" }, label),
    inputs.map((input, index) =>
      el("label", { class: "segment" }, input, el("span", {}, options[index].label)),
    ),
  );
  return { element, set };
}

/** A label above a control; `hint` and errors are read with it. */
export function field({ label, control, hint = null }) {
  const id = newId("field");
  control.id = id;
  const problem = el("p", { class: "problem", id: `${id}-problem`, "aria-live": "polite" });
  const described = [hint ? `${id}-hint` : "", `${id}-problem`].filter(Boolean).join(" ");
  control.setAttribute("aria-describedby", described);
  const element = el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    control,
    hint ? el("p", { class: "hint", id: `${id}-hint` }, hint) : null,
    problem,
  );
  const setProblem = (text) => {
    problem.textContent = text ?? "";
    control.toggleAttribute("aria-invalid", Boolean(text));
    if (text) control.setAttribute("aria-invalid", "true");
  };
  return { element, setProblem };
}

/** A choice from a list; `options` are `{value, label}` or groups `{label, options}`. */
export function select({ options, value, onChange = () => {} }) {
  const make = (option) =>
    option.options
      ? el("optgroup", { label: option.label }, option.options.map(make))
      : el("option", { value: option.value }, option.label);
  const control = el("select", { onchange: () => onChange(control.value) }, options.map(make));
  control.value = value;
  return control;
}

/** A button that cannot be pressed again until what it started has ended. */
export function busyButton({ label, className = "", run }, ...children) {
  const button = el(
    "button",
    {
      type: "button",
      class: className,
      onclick: async () => {
        // Not `disabled`, which would throw the focus away.
        if (button.getAttribute("aria-disabled") === "true") return;
        button.setAttribute("aria-disabled", "true");
        try {
          await run();
        } finally {
          button.removeAttribute("aria-disabled");
        }
      },
    },
    ...children,
    label,
  );
  return button;
}
