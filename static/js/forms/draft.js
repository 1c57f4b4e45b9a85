// What is typed into the form of a page survives a reload and the way back to the page.
import { find, findAll, findOptional, isField } from "../base/dom.js";

/** @import { Field } from "../base/dom.js" */

const KEY = `draft ${location.pathname}${location.search}`;
const SUGGESTED = "suggested";
const form = find(document, "main form[method=post]", HTMLFormElement);

/** @param {Field} field */
const isChoice = (field) =>
  field instanceof HTMLInputElement && /^(radio|checkbox)$/.test(field.type);

/** The fields that a user can change; files cannot be restored. */
const fields = () =>
  findAll(form, "input[name]:not([type=hidden], [type=file]), select, textarea[name]").filter(
    isField,
  );

/**
 * A field's name in the draft: names occur several times, and choices have no ids.
 * @param {Field} field
 */
const keyOf = (field) =>
  field.id || (isChoice(field) ? `${field.name}=${field.value}` : field.name);

function keep() {
  const values = fields()
    .filter((field) => !field.matches(":disabled"))
    .map((field) => [
      keyOf(field),
      isChoice(field) ? String(Reflect.get(field, "checked")) : field.value,
    ]);
  // The name that the form suggested: a form that finds it in its field may replace it.
  sessionStorage.setItem(KEY, JSON.stringify([...values, [SUGGESTED, form.dataset.suggested]]));
}

/** @param {Map<string, string>} draft */
function restore(draft) {
  const suggested = draft.get(SUGGESTED);
  if (suggested != null) form.dataset.suggested = suggested;
  /** @param {Field} field */
  const set = (field) => {
    const value = draft.get(keyOf(field));
    if (value == null) return;
    // What a choice named may exist no more.
    if (
      field instanceof HTMLSelectElement &&
      ![...field.options].some((option) => option.value === value)
    )
      return;
    if (field instanceof HTMLInputElement && isChoice(field)) field.checked = value === "true";
    else field.value = value;
  };
  // Choices first: they decide which other fields there are.
  fields()
    .filter((field) => isChoice(field) || field instanceof HTMLSelectElement)
    .forEach(set);
  form.dispatchEvent(new Event("change", { bubbles: true }));
  fields().forEach(set);
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

const stored = sessionStorage.getItem(KEY);
// The answer to a refused form has its values already.
if (stored && !findOptional(document, ".notice.bad[role=alert]"))
  restore(new Map(JSON.parse(stored)));
form.addEventListener("input", keep);
form.addEventListener("change", keep);
form.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) sessionStorage.removeItem(KEY);
});
