// The row of buttons under a field for a path of the server.
import { element } from "../base/dom.js";

/** The row of a field; made when it is first asked for. */
export function tools(input) {
  const next = input.parentElement.querySelector(".path-tools");
  if (next) return next;
  const row = element("div", { class: "path-tools" });
  input.after(row);
  return row;
}

/** Put words into a field as if they had been typed. */
export function fill(input, words) {
  input.value = words;
  for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
}

/** Put a path into a field: behind those that stand there, where a field has several lines. */
export function addPath(input, path) {
  const before = input.matches("textarea") ? input.value.trimEnd() : "";
  fill(input, before ? `${before}\n${path}` : path);
}
