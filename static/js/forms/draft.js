// What is typed into the form of a page survives a reload and the way back to the page.
import { find, findAll, findOptional, isField } from "../base/dom.js";

/** @import { Field } from "../base/dom.js" */

const KEY = `draft ${location.pathname}${location.search}`;
const form = find(document, "main form[method=post]", HTMLFormElement);

/** @param {Field} field */
const isChoice = (field) =>
  field instanceof HTMLInputElement && /^(radio|checkbox)$/.test(field.type);

/** The fields that a user can change; files cannot be restored. */
const fields = () =>
  findAll(form, "input[name]:not([type=hidden], [type=file]), select[name], textarea[name]").filter(
    isField,
  );

/**
 * A field's name in the draft: names occur several times, ids of choices not at all.
 * @param {Field} field
 */
const keyOf = (field) =>
  field instanceof HTMLInputElement && field.type === "radio"
    ? `${field.name}=${field.value}`
    : field.id || field.name;

function keep() {
  const values = fields()
    .filter((field) => !field.matches(":disabled"))
    .map((field) => [
      keyOf(field),
      isChoice(field) ? String(Reflect.get(field, "checked")) : field.value,
    ]);
  sessionStorage.setItem(KEY, JSON.stringify(values));
}

/** @param {Map<string, string>} draft */
function restore(draft) {
  /** @param {Field} field */
  const set = (field) => {
    const value = draft.get(keyOf(field));
    if (value == null) return;
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
if (stored && !findOptional(document, ".notice.bad")) restore(new Map(JSON.parse(stored)));
form.addEventListener("input", keep);
form.addEventListener("change", keep);
form.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) sessionStorage.removeItem(KEY);
});
