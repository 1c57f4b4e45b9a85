// Errors at the fields of a form that a script finds, in the look of those from the server.
import { ancestor, element, findAll, findOptional, isField } from "../base/dom.js";

/** @import { Field } from "../base/dom.js" */

/**
 * The enabled field of a name, and its label.
 * @param {HTMLFormElement} form
 * @param {string} name
 * @returns {{ field: Field, label: string } | null}
 */
export function fieldOf(form, name) {
  const field = findOptional(form, `[name="${CSS.escape(name)}"]:enabled`);
  if (!isField(field)) return null;
  return { field, label: field.labels?.[0]?.textContent.trim() ?? name };
}

/**
 * Show errors at their fields, in place of those that were shown before.
 * @param {HTMLFormElement} form
 * @param {Record<string, string>} errors By the name of the field.
 */
export function showFieldErrors(form, errors) {
  for (const old of findAll(form, ".error[data-found]")) {
    ancestor(old, ".field").classList.remove("wrong");
    old.remove();
  }
  for (const field of findAll(form, "[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const [name, text] of Object.entries(errors)) {
    const found = fieldOf(form, name);
    if (!found) continue;
    found.field.setAttribute("aria-invalid", "true");
    const holder = ancestor(found.field, ".field");
    holder.classList.add("wrong");
    holder.append(element("p", { class: "error", "data-found": true }, text));
  }
}
