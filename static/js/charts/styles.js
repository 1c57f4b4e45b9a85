// Styles of curves: the same quantity has the same name and colour on every page. The scores of the
// inputs, which every network has to beat, are dashed.
import { svg } from "../base/dom.js";
import { bytesTick, percentageTick, percentTick } from "./ticks.js";
import {
  bytes,
  decibel,
  gain,
  loss,
  NO_VALUE,
  percent,
  percentage,
  similarity,
} from "../base/format.js";

/** @import { TickFormat } from "./ticks.js" */

/**
 * @typedef {(value: number | null) => string} Formatter
 *
 * @typedef {object} CurveStyle
 * @property {string} label
 * @property {string} colour A custom property of CSS.
 * @property {number[]} [dash]
 * @property {Formatter | null} [format] Of values; null for `small`.
 * @property {TickFormat} [formatTick]
 * @property {boolean} [plain] Whether it is never smoothed.
 * @property {number} [top] The value that the axis reaches at least, from 0.
 */

/**
 * The value of a custom property such as "--rate".
 * @param {string} name
 */
export const cssColour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What the axes of all charts have in common. */
export const AXIS = {
  stroke: () => cssColour("--quiet"),
  grid: { stroke: () => cssColour("--line"), width: 1 },
  ticks: { show: false },
  font: "12px system-ui",
};

/** @type {Record<string, CurveStyle>} */
const STYLES = {
  lr: { label: "rate", colour: "--rate", plain: true },
  gradient_norm: { label: "norm", colour: "--train" },
  images_per_second: { label: "patches/s", colour: "--train" },
  data_wait: {
    label: "waiting",
    colour: "--train",
    format: (value) => (value == null ? NO_VALUE : percent(value)),
    formatTick: percentTick,
    top: 1,
  },
  "hardware/cpu": {
    label: "processor",
    colour: "--train",
    format: percentage,
    formatTick: percentageTick,
    plain: true,
    top: 100,
  },
  "hardware/memory": {
    label: "memory",
    colour: "--train",
    format: bytes,
    formatTick: bytesTick,
    plain: true,
  },
};

/** The style of the scores of inputs. */
export const INPUT_STYLE = { label: "input", colour: "--baseline", dash: [6, 4], plain: true };

/** @type {Record<string, string>} Of the filters that a network is compared with. */
const FILTER_COLOURS = { nlmeans: "--rate", bm3d: "--fourth", spp: "--fifth" };

// The palette of Okabe and Ito, without the grey of the inputs.
const COLOURS = ["--train", "--validation", "--rate", "--fourth", "--fifth", "--sixth"];

/** After how many curves the colours repeat. */
export const REPEAT = COLOURS.length;

/** Each repetition of the colours has other dashes: 30 curves differ. */
const DASHES = [undefined, [8, 3], [2, 3], [8, 3, 2, 3], [14, 4]];

/**
 * The colour and the dashes of the n-th of several curves.
 * @param {number} index
 */
export function nthStyle(index) {
  return {
    colour: COLOURS[index % REPEAT],
    dash: DASHES[Math.floor(index / REPEAT) % DASHES.length],
  };
}

/**
 * A short piece of a curve, for legends and tables.
 * @param {Pick<CurveStyle, "colour" | "dash">} style
 */
export function swatch({ colour, dash }) {
  const picture = svg("svg", { class: "line", width: 20, height: 4, "aria-hidden": "true" });
  picture.style.setProperty("--series", `var(${colour})`);
  picture.append(
    svg("line", { x2: 20, y1: 2, y2: 2, "stroke-dasharray": dash?.join(" ") ?? "none" }),
  );
  return picture;
}

/**
 * The formatter of a curve's values; null for the default.
 * @param {string} key
 * @returns {Formatter | null}
 */
export function formatterOf(key) {
  if (key.startsWith("val/psnr")) return decibel;
  if (key.startsWith("val/gain")) return gain;
  if (key.startsWith("val/ssim")) return similarity;
  return key.includes("/") ? loss : null;
}

/**
 * The style of a curve of one training.
 * @param {string} key
 * @returns {CurveStyle}
 */
export function styleOf(key) {
  if (STYLES[key]) return STYLES[key];
  const [, gpu, memory] = /^hardware\/gpu(\d+)(_memory)?$/.exec(key) ?? [];
  if (gpu != null) {
    const format = memory ? bytes : percentage;
    return {
      label: `GPU ${gpu}`,
      ...nthStyle(1 + Number(gpu)),
      format,
      formatTick: memory ? bytesTick : percentageTick,
      plain: true,
    };
  }
  const format = formatterOf(key);
  if (key.startsWith("train/")) return { label: "training", colour: "--train", format };
  const [, filter] = /^val\/gain_of_(.+)$/.exec(key) ?? [];
  if (filter) {
    const colour = FILTER_COLOURS[filter] ?? "--sixth";
    return { label: filter, colour, dash: [3, 3], plain: true, format };
  }
  return key.endsWith("_input")
    ? { ...INPUT_STYLE, format }
    : { label: "validation", colour: "--validation", plain: true, format };
}
