// Fields for paths on the server: their row of buttons, and setting their value.
import { element, findOptional } from "../base/dom.js";

/** @typedef {HTMLInputElement | HTMLTextAreaElement} TextField */

/**
 * The row of buttons below a field. The first call creates it.
 * @param {TextField} field
 * @returns {HTMLElement}
 */
export function toolRow(field) {
  const existing = field.parentElement && findOptional(field.parentElement, ".path-tools");
  if (existing) return existing;
  const row = element("div", { class: "path-tools" });
  field.after(row);
  return row;
}

/**
 * Set a field's text, with the same events as if a user had typed it.
 * @param {TextField} field
 * @param {string} text
 */
export function setValue(field, text) {
  field.value = text;
  for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
}

/**
 * Put a path into a field. A field with several lines gets another line.
 * @param {TextField} field
 * @param {string} path
 */
export function addPath(field, path) {
  const before = field instanceof HTMLTextAreaElement ? field.value.trimEnd() : "";
  setValue(field, before ? `${before}\n${path}` : path);
}

/**
 * Whether an element is a field with a text.
 * @param {unknown} node
 * @returns {node is TextField}
 */
export const isTextField = (node) =>
  node instanceof HTMLInputElement || node instanceof HTMLTextAreaElement;
