// The form of a test of one image: the fields of the input that is chosen, pairs to choose from, and drops anywhere on it.
import { pairPicker } from "./pair_picker.js";

for (const inputs of document.querySelectorAll(".inputs")) equip(inputs);

function equip(inputs) {
  const form = inputs.closest("form");
  const parts = [...inputs.querySelectorAll("[data-input]")];
  const field = (name) => inputs.querySelector(`[name="${name}"]`);
  const chosen = () => inputs.querySelector('[name="input.kind"]:checked').value;
  const pair = field("pair");
  const showPairs = pair && pairPicker(pair, inputs.dataset.datasets.split(" ").filter(Boolean));

  // The stylesheet hides the fields of another choice; they are not sent either, and not asked to be right.
  const show = () => {
    for (const part of parts) part.disabled = !part.dataset.input.split(" ").includes(chosen());
    if (chosen() === "pair") showPairs?.();
  };
  inputs.addEventListener("change", (event) => event.target.name === "input.kind" && show());
  addEventListener("pageshow", show); // The browser may have put back what was chosen before.
  show();

  // What is dropped beside a field is the image, or the stream where one is asked for.
  const passOn = (event) => {
    if (!event.dataTransfer?.types.includes("Files") || event.target.closest?.(".field:has([data-path])")) return;
    const wanted = chosen() === "stream" ? "stream" : "image";
    if (event.type === "drop" && wanted !== chosen()) inputs.querySelector('[value="image"]').click();
    const copy = new DragEvent(event.type, { dataTransfer: event.dataTransfer, relatedTarget: event.relatedTarget, cancelable: true });
    field(wanted).closest(".field").dispatchEvent(copy);
  };
  for (const type of ["dragover", "dragleave", "drop"]) form.addEventListener(type, passOn);
}
