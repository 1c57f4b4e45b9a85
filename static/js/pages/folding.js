// Folded groups of lists: only their headings are shown. They are stored for the browser tab.
import { ancestor, find, findAll, targetWithin } from "../base/dom.js";
import { showSelection } from "./selection.js";

const KEY = "clearframe.folded";

/** @type {Set<string>} The ids of the buttons of folded groups. */
const folded = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));

/** Fold groups again after the server has rendered the lists. */
export function showFolded() {
  for (const button of findAll(document, "button.fold")) show(button);
}

/** @param {HTMLElement} button Of a group. */
function show(button) {
  const isOpen = !folded.has(button.id);
  const rows = rowsBelow(ancestor(button, "tr"));
  button.setAttribute("aria-expanded", String(isOpen));
  find(button, ".count").textContent = isOpen ? "" : String(rows.length);
  for (const row of rows) row.hidden = !isOpen;
}

/**
 * The rows of a group.
 * @param {HTMLElement} heading
 * @returns {HTMLElement[]}
 */
function rowsBelow(heading) {
  const rows = [];
  let row = heading.nextElementSibling;
  while (row instanceof HTMLElement && !row.matches(".of-group")) {
    rows.push(row);
    row = row.nextElementSibling;
  }
  return rows;
}

document.addEventListener("click", (event) => {
  const button = targetWithin(event, "button.fold");
  if (!button) return;
  if (!folded.delete(button.id)) folded.add(button.id);
  sessionStorage.setItem(KEY, JSON.stringify([...folded]));
  show(button);
  showSelection();
});
