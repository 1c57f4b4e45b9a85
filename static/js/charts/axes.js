// Lines and axes of a chart: data in uPlot's format, ranges, ticks and their labels.
import { align, smoothed } from "./curves.js";
import { AXIS, cssColour } from "./styles.js";
import { rounded, seconds, small, NO_VALUE, withMinus } from "../base/format.js";

/** @import uPlot from "uplot" */
/** @import { AxisName, SeriesByKey } from "../base/client_types.js" */
/** @import { Column } from "./curves.js" */
/** @import { CurveStyle } from "./styles.js" */

/**
 * @typedef {[number, number]} Range
 *
 * @typedef {object} Look The appearance that all charts of a page share.
 * @property {AxisName} x
 * @property {string} [xLabel] The name of the x axis, if it is not `x`.
 * @property {boolean} log Whether charts with data-log have a logarithmic axis.
 * @property {number} smooth 0 to below 1.
 * @property {Range | null} zoom The visible range of x; null for all of it.
 * @property {Range} extent The range of x of all points.
 *
 * @typedef {object} Line
 * @property {string} key
 * @property {CurveStyle} style
 * @property {boolean} [faint] The original of a smoothed curve, behind it.
 */

/** Smaller values are not shown on a logarithmic axis: it would need hundreds of powers of ten. */
const LEAST = 1e-12;
/** Distances of ticks: 1, 2 and 5 of each power of ten, so that a tick has no more digits than its
 * distance. */
const STEPS = Array.from({ length: 25 }, (_, index) => Number(`1e${index - 12}`)).flatMap((unit) =>
  [1, 2, 5].map((factor) => factor * unit),
);
/** Distances of ticks of a time axis, in seconds. */
const TIME_STEPS = [
  1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200,
].concat([1, 2, 5, 10, 20, 50, 100].map((days) => 86400 * days));
/** Curves with fewer points show them: a single point would be invisible otherwise. */
const FEW_POINTS = 40;

/**
 * The lines of some curves. Behind each smoothed curve is the original.
 * @param {string[]} keys
 * @param {(key: string) => CurveStyle} styleOf
 * @param {Look} look
 * @returns {Line[]}
 */
export function linesOf(keys, styleOf, { smooth }) {
  const lines = keys.map((key) => ({ key, style: styleOf(key) }));
  if (!smooth) return lines;
  const originals = lines.filter((line) => !line.style.plain);
  return [...originals.map((line) => ({ ...line, faint: true })), ...lines];
}

/**
 * The data of some lines in uPlot's format: [x, y1, y2, …].
 * @param {SeriesByKey} series
 * @param {Line[]} lines
 * @param {Look} look
 * @param {boolean} log
 * @returns {[number[], ...Column[]]}
 */
export function dataOf(series, lines, look, log) {
  const [xs, ...columns] = align(
    series,
    lines.map(({ key }) => key),
    look.x,
  );
  return [
    xs,
    ...columns.map((column, index) => {
      const values = log
        ? column.map((value) => (value != null && value > LEAST ? value : undefined))
        : column;
      const { faint, style } = lines[index];
      return look.smooth && !faint && !style.plain ? smoothed(values, look.smooth) : values;
    }),
  ];
}

/**
 * How uPlot draws a line.
 * @param {Line} line
 * @returns {uPlot.Series}
 */
export function strokeOf({ style, faint }) {
  return {
    stroke: () =>
      faint
        ? `color-mix(in srgb, ${cssColour(style.colour)} 30%, ${cssColour("--card")})`
        : cssColour(style.colour),
    width: faint ? 1 : 2,
    dash: style.dash,
    spanGaps: true,
    points: {
      show: (plot, series) =>
        !faint && [...plot.data[series]].filter((value) => value != null).length < FEW_POINTS,
      size: 5,
    },
  };
}

/**
 * The two axes.
 * @param {Line[]} lines
 * @param {Look} look
 * @param {boolean} log Of the vertical axis.
 * @returns {uPlot.Axis[]}
 */
export function axesOf(lines, { x }, log) {
  /** @type {(tick: number, step: number) => string} */
  const xLabel = (tick, step) => {
    if (x === "time") return seconds(tick);
    return tickText(tick, step);
  };
  /** @type {(tick: number, step: number) => string} */
  const yLabel = lines[0]?.style.formatTick ?? tickText;
  /** @type {uPlot.Axis} */
  const vertical = log
    ? {
        splits: (_plot, _axis, low, high) => logTicks(low, high),
        filter: (_plot, ticks) => ticks,
        values: (_plot, ticks) => logTickTexts(ticks),
      }
    : {
        incrs: STEPS,
        values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => yLabel(tick, step)),
      };
  return [
    {
      ...AXIS,
      size: 28,
      incrs: { time: TIME_STEPS, step: STEPS.filter((step) => step >= 1), epoch: STEPS }[x],
      space: (_plot, _axis, _min, _max, length) => tickSpace(length, 50, 4),
      values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => xLabel(tick, step)),
    },
    {
      ...AXIS,
      size: 60,
      space: (_plot, _axis, _min, _max, length) => tickSpace(length, 30, 5),
      ...vertical,
    },
  ];
}

/**
 * The scale of the values: a little more than their range, or up to the style's `top`.
 * @param {Line[]} lines
 * @param {boolean} log
 * @returns {uPlot.Scale}
 */
export function scaleOf(lines, log) {
  // uPlot passes null for the range of no values.
  if (log)
    return {
      distr: 3,
      range: (_plot, /** @type {number | null} */ low, /** @type {number | null} */ high) =>
        low == null || high == null ? [0.1, 1] : [low / 1.05, high * 1.05],
    };
  const top = lines[0]?.style.top;
  return {
    range: (_plot, /** @type {number | null} */ low, /** @type {number | null} */ high) =>
      top ? [0, Math.max(top, high ?? 0)] : paddedRange(low, high),
  };
}

/**
 * The ticks of a logarithmic axis: 1, 2 and 5 of each power of ten; a few even steps if the range
 * is smaller than a power of ten.
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function logTicks(low, high) {
  if (high / low < 10) return evenTicks(low, high);
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const factors = last - first > 4 ? [1] : [1, 2, 5];
  const powers = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  const ticks = powers.flatMap((power) => factors.map((factor) => factor * power));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/**
 * Two to six round values in a range, at equal distances.
 * @param {number} low
 * @param {number} high Above `low`.
 * @returns {number[]}
 */
export function evenTicks(low, high) {
  const unit = 10 ** Math.floor(Math.log10((high - low) / 2));
  const steps = [1, 2, 5].map((factor) => factor * unit);
  const step = steps.find((candidate) => (high - low) / candidate <= 5) ?? 10 * unit;
  const first = Math.ceil(low / step);
  return Array.from(
    { length: Math.floor(high / step) - first + 1 },
    (_, index) => (first + index) * step,
  );
}

/**
 * The texts of ticks that differ from each other.
 * @param {number[]} ticks Of `logTicks` or `evenTicks`.
 * @returns {string[]}
 */
export function logTickTexts(ticks) {
  if (ticks.length < 2 || ticks[ticks.length - 1] >= 10 * ticks[0]) return ticks.map(small);
  return ticks.map((tick) => tickText(tick, ticks[1] - ticks[0]));
}

/**
 * The range of x that contains all points of some curves; never empty.
 * @param {Record<AxisName, number[]>[]} curves
 * @param {AxisName} x
 * @returns {Range}
 */
export function extentOf(curves, x) {
  const columns = curves.map((curve) => curve[x]).filter((column) => column.length);
  if (!columns.length) return [0, 1];
  const first = Math.min(...columns.map((column) => column[0]));
  const last = Math.max(...columns.map((column) => column[column.length - 1]));
  return first === last ? [first - 0.5, first + 0.5] : [first, last];
}

/**
 * A little more than a range of values; never empty. Values that differ only by rounding count as
 * equal.
 * @param {number | null} low null without values.
 * @param {number | null} high
 * @returns {Range}
 */
export function paddedRange(low, high) {
  if (low == null || high == null) return [0, 1];
  const isRange = high - low > 1e-6 * Math.abs(high);
  const padding = (isRange ? high - low : Math.abs(high) || 1) * 0.06;
  return [low >= 0 && low < padding * 3 ? 0 : low - padding, high + padding];
}

/**
 * The index of the point of a column that is nearest to an index; of two, the earlier one.
 * @param {ArrayLike<number | null | undefined> | undefined} column
 * @param {number | null | undefined} index
 * @returns {number | null}
 */
export function nearest(column, index) {
  if (!column || index == null) return null;
  for (let distance = 0; distance < column.length; distance += 1) {
    if (column[index - distance] != null) return index - distance;
    if (column[index + distance] != null) return index + distance;
  }
  return null;
}

/**
 * The least distance of ticks in pixels. The next of STEPS is up to 2.5 times as far: where five
 * least distances fit, two round values are on the axis wherever it begins; where four fit, if it
 * begins at a round value, as the x axis does, whose texts need more room.
 * @param {number} length Of the axis.
 * @param {number} usual
 * @param {number} fit How often it fits at least.
 */
export const tickSpace = (length, usual, fit) => Math.min(usual, Math.floor(length / fit));

/**
 * A value of the x axis as text.
 * @param {number | null | undefined} value
 * @param {AxisName} x
 */
export function xText(value, x) {
  if (value == null) return NO_VALUE;
  if (x === "time") return seconds(value);
  // A point lies somewhere in its epoch: "epoch 1", not "epoch 1.09".
  return rounded(x === "epoch" && value >= 1 ? Math.floor(value) : value, x === "epoch" ? 2 : 0);
}

/**
 * A tick with as many digits as its distance to the next one needs: 20.788, 20.790, 20.792
 * @param {number} tick
 * @param {number} step The distance: 1, 2 or 5 of a power of ten.
 */
export function tickText(tick, step) {
  if (Math.abs(tick) < step * 1e-6) return "0";
  const powerOf = (/** @type {number} */ value) => Math.floor(Math.log10(value) + 1e-6);
  const size = Math.abs(tick);
  if (size >= 1e6 || (step < 9e-5 && size < 0.01)) {
    const digits = Math.min(Math.max(powerOf(size) - powerOf(step), 0), 10);
    return withMinus(tick.toExponential(digits));
  }
  const digits = Math.max(-powerOf(step), 0);
  return withMinus(
    tick.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  );
}
