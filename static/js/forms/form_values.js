// What a form says, as the JSON that the API takes. Pure: tested with node.

/** Whether all of [[name, kind], …] are chosen. */
export function isChosen(when, data) {
  return when.every(([name, kind]) => data.get(name) === kind);
}

/** Entries ["source.raw.width", "320"] as {source: {raw: {width: "320"}}}; empty ones are left out, boxes are true or false,
 * several values of one name a list with commas. The token of the form is none of them. */
export function nested(entries) {
  const values = {};
  const boxes = new Set(entries.filter(([name]) => name.endsWith(".shown")).map(([name]) => name.slice(0, -".shown".length)));
  for (const name of boxes) put(values, name, false);
  for (const [name, value] of entries) {
    if (name === "csrf_token" || name.endsWith(".shown") || typeof value !== "string" || !value.trim()) continue;
    put(values, name, boxes.has(name) ? true : plain(value));
  }
  return values;
}

function put(values, name, value) {
  const path = name.split(".");
  const last = path.pop();
  let inner = values;
  for (const part of path) inner = inner[part] ??= {};
  inner[last] = typeof inner[last] === "string" ? `${inner[last]}, ${value}` : value;
}

/** Of a text of several lines nothing is cut: errors in it are told by their lines. */
function plain(text) {
  return text.includes("\n") ? text : text.trim();
}

/** What a field shows when another kind is chosen that has one of the same name: what was typed in that one before, else its
 * own default. `usual` is the default of each. */
export function carried(old, fresh) {
  return old.value === old.usual ? fresh.usual : old.value;
}

/** A name for the dataset by its files: "foreman_qp37" of /data/foreman_qp37.h264. */
export function suggestedName(source) {
  const path = source?.stream ?? source?.originals ?? source?.input ?? source?.manifest ?? "";
  const last = path.split("/").filter(Boolean).at(-1) ?? "";
  return last.replace(/\.(bmp\.gz|[a-z0-9]{1,5})$/i, "");
}
