// Samples of the validations of a training: squares of pairs as input, output and ground truth.
import { element, find, findAll } from "../base/dom.js";
import { count, epoch, fromTo, gain } from "../base/format.js";
import { replaceWhenLoaded } from "../base/pictures.js";

/** @import { JobEvent, ValidationSampleEvent } from "../base/types.js" */

/**
 * @typedef {object} SampleSet The samples of one validation.
 * @property {number} step
 * @property {number} epoch
 * @property {Map<number, ValidationSampleEvent>} samples By index.
 */

/**
 * Add the sample of an event. After a resume, later sets are removed.
 * @param {SampleSet[]} sets By step.
 * @param {JobEvent} event
 * @returns {SampleSet[]}
 */
export function withSample(sets, event) {
  if (event.type === "resumed") return sets.filter(({ step }) => step <= event.step);
  if (event.type !== "sample" || !("index" in event)) return sets;
  const last = sets.at(-1);
  if (last?.step === event.step) {
    last.samples.set(event.index, event);
    return sets;
  }
  return [
    ...sets.filter(({ step }) => step < event.step),
    { step: event.step, epoch: event.epoch, samples: new Map([[event.index, event]]) },
  ];
}

/** @param {ValidationSampleEvent} sample */
function card({ pair, width, height, input, output, target, psnr_input, psnr_output }) {
  const urls = { input, output, truth: target };
  const pictures = Object.entries(urls).map(([role, url]) =>
    element(
      "a",
      { href: url, target: "_blank", title: `Open the ${role}` },
      element("img", { src: url, width, height, alt: `Validation pair ${pair}, ${role}` }),
    ),
  );
  const scores =
    psnr_input == null || psnr_output == null
      ? ""
      : ` · ${fromTo(psnr_input, psnr_output)} dB, ${gain(psnr_output - psnr_input)}`;
  return element(
    "figure",
    {},
    element("div", { class: "triple" }, ...pictures),
    element("figcaption", {}, `pair ${pair}${scores}`),
  );
}

/**
 * Bind the slider through the sets. It follows the newest one until a user moves it.
 * @returns {(sets: SampleSet[]) => void} Shows sets.
 */
export function sampleSlider() {
  const holder = find(document, "#samples");
  const buttons = findAll(document, ".through-time button", HTMLButtonElement);
  const slider = find(document, "#samples-at", HTMLInputElement);
  const label = find(document, "#samples-position");
  /** @type {SampleSet[]} */
  let sets = [];
  let followsNewest = true;

  const current = () => Number(slider.value);
  const targetOf = (/** @type {HTMLButtonElement} */ button) =>
    current() + Number(button.dataset.by);

  function draw() {
    const set = sets[current()];
    if (!set) return;
    const place = `epoch ${epoch(set.epoch)}, step ${count(set.step)}`;
    label.textContent = `${place} · ${current() + 1} of ${sets.length}`;
    slider.setAttribute("aria-valuetext", place);
    for (const button of buttons) button.disabled = !sets[targetOf(button)];
    const samples = [...set.samples.values()].sort((a, b) => a.index - b.index);
    replaceWhenLoaded(holder, samples.map(card));
  }

  /** @param {number} index */
  function moveTo(index) {
    if (!sets.length) return;
    slider.value = String(index);
    followsNewest = current() === sets.length - 1;
    draw();
  }

  slider.addEventListener("input", () => moveTo(current()));
  for (const button of buttons) button.addEventListener("click", () => moveTo(targetOf(button)));
  return (fresh) => {
    // An incomplete set is not shown: its samples would appear one after another.
    const [previous, last] = [fresh.at(-2), fresh.at(-1)];
    const isIncomplete = previous && last && last.samples.size < previous.samples.size;
    sets = isIncomplete ? fresh.slice(0, -1) : fresh;
    slider.disabled = sets.length < 2;
    slider.max = String(Math.max(sets.length - 1, 0));
    if (followsNewest) slider.value = slider.max;
    draw();
  };
}
