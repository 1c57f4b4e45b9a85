// The length of a training: the number is sent under the name of the selected unit.
import { find } from "../base/dom.js";

const length = find(document, "[data-length]", HTMLInputElement);
const unit = find(document, '[name="length_unit"]', HTMLSelectElement);
unit.removeAttribute("name"); // Only needed without scripts.

const nameLength = () => {
  length.name = unit.value;
  length.step = unit.value === "minutes" ? "any" : "1"; // Of the arrows, too.
};
unit.addEventListener("change", nameLength);
window.addEventListener("pageshow", nameLength); // The browser may have restored another unit.
nameLength();
