// A sample of the validation: a square of a pair as it goes in, as it comes out, and as it was.
import { element } from "./dom.js";
import { gain } from "./format.js";

const ROLES = { input: "input", output: "output", target: "truth" };

/** The card of a `sample` event. */
export function sampleCard(sample) {
  const { pair, width, height, psnr_input: before, psnr_output: after } = sample;
  const pictures = Object.entries(ROLES).map(([role, words]) => element("img", { src: sample[role], width, height, alt: `Validation pair ${pair}, ${words}`, title: words }));
  const known = before != null && after != null;
  const words = known ? `pair ${pair} · ${before.toFixed(2)} → ${after.toFixed(2)} dB, ${gain(after - before)}` : `pair ${pair}`;
  return element("figure", {}, element("div", { class: "triple" }, ...pictures), element("figcaption", {}, words));
}
