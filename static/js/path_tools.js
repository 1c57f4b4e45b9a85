// The row of buttons under a field for a path of the server.
import { element } from "./dom.js";

/** The row of a field; made when it is first asked for. */
export function tools(input) {
  const next = input.parentElement.querySelector(".path-tools");
  if (next) return next;
  const row = element("div", { class: "path-tools" });
  input.after(row);
  return row;
}

/** Put a path into a field as if it had been typed. */
export function fill(input, path) {
  input.value = path;
  for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
}
