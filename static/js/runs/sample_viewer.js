// The dialog that shows a validation sample in the viewer, with a slider through the validations.
import { element, find, findAll } from "../base/dom.js";
import { count, epoch, fromTo, gain } from "../base/format.js";
import { viewer } from "../viewer/viewer.js";

/** @import { ValidationSampleEvent } from "../base/types.js" */
/** @import { SampleSet } from "./samples.js" */

/** @param {ValidationSampleEvent} sample */
const urlsOf = ({ input, output, target }) => [input, output, target];

/** @param {ValidationSampleEvent} sample */
export function scoresOf({ psnr_input, psnr_output }) {
  if (psnr_input == null || psnr_output == null) return "";
  return ` · ${fromTo(psnr_input, psnr_output)} dB, ${gain(psnr_output - psnr_input)}`;
}

/**
 * Bind the dialog.
 * @returns {{ open: (index: number, step: number) => void, update: (sets: SampleSet[]) => void }}
 *   `open` shows the sample of an index as it was at a step.
 */
export function sampleViewer() {
  const dialog = find(document, "#sample-viewer", HTMLDialogElement);
  const slider = find(dialog, "input", HTMLInputElement);
  const label = find(dialog, "output");
  const buttons = findAll(dialog, "[data-by]", HTMLButtonElement);
  /** @type {SampleSet[]} */
  let all = [];
  /** @type {SampleSet[]} Those that have the sample: not all, if it was pinned during the run. */
  let sets = [];
  let shown = 0;
  /** @type {(urls: string[]) => void} */
  let replace = () => {};

  const current = () => Number(slider.value);
  const withShown = () => all.filter(({ samples }) => samples.has(shown));
  const sampleAt = (/** @type {number} */ at) => sets[at]?.samples.get(shown);

  function draw() {
    const [set, sample] = [sets[current()], sampleAt(current())];
    if (!set || !sample) return;
    const place = `epoch ${epoch(set.epoch)}, step ${count(set.step)}`;
    label.textContent = `${place} · ${current() + 1} of ${sets.length}${scoresOf(sample)}`;
    slider.setAttribute("aria-valuetext", place);
    slider.disabled = sets.length < 2;
    for (const button of buttons) button.disabled = !sets[current() + Number(button.dataset.by)];
    replace(urlsOf(sample));
  }

  slider.addEventListener("input", draw);
  for (const button of buttons)
    button.addEventListener("click", () => {
      slider.value = String(current() + Number(button.dataset.by));
      draw();
    });
  dialog.addEventListener("close", () => find(dialog, ".picture").replaceChildren());
  return {
    open: (index, step) => {
      shown = index;
      sets = withShown();
      const at = sets.findIndex((set) => set.step === step);
      const sample = sampleAt(at);
      if (!sample) return;
      slider.max = String(sets.length - 1);
      slider.value = String(at);
      find(dialog, "h2").textContent = `Validation pair ${count(sample.pair)}`;
      dialog.showModal();
      const holder = element("div");
      find(dialog, ".picture").replaceChildren(holder);
      const [input, output, target] = urlsOf(sample);
      const { width, height } = sample;
      replace = viewer(holder, [
        { role: "input", label: "Input", url: input, width, height },
        { role: "output", label: "Output", url: output },
        { role: "target", label: "Ground truth", url: target },
      ]);
      draw();
    },
    update: (fresh) => {
      const isAtNewest = current() === sets.length - 1;
      all = fresh;
      if (!dialog.open) return;
      sets = withShown();
      slider.max = String(Math.max(sets.length - 1, 0));
      if (isAtNewest) slider.value = slider.max;
      draw();
    },
  };
}
