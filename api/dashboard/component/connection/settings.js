// Settings of the connection, with what each of them does.

import { choice, makeCallSettings } from "./call-settings.js";
import { openDialog } from "../parts/dialogs.js";
import { el, newId } from "../parts/dom.js";
import { describeError, describeField } from "../parts/failures.js";
import { count } from "../parts/format.js";
import { busyButton, field, select } from "../parts/inputs.js";
import { READ_ONLY } from "../parts/words.js";

const WEEK_MS = 7 * 24 * 3600 * 1000;
const DEFAULTS = {
  default_region: null,
  match_policy: null,
  phone_properties: null,
  own_numbers: null,
  write_when: null,
  keep: null,
  rules: null,
};

const POLICIES = {
  most_recent: {
    label: "The one that was changed last",
    effect:
      "Of several contacts with the same number, the one somebody worked on most recently gets " +
      "the note.",
  },
  oldest: {
    label: "The one that was created first",
    effect:
      "Of several contacts with the same number, the oldest gets the note, always the same one.",
  },
  skip: {
    label: "None of them",
    effect:
      "The call is skipped with the reason “Several contacts match”, until you merge them or " +
      "choose another setting.",
  },
};
// Codes of groups and of places where nobody has a telephone number of its own.
const NOT_COUNTRIES = new Set(
  "AQ BV CP CQ DG EA EU EZ GS HM IC PN QO TF UM UN XA XB ZZ".split(" "),
);

/** Opens the settings. */
export async function openSettings(work) {
  const body = el(
    "div",
    { class: "dialog-body", "aria-busy": "true" },
    el("span", { class: "skeleton block" }),
  );
  const dialog = openDialog(work.root, { kind: "form", title: "Settings" }, body);
  try {
    const settings = await work.client.getSettings({ signal: work.signal });
    body.removeAttribute("aria-busy");
    body.replaceChildren(...makeForm(work, settings, dialog, body));
    if (!work.mayChange()) lockForm(body, dialog);
  } catch (error) {
    body.replaceChildren(el("p", { role: "alert" }, describeError(error)));
  }
}

function makeForm(work, settings, dialog, body) {
  const regionEffect = el("p", { class: "hint" });
  const explain = (region) => {
    regionEffect.textContent =
      `Numbers without a country code, like (202) 555-0123, are read ` +
      `with the country code of ${nameRegion(region)}. Numbers that begin with + are not affected.`;
  };
  const region = select({
    options: listRegions(settings.default_region),
    value: settings.default_region,
    onChange: explain,
  });
  const regionField = field({
    label: "Country of numbers without a country code",
    control: region,
  });
  explain(settings.default_region);
  const policy = choice(
    "If several contacts have the number, the note goes to",
    POLICIES,
    settings.match_policy,
  );
  const properties = el("input", {
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "hs_whatsapp_phone_number",
    value: settings.phone_properties.join(", "),
  });
  const propertiesField = field({
    label: "Further contact properties with phone numbers",
    control: properties,
    hint:
      "Phone number and mobile phone number are always searched. Up to three more: enter the " +
      "internal name that HubSpot shows under Settings, Properties; separate names by commas.",
  });
  const refused = settings.warnings ?? [];
  propertiesField.setProblem(refused.map(({ message }) => message).join(" "));
  const calls = makeCallSettings(settings);
  const save = async (change, { isApplied = false } = {}) => {
    try {
      await work.client.updateSettings(change, { signal: work.signal });
      dialog.close();
      if (isApplied) return await applyToSkipped(work);
      work.notices.show({
        kind: "success",
        key: "settings",
        title: "Settings saved",
        text: "They hold for every call from now on, and for those that are retried.",
        isBrief: true,
      });
    } catch (error) {
      const problems = [
        [regionField, describeField(error, "default_region")],
        [propertiesField, describeField(error, "phone_properties")],
      ];
      for (const [shown, problem] of problems) shown.setProblem(problem);
      const isNamed = calls.setProblems(error) || problems.some(([, problem]) => problem);
      const wrong = body.querySelector("[aria-invalid]");
      wrong?.focus();
      if (!isNamed)
        work.fail(error, "The settings could not be saved");
    }
  };
  const given = () => ({
    default_region: region.value,
    match_policy: policy.value(),
    phone_properties: properties.value.split(/[,;]/).map((name) => name.trim()).filter(Boolean),
    ...calls.changed(),
  });
  return [
    regionField.element,
    regionEffect,
    policy.element,
    propertiesField.element,
    ...calls.elements,
    el(
      "div",
      { class: "field apply" },
      busyButton({
        label: "Save, and apply to calls of the last 7 days",
        run: () => save(given(), { isApplied: true }),
      }),
      el(
        "p",
        { class: "hint" },
        "Calls that your rules have left out in the last 7 days are looked at again, by the " +
          "rules as they are here.",
      ),
    ),
    el(
      "footer",
      { class: "dialog-footer" },
      busyButton({
        label: "Use the defaults",
        className: "quiet",
        run: () => save(DEFAULTS),
      }),
      el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      busyButton({ label: "Save", className: "primary", run: () => save(given()) }),
    ),
  ];
}

/** Has calls that rules have left out looked at again. */
async function applyToSkipped(work) {
  const order = { error_code: "filtered", from: Date.now() - WEEK_MS };
  try {
    const { requeued } = await work.client.retrySyncLogs(order, { signal: work.signal });
    work.notices.show({
      kind: "success",
      key: "settings",
      title: "Settings saved",
      text: requeued
        ? `${count(requeued, "call")} that had been left out ${requeued === 1 ? "is" : "are"} looked at again.`
        : "No call of the last 7 days had been left out.",
    });
    work.refresh();
  } catch (error) {
    work.fail(error, "The settings are saved, but could not be applied to earlier calls");
  }
}

/** Leaves a form to be read. */
function lockForm(body, dialog) {
  const why = el("p", { class: "read-only", role: "note", id: newId("why") }, READ_ONLY);
  for (const control of body.querySelectorAll("input, select, textarea")) {
    control.disabled = true;
    const described = control.getAttribute("aria-describedby");
    control.setAttribute("aria-describedby", [why.id, described].filter(Boolean).join(" "));
  }
  body.querySelector(".apply")?.remove();
  body.prepend(why);
  body
    .querySelector("footer")
    .replaceChildren(el("button", { type: "button", onclick: () => dialog.close() }, "Close"));
}

const regionNames = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
const nameRegion = (code) => regionNames.of(code) ?? code;

/** Whether it is the code of a country; countries that are no more stand for their successors. */
function isCountry(code) {
  if (NOT_COUNTRIES.has(code) || regionNames.of(code) === undefined) return false;
  return new Intl.Locale(`und-${code}`).region === code;
}

/** Every country by its name; the current one too, should the browser not know it. */
export function listRegions(current) {
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  return codes
    .filter((code) => code === current || isCountry(code))
    .map((code) => ({ value: code, label: nameRegion(code) }))
    .sort((one, other) => one.label.localeCompare(other.label, "en"));
}
