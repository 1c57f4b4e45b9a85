// The page that chooses the models to compare: its search, and how many are chosen.
import { find, findAll } from "../base/dom.js";
import { counted } from "../base/format.js";
import { bindRowSearch } from "../runs/row_search.js";

const boxes = findAll(document, "#choose input[name=ids]", HTMLInputElement);
const field = find(document, "#search-runs", HTMLInputElement);
const number = find(document, "#chosen");

const chosen = () => boxes.filter(({ checked }) => checked).length;

function showChosen() {
  number.textContent = `${counted(chosen(), "model")} chosen`;
}

bindRowSearch(field, () => findAll(document, "#choose tbody tr"));
document.addEventListener("change", showChosen);
window.addEventListener("pageshow", showChosen); // The browser may have restored a choice.
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault(); // It would compare.
});
