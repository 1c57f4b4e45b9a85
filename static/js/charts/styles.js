// How curves look: the same thing has the same name and colour everywhere, and the input as it is, is dashed.
import { bytes, decibel, losses, percent, similarity } from "../base/format.js";

const known = (words) => (value) => (value == null ? "–" : words(value));
const load = known((value) => `${Math.round(value)} %`);

const STYLES = {
  lr: { label: "rate", colour: "--rate", plain: true },
  gradient_norm: { label: "norm", colour: "--train" },
  images_per_second: { label: "patches/s", colour: "--train" },
  data_wait: { label: "waiting", colour: "--train", show: known(percent), axis: percent, whole: 1 },
  "hardware/cpu": { label: "processor", colour: "--train", show: load, axis: load, plain: true, whole: 100 },
  "hardware/memory": { label: "memory", colour: "--train", show: bytes, axis: bytes, plain: true },
};

// Okabe-Ito, without the grey of the input; a second round is dashed.
const COLOURS = ["--train", "--validation", "--rate", "--fourth", "--fifth", "--sixth"];

/** The colour, and the dash, of the n-th of several things. */
export function nth(place) {
  return { colour: COLOURS[place % COLOURS.length], dash: place < COLOURS.length ? undefined : [8, 3] };
}

/** How the values of a curve are said: null for as any number. */
export const showOf = (key) => (key.startsWith("val/psnr") ? decibel : key.startsWith("val/ssim") ? similarity : key.includes("/") ? losses : null);

/** The style of a curve of one training. */
export function styleOf(key) {
  if (STYLES[key]) return STYLES[key];
  const [, gpu, memory] = /^hardware\/gpu(\d+)(_memory)?$/.exec(key) ?? [];
  if (gpu != null) return { label: `GPU ${gpu}`, ...nth(1 + Number(gpu)), show: memory ? bytes : load, axis: memory ? bytes : load, plain: true };
  if (key.startsWith("train/")) return { label: "training", colour: "--train", show: showOf(key) };
  const role = key.endsWith("_input") ? { label: "input", colour: "--baseline", dash: [6, 4], plain: true } : { label: "validation", colour: "--validation", plain: true };
  return { ...role, show: showOf(key) };
}
