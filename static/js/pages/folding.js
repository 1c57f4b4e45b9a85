// Groups of a list that are folded: their headings stay. Remembered for as long as the window is open.
import { showChosen } from "./selection.js";

const KEY = "clearframe.folded";

const folded = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));

/** After the lists were written: what was folded is folded again. */
export function showFolded() {
  for (const button of document.querySelectorAll("button.fold")) show(button);
}

function show(button) {
  const open = !folded.has(button.id);
  const rows = rowsBelow(button.closest("tr"));
  button.setAttribute("aria-expanded", open);
  button.querySelector(".count").textContent = open ? "" : rows.length;
  for (const row of rows) row.hidden = !open;
}

function rowsBelow(heading) {
  const rows = [];
  for (let row = heading.nextElementSibling; row && !row.matches(".of-group"); row = row.nextElementSibling) rows.push(row);
  return rows;
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("button.fold");
  if (!button) return;
  if (!folded.delete(button.id)) folded.add(button.id);
  sessionStorage.setItem(KEY, JSON.stringify([...folded]));
  show(button);
  showChosen();
});
