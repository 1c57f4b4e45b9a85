// Selected jobs of lists: by checkboxes, as a range with Shift, or all. The selection stays when
// the server renders the lists again.
import { withRoot } from "../base/address.js";
import { ancestor, find, findAll, findOptional, targetWithin } from "../base/dom.js";

const lists = () => findAll(document, "form[data-many]");

/** @param {HTMLElement} list */
const boxesOf = (list) => findAll(list, "input[name=ids]", HTMLInputElement);

/**
 * Whether a checkbox is not in a folded group.
 * @param {HTMLInputElement} box
 */
const isShown = (box) => !ancestor(box, "tr").hidden;

/** @type {Set<string>} The ids of jobs. */
const selected = new Set();
/** @type {string | null} The id that was clicked last. */
let last = null;

/** Show the selection after the server has rendered the lists, or a group was folded. */
export function showSelection() {
  for (const list of lists()) {
    for (const box of boxesOf(list)) box.checked = selected.has(box.value);
    showActions(list);
  }
}

/**
 * How many jobs are chosen, and why the user may not change all of them.
 * @param {number} number
 * @param {number} ofOthers
 */
export function chosenText(number, ofOthers) {
  if (!number) return "";
  if (!ofOthers) return `${number} chosen`;
  return `${number} chosen, ${ofOthers} made by others: only they or an administrator can change ${ofOthers === 1 ? "it" : "them"}`;
}

/** @param {HTMLElement} list */
function showActions(list) {
  const boxes = boxesOf(list);
  const chosen = boxes.filter(({ checked }) => checked);
  const ids = chosen.map(({ value }) => value);
  const number = ids.length;
  const ofOthers = chosen.filter(({ dataset }) => "ofOthers" in dataset).length;
  find(list, ".how-many").textContent = chosenText(number, ofOthers);
  for (const button of findAll(list, "button[name=action]", HTMLButtonElement))
    button.disabled = ofOthers > 0;
  const all = find(list, "[data-all]", HTMLInputElement);
  all.checked = number > 0 && boxes.filter(isShown).every(({ checked }) => checked);
  all.indeterminate = number > 0 && !all.checked;
  const compare = findOptional(list, "[data-compare]", HTMLAnchorElement);
  if (compare) compare.href = withRoot(`/compare?${new URLSearchParams({ ids: ids.join(",") })}`);
  const deletion = find(list, "[value=delete]");
  deletion.dataset.confirm =
    number === 1
      ? "Delete this job with all its files? This cannot be undone."
      : `Delete these ${number} jobs with all their files? This cannot be undone.`;
  deletion.dataset.yes = `Delete ${number === 1 ? "it" : "them"}`;
}

/**
 * @param {HTMLInputElement} box
 * @param {boolean} isSelected
 */
function select(box, isSelected) {
  box.checked = isSelected;
  if (isSelected) selected.add(box.value);
  else selected.delete(box.value);
}

document.addEventListener("click", (event) => {
  const list = targetWithin(event, "form[data-many]");
  const { target, shiftKey } = event;
  if (!list || !(target instanceof HTMLInputElement) || target.type !== "checkbox") return;
  const boxes = boxesOf(list);
  const [from, to] = [boxes.findIndex(({ value }) => value === last), boxes.indexOf(target)];
  let affected = [target];
  if ("all" in target.dataset) affected = boxes.filter(isShown);
  else if (shiftKey && from >= 0)
    affected = boxes.slice(Math.min(from, to), Math.max(from, to) + 1).filter(isShown);
  for (const box of affected) select(box, target.checked);
  last = target.value;
  showActions(list);
});
