// Samples of the validations of a training: squares of pairs as input, output and ground truth.
import { element, find, findAll } from "../base/dom.js";
import { count, epoch } from "../base/format.js";
import { replaceWhenLoaded } from "../base/pictures.js";
import { sampleViewer, scoresOf } from "./sample_viewer.js";

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

/**
 * Without a last set that is not complete: its samples would appear one after another. Pinned
 * samples come before the others.
 * @param {SampleSet[]} sets
 * @returns {SampleSet[]}
 */
export function complete(sets) {
  const own = (/** @type {SampleSet} */ { samples }) =>
    [...samples.values()].filter(({ pinned }) => !pinned).length;
  const [previous, last] = [sets.at(-2), sets.at(-1)];
  return previous && last && own(last) < own(previous) ? sets.slice(0, -1) : sets;
}

/**
 * In the order of the page: pinned samples first.
 * @param {SampleSet} set
 */
const inOrder = ({ samples }) =>
  [...samples.values()].sort(
    (a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false) || a.index - b.index,
  );

/**
 * @param {ValidationSampleEvent} sample
 * @param {() => void} open
 * @param {() => Promise<void>} test
 */
function card(sample, open, test) {
  const { index, pair, pinned, width, height, input, output, target } = sample;
  const urls = { input, output, "ground truth": target };
  const pictures = Object.entries(urls).map(([role, url]) =>
    element("img", { src: url, width, height, alt: `Validation pair ${pair}, ${role}` }),
  );
  const label = `Compare input, output and ground truth of pair ${pair}`;
  /** @type {HTMLButtonElement} */
  const tester = element(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": `Test pair ${pair} and show all layers`,
      onclick: async () => {
        tester.disabled = true;
        await test();
        tester.disabled = false;
      },
    },
    "Test",
  );
  return element(
    "figure",
    { class: pinned && "pinned" },
    element(
      "button",
      { type: "button", id: `sample-${index}`, class: "triple", title: label, onclick: open },
      ...pictures,
    ),
    element(
      "figcaption",
      {},
      `${pinned ? "pinned: " : ""}pair ${pair}${scoresOf(sample)} `,
      tester,
    ),
  );
}

/**
 * Bind the slider through the sets. It follows the newest one until a user moves it.
 * @param {(pair: number) => Promise<void>} test Starts a test of a validation pair.
 * @returns {(sets: SampleSet[]) => void} Shows sets.
 */
export function sampleSlider(test) {
  const holder = find(document, "#samples");
  const buttons = findAll(document, "#samples-section [data-by]", HTMLButtonElement);
  const slider = find(document, "#samples-at", HTMLInputElement);
  const label = find(document, "#samples-position");
  /** @type {SampleSet[]} */
  let sets = [];
  let followsNewest = true;
  const dialog = sampleViewer();

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
    const cards = inOrder(set).map((sample) =>
      card(
        sample,
        () => dialog.open(sample.index, set.step),
        () => test(sample.pair),
      ),
    );
    replaceWhenLoaded(holder, cards);
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
    sets = complete(fresh);
    slider.disabled = sets.length < 2;
    slider.max = String(Math.max(sets.length - 1, 0));
    if (followsNewest) slider.value = slider.max;
    draw();
    dialog.update(sets);
  };
}
