// Fields that depend on a choice, such as the kind of a source, are only shown and sent if it is
// made. A typed value moves to the field of the same name of another choice.
import { findAll, isField } from "../base/dom.js";
import { carried, isChosen } from "./form_values.js";

/** @import { Field } from "../base/dom.js" */

for (const form of findAll(document, "form", HTMLFormElement)) bind(form);

/** @param {HTMLFormElement} form */
function bind(form) {
  const parts = findAll(form, "[data-when]").map((part) => ({
    part,
    choices: JSON.parse(part.dataset.when ?? "[]"),
  }));

  /** Show the parts of the choices that are made; returns those that appeared. */
  const show = () => {
    const appeared = [];
    // In document order, from outside in: a choice in a hidden part does not count.
    for (const { part, choices } of parts) {
      const isShown = isChosen(choices, new FormData(form));
      if (isShown && part.hidden) appeared.push(part);
      part.hidden = !isShown;
      if (part instanceof HTMLFieldSetElement) part.disabled = !isShown;
    }
    for (const fold of findAll(form, "details.more"))
      fold.hidden = !fold.querySelector(".field:not([hidden])");
    return appeared;
  };

  let isChanging = false;
  const onChange = () => {
    if (isChanging) return; // A focused field that gets hidden dispatches a change event.
    isChanging = true;
    const before = new Map(
      dependentFields(form).map((field) => [
        field.name,
        { value: valueOf(field), usual: defaultOf(field) },
      ]),
    );
    for (const field of show().flatMap(dependentFields)) {
      const old = before.get(field.name);
      if (old) setValue(field, carried(old, { usual: defaultOf(field) }));
    }
    isChanging = false;
  };

  form.addEventListener("change", onChange);
  window.addEventListener("pageshow", show); // The browser may have restored earlier values.
  show();
}

/**
 * The enabled fields that depend on a choice.
 * @param {HTMLElement} part
 * @returns {Field[]}
 */
const dependentFields = (part) => findAll(part, "[data-default]:enabled").filter(isField);

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
const isCheckbox = (field) => field.type === "checkbox";

/**
 * @param {Field} field
 * @returns {string | boolean}
 */
const valueOf = (field) => (isCheckbox(field) ? field.checked : field.value);

/**
 * @param {Field} field
 * @returns {string | boolean}
 */
const defaultOf = (field) =>
  isCheckbox(field) ? field.dataset.default === "True" : (field.dataset.default ?? "");

/**
 * Set a field's value; a select keeps its own if it does not offer the value.
 * @param {Field} field
 * @param {string | boolean} value
 */
function setValue(field, value) {
  if (isCheckbox(field)) field.checked = Boolean(value);
  else if (
    !(field instanceof HTMLSelectElement) ||
    [...field.options].some((option) => option.value === value)
  )
    field.value = String(value);
}
