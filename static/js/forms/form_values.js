// The values of forms as the JSON that the API accepts. Without DOM: node runs the tests.

/** @typedef {Record<string, any>} Values */

/**
 * Whether all of some choices are made.
 * @param {[name: string, kind: string][]} choices
 * @param {{ get(name: string): unknown }} data Such as a FormData.
 */
export function isChosen(choices, data) {
  return choices.every(([name, kind]) => data.get(name) === kind);
}

/**
 * The entries of a form as nested values: ["source.raw.width", "320"] becomes
 * {source: {raw: {width: "320"}}}. Empty values, files and the CSRF token are left out; checkboxes
 * are true or false; several values of one name are a list with commas.
 * @param {[name: string, value: unknown][]} entries
 * @returns {Values}
 */
export function nested(entries) {
  /** @type {Values} */
  const values = {};
  const shown = entries.map(([name]) => name).filter((name) => name.endsWith(".shown"));
  const checkboxes = new Set(shown.map((name) => name.slice(0, -".shown".length)));
  for (const name of checkboxes) put(values, name, false);
  for (const [name, value] of entries) {
    if (name === "csrf_token" || name.endsWith(".shown")) continue;
    if (typeof value !== "string" || !value.trim()) continue;
    put(values, name, checkboxes.has(name) ? true : trimmed(value));
  }
  return values;
}

/**
 * @param {Values} values
 * @param {string} name
 * @param {string | boolean} value
 */
function put(values, name, value) {
  const path = name.split(".");
  const last = path.pop() ?? "";
  let inner = values;
  for (const part of path) inner = inner[part] ??= {};
  inner[last] = typeof inner[last] === "string" ? `${inner[last]}, ${value}` : value;
}

/**
 * A text of several lines stays as it is: errors refer to its line numbers.
 * @param {string} text
 */
const trimmed = (text) => (text.includes("\n") ? text : text.trim());

/**
 * The value of a field that appears in place of another one of the same name: what was typed there;
 * if that was the default, the new field's default.
 * @template T
 * @param {{ value: T, usual: T }} old `usual` is the default.
 * @param {{ usual: T }} fresh
 * @returns {T}
 */
export const carried = (old, fresh) => (old.value === old.usual ? fresh.usual : old.value);

/**
 * A name for a dataset from its files: "foreman_qp37" of /data/foreman_qp37.h264.
 * @param {Values | undefined} source
 * @returns {string}
 */
export function suggestedName(source) {
  const path = source?.stream ?? source?.originals ?? source?.input ?? source?.manifest ?? "";
  const file = path.split("/").filter(Boolean).at(-1) ?? "";
  return file.replace(/\.(bmp\.gz|[a-z0-9]{1,5})$/i, "");
}
