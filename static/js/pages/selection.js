// The jobs of a list that are chosen: by boxes, by a range with Shift, all at once; still chosen after the list was written anew.
import { at } from "../base/address.js";

const lists = () => document.querySelectorAll("form[data-many]");
const boxesOf = (list) => [...list.querySelectorAll("input[name=ids]")];
const isShown = (box) => !box.closest("tr").hidden; // Not in a group that is folded.
const chosen = new Set();
let last = null;

/** After the lists were written, or folded: what was chosen is chosen again. */
export function showChosen() {
  for (const list of lists()) {
    for (const box of boxesOf(list)) box.checked = chosen.has(box.value);
    tell(list);
  }
}

function tell(list) {
  const boxes = boxesOf(list);
  const ids = boxes.filter(({ checked }) => checked).map(({ value }) => value);
  const number = ids.length;
  list.querySelector(".how-many").textContent = number ? `${number} chosen` : "";
  const all = list.querySelector("[data-all]");
  all.checked = number > 0 && boxes.filter(isShown).every(({ checked }) => checked);
  all.indeterminate = number > 0 && !all.checked;
  const compare = list.querySelector("[data-compare]");
  if (compare) compare.href = at(`/compare?${new URLSearchParams({ ids: ids.join(",") })}`);
  const remove = list.querySelector("[value=delete]");
  remove.dataset.confirm = `Delete ${number === 1 ? "this job" : `these ${number} jobs`} with all ${number === 1 ? "its" : "their"} files? This cannot be undone.`;
  remove.dataset.yes = `Delete ${number === 1 ? "it" : "them"}`;
}

function choose(box, checked) {
  box.checked = checked;
  if (checked) chosen.add(box.value);
  else chosen.delete(box.value);
}

document.addEventListener("click", ({ target, shiftKey }) => {
  const list = target.closest?.("form[data-many]");
  if (!list || target.type !== "checkbox") return;
  const boxes = boxesOf(list);
  const [from, to] = [boxes.findIndex(({ value }) => value === last), boxes.indexOf(target)];
  if ("all" in target.dataset) boxes.filter(isShown).forEach((box) => choose(box, target.checked));
  else if (shiftKey && from >= 0) boxes.slice(Math.min(from, to), Math.max(from, to) + 1).filter(isShown).forEach((box) => choose(box, target.checked));
  else choose(target, target.checked);
  last = target.value;
  tell(list);
});
