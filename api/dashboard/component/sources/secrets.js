// Secrets of a source: pasted once, never shown again, replaced without a gap.

import { askFirst } from "../parts/dialogs.js";
import { el, setChildren, setText } from "../parts/dom.js";
import { describeField } from "../parts/failures.js";
import { formatAgo, formatDate, timeElement } from "../parts/format.js";
import { busyButton, field, select } from "../parts/inputs.js";

// A secret of the source's own, beside those of its vendor.
const FORWARDED = { name: "forwarded", title: "For messages that are passed on" };

/** `change(changes)` changes the source, and raises what the client raises. */
export class Secrets {
  #work;
  #vendor;
  #change;

  constructor(work, vendor, change) {
    this.#work = work;
    this.#vendor = vendor;
    this.#change = change;
    this.list = el("ul", { class: "secrets" });
    this.form = this.#makeForm();
    this.first = el("div", {});
    this.another = el(
      "details",
      { class: "fold" },
      el("summary", {}, "Change the secret"),
      el(
        "p",
        { class: "hint" },
        "Add the new one here, then enter it at the other end. Until you remove the old one both " +
          "are good, so that no call is missed.",
      ),
    );
    this.element = el(
      "section",
      { class: "part" },
      el("h3", {}, "Secret"),
      this.list,
      this.first,
      this.another,
    );
  }

  show({ secrets }) {
    const mayChange = this.#work.mayChange();
    const isFirst = !secrets.some(({ scheme }) => scheme !== FORWARDED.name);
    const place = isFirst ? this.first : this.another;
    if (this.form.parentNode !== place) place.append(this.form);
    this.first.hidden = !mayChange || !isFirst;
    this.another.hidden = !mayChange || isFirst;
    setText(this.save, isFirst ? "Save the secret" : "Add the new secret");
    setChildren(this.list, JSON.stringify([secrets, mayChange]), () =>
      secrets.length
        ? secrets.map((secret) => this.#describe(secret, mayChange))
        : el("li", { class: "hint" }, "None yet. It proves that calls really come from there."),
    );
  }

  #makeForm() {
    const { schemes } = this.#vendor;
    const hint = el("span", {});
    const explain = (name) => setText(hint, schemes.find((each) => each.name === name).hint);
    const scheme = select({
      options: schemes.map(({ name, title }) => ({ value: name, label: title })),
      value: schemes[0].name,
      onChange: explain,
    });
    explain(schemes[0].name);
    // Not of type `password`: browsers would offer to save it as the password of this page.
    const input = el("input", {
      class: "secret",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    const shown = field({
      label: schemes.length > 1 ? "The secret" : schemes[0].title,
      control: input,
      hint,
    });
    const save = async () => {
      const value = input.value.trim();
      shown.setProblem(value ? null : "Paste the secret first");
      if (!value) return input.focus();
      try {
        await this.#change({ add_secret: { value, scheme: scheme.value } });
        input.value = "";
        this.another.open = false;
        this.#work.notices.show({
          kind: "success",
          key: "source",
          title: "Secret saved",
          isBrief: true,
        });
      } catch (error) {
        const problem = describeField(error, "add_secret");
        shown.setProblem(problem);
        if (!problem) this.#work.fail(error, "The secret could not be saved");
      }
    };
    this.save = busyButton({ label: "Save the secret", className: "primary", run: save });
    input.addEventListener("keydown", (event) => event.key === "Enter" && this.save.click());
    return el(
      "div",
      { class: "secret-form" },
      schemes.length > 1 ? field({ label: "Kind of secret", control: scheme }).element : null,
      shown.element,
      el("div", { class: "buttons" }, this.save),
    );
  }

  #describe(secret, mayChange) {
    const known = [...this.#vendor.schemes, FORWARDED];
    const title = known.find(({ name }) => name === secret.scheme)?.title ?? secret.scheme;
    const added = `added ${formatDate(secret.added_at)}`;
    const used = secret.last_used_at
      ? [", used ", timeElement(secret.last_used_at, formatAgo(secret.last_used_at))]
      : [", not used yet"];
    return el(
      "li",
      {},
      el("div", {}, el("strong", {}, title), el("p", { class: "hint" }, added, used)),
      mayChange
        ? busyButton({
            label: "Remove",
            className: "small",
            run: () => this.#remove(secret, `${title}, ${added}`),
          })
        : null,
    );
  }

  async #remove(secret, name) {
    const isSure = await askFirst(
      this.#work.root,
      { title: "Remove this secret?", action: "Remove the secret", isDangerous: true },
      el("p", {}, el("strong", {}, name)),
      el("p", {}, "Calls that are proven with it, and with no other secret here, are refused."),
    );
    if (!isSure) return;
    try {
      await this.#change({ remove_secret: secret.id });
    } catch (error) {
      this.#work.fail(error, "The secret could not be removed");
    }
  }
}
