// Samples of the validation, through time: squares of pairs as they go in, as they come out, and as they were.
import { element } from "../base/dom.js";
import { count, epochs, gain } from "../base/format.js";
import { swap } from "../base/pictures.js";

const ROLES = { input: "input", output: "output", target: "truth" };

/** All showings of samples by step, as `sample` and `resumed` events tell them: [{step, epoch, samples: Map by index}, …]. */
export function withShown(showings, event) {
  if (event.type === "resumed") return showings.filter(({ step }) => step <= event.step);
  if (event.type !== "sample") return showings;
  const last = showings.at(-1);
  if (last?.step === event.step) {
    last.samples.set(event.index, event);
    return showings;
  }
  return [...showings.filter(({ step }) => step < event.step), { step: event.step, epoch: event.epoch, samples: new Map([[event.index, event]]) }];
}

/** The card of a `sample` event. */
function sampleCard(sample) {
  const { pair, width, height, psnr_input: before, psnr_output: after } = sample;
  const pictures = Object.entries(ROLES).map(([role, words]) =>
    element("a", { href: sample[role], target: "_blank", title: `${words}: open it` }, element("img", { src: sample[role], width, height, alt: `Validation pair ${pair}, ${words}` })),
  );
  const known = before != null && after != null;
  const words = known ? `pair ${pair} · ${before.toFixed(2)} → ${after.toFixed(2)} dB, ${gain(after - before)}` : `pair ${pair}`;
  return element("figure", {}, element("div", { class: "triple" }, ...pictures), element("figcaption", {}, words));
}

/** The slider through the showings; returns `show(showings)`. It stays at the newest unless somebody has moved it. */
export function samplesThroughTime() {
  const holder = document.querySelector("#samples");
  const controls = document.querySelector(".through-time");
  const slider = document.querySelector("#samples-at");
  let showings = [];
  let follows = true;

  function draw() {
    const at = showings[Number(slider.value)];
    if (!at) return;
    const where = `epoch ${epochs(at.epoch)}, step ${count(at.step)}`;
    document.querySelector("#samples-words").textContent = `${where} · ${Number(slider.value) + 1} of ${showings.length}`;
    slider.setAttribute("aria-valuetext", where);
    for (const button of controls.querySelectorAll("button")) button.disabled = !showings[Number(slider.value) + Number(button.dataset.by)];
    swap(holder, [...at.samples.values()].sort((a, b) => a.index - b.index).map(sampleCard));
  }

  function moveTo(place) {
    if (!showings.length) return;
    slider.value = place;
    follows = Number(slider.value) === showings.length - 1;
    draw();
  }

  slider.addEventListener("input", () => moveTo(slider.value));
  for (const button of controls.querySelectorAll("button")) button.addEventListener("click", () => moveTo(Number(slider.value) + Number(button.dataset.by)));
  return (fresh) => {
    // One that is still coming in is shown when it is whole: nothing is to vanish and come back.
    const [before, last] = [fresh.at(-2), fresh.at(-1)];
    showings = before && last.samples.size < before.samples.size ? fresh.slice(0, -1) : fresh;
    slider.disabled = showings.length < 2;
    slider.max = Math.max(showings.length - 1, 0);
    if (follows) slider.value = slider.max;
    draw();
  };
}
