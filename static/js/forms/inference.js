// The form of a test of one image: the fields of the chosen input, pairs to choose from, and files
// that are dropped anywhere on it.
import { ancestor, find, findAll, findOptional, targetOf } from "../base/dom.js";
import { chosenPictures } from "./chosen.js";
import { pairPicker } from "./pair_picker.js";

for (const inputs of findAll(document, ".inputs")) bind(inputs);

/** @param {HTMLElement} inputs */
function bind(inputs) {
  const form = ancestor(inputs, "form");
  const parts = findAll(inputs, "[data-input]", HTMLFieldSetElement);
  const chosenKind = () => find(inputs, '[name="input.kind"]:checked', HTMLInputElement).value;
  const pair = findOptional(inputs, '[name="pair"]', HTMLInputElement);
  const datasets = inputs.dataset.datasets?.split(" ").filter(Boolean) ?? [];
  const showPairs = pair && pairPicker(pair, datasets);

  // The stylesheet hides the fields of other inputs; disabled, they are neither sent nor validated.
  const show = () => {
    const kind = chosenKind();
    for (const part of parts) part.disabled = !part.dataset.input?.split(" ").includes(kind);
    if (kind === "pair") showPairs?.();
  };
  inputs.addEventListener("change", (event) => {
    if (targetOf(event)?.getAttribute("name") === "input.kind") show();
  });
  addEventListener("pageshow", show); // The browser may have restored an earlier choice.
  show();
  const holder = findOptional(document, "#chosen");
  if (holder) chosenPictures(inputs, holder);

  // A file that is dropped outside a field is the image; the stream, if a stream is chosen.
  const passOn = (/** @type {DragEvent} */ event) => {
    const isOnField = targetOf(event)?.closest(".field:has([data-path])");
    if (!event.dataTransfer?.types.includes("Files") || isOnField) return;
    const name = chosenKind() === "stream" ? "stream" : "image";
    if (event.type === "drop" && name !== chosenKind()) find(inputs, '[value="image"]').click();
    const copy = new DragEvent(event.type, {
      dataTransfer: event.dataTransfer,
      relatedTarget: event.relatedTarget,
      cancelable: true,
    });
    ancestor(find(inputs, `[name="${name}"]`), ".field").dispatchEvent(copy);
  };
  form.addEventListener("dragover", passOn);
  form.addEventListener("dragleave", passOn);
  form.addEventListener("drop", passOn);
}
