// Ticks of axes and their texts. Every axis has at least two, and their texts differ.
import { bytes, percentage, seconds, small, withMinus } from "../base/format.js";

/** @typedef {(tick: number, step: number) => string} TickFormat `step`: from tick to tick. */

/** Distances of ticks: 1, 2 and 5 of each power of ten, so that a tick has no more digits than its
 * distance. */
export const STEPS = Array.from({ length: 31 }, (_, index) => Number(`1e${index - 15}`)).flatMap(
  (unit) => [1, 2, 5].map((factor) => factor * unit),
);
/** Distances of ticks of a time axis, in seconds. */
export const TIME_STEPS = [
  ...STEPS.filter((step) => step < 1),
  ...[1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200],
  ...STEPS.filter((step) => step >= 1).map((days) => 86400 * days),
];
/** Rounding errors of multiples are smaller, in steps. */
const TOLERANCE = 1e-9;

/**
 * The multiples of a step in a range: of the first step that is at least `least`, or of a smaller
 * one where that has fewer than two.
 * @param {number} low
 * @param {number} high Above `low`.
 * @param {number} least
 * @param {number[]} [steps] Ascending, each at most three times the one before.
 * @returns {number[]}
 */
export function ticksIn(low, high, least, steps = STEPS) {
  const start = steps.findIndex((step) => step >= least * (1 - TOLERANCE));
  for (let index = start < 0 ? steps.length - 1 : start; index >= 0; index -= 1) {
    const step = steps[index];
    const first = Math.ceil(low / step - TOLERANCE);
    const count = Math.floor(high / step + TOLERANCE) - first + 1;
    if (count >= 2) return Array.from({ length: count }, (_, place) => (first + place) * step);
  }
  return [];
}

/**
 * Two to six round values in a range, at equal distances.
 * @param {number} low
 * @param {number} high Above `low`.
 */
export const evenTicks = (low, high) => ticksIn(low, high, (high - low) / 5);

/**
 * The ticks of a logarithmic axis: 1, 2 and 5 of each power of ten, or only the powers where these
 * are too many; a few even steps if the range is smaller than a power of ten.
 * @param {number} low
 * @param {number} high
 * @param {number} [most]
 * @returns {number[]}
 */
export function logTicks(low, high, most = 13) {
  if (high / low < 10) return evenTicks(low, high);
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  const isInside = (/** @type {number} */ tick) => tick >= low && tick <= high;
  const fine = powers.flatMap((power) => [power, 2 * power, 5 * power]).filter(isInside);
  const coarse = powers.filter(isInside);
  if (fine.length <= most || coarse.length < 2) return fine;
  const every = Math.ceil(coarse.length / most);
  return coarse.filter((_, index) => index % every === 0);
}

/**
 * The texts of ticks that differ from each other.
 * @param {number[]} ticks Of `logTicks` or `evenTicks`.
 * @returns {string[]}
 */
export function logTickTexts(ticks) {
  if (ticks.length < 2 || ticks[ticks.length - 1] >= 10 * ticks[0]) return ticks.map(small);
  return evenTickTexts(ticks, tickText);
}

/**
 * The texts of ticks at equal distances.
 * @param {number[]} ticks
 * @param {TickFormat} format
 */
export const evenTickTexts = (ticks, format) =>
  ticks.map((tick) => format(tick, ticks.length > 1 ? ticks[1] - ticks[0] : 1));

/**
 * A tick with as many digits as its distance to the next one needs: 20.788, 20.790, 20.792
 * @type {TickFormat} The distance is 1, 2 or 5 of a power of ten.
 */
export function tickText(tick, step) {
  if (Math.abs(tick) < step * 1e-6) return "0";
  const powerOf = (/** @type {number} */ value) => Math.floor(Math.log10(value) + 1e-6);
  const size = Math.abs(tick);
  if (size >= 1e6 || (step < 9e-5 && size < 0.01)) {
    const digits = Math.min(Math.max(powerOf(size) - powerOf(step), 0), 15);
    return withMinus(tick.toExponential(digits));
  }
  const digits = Math.max(-powerOf(step), 0);
  return withMinus(
    tick.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  );
}

/**
 * A duration in seconds: 41 s, 2:05 min, 1:01 h; where these would not differ 1:01:20 h or 0.5 s
 * @type {TickFormat}
 */
export function timeTick(tick, step) {
  if (step < 1) return `${tickText(tick, step)} s`;
  const isExact = tick < 3600 || Math.round(step) % 60 === 0;
  if (isExact) return seconds(tick);
  const rest = String(Math.round(tick) % 60).padStart(2, "0");
  return seconds(Math.floor(tick / 60) * 60).replace(" h", `:${rest} h`);
}

/**
 * A size in bytes, with the digits of `tickText`: 1.234 GB
 * @type {TickFormat}
 */
export function bytesTick(tick, step) {
  const unit = bytes(tick).replace(/^\S+ /, "");
  const factor = 1000 ** Math.max(["B", "kB", "MB", "GB", "TB"].indexOf(unit), 0);
  return `${tickText(tick / factor, step / factor)} ${unit}`;
}

/**
 * A number that is a percentage: 13 %, and 12.5 % where the steps are fractions
 * @type {TickFormat}
 */
export const percentageTick = (tick, step) =>
  step >= 1 ? percentage(tick) : `${tickText(tick, step)} %`;

/** @type {TickFormat} A share of 1, in percent. */
export const percentTick = (tick, step) => percentageTick(100 * tick, 100 * step);
