// Lines and axes of a chart: data in uPlot's format, ranges and axes.
import { align, smoothed } from "./curves.js";
import { AXIS, cssColour } from "./styles.js";
import {
  evenTickTexts,
  logTicks,
  logTickTexts,
  STEPS,
  ticksIn,
  tickText,
  timeTick,
  TIME_STEPS,
} from "./ticks.js";
import { rounded, seconds, NO_VALUE } from "../base/format.js";

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
/** Pixels from tick to tick: across, where their texts need more room, and up. */
const [ACROSS, UP, UP_LOG] = [60, 30, 16];
/** uPlot's own ticks are too few at some zooms. It still tells what a pixel is: step / pixels. */
const OWN_TICKS = {
  incrs: STEPS,
  space: 10,
  filter: (/** @type {uPlot} */ _plot, /** @type {number[]} */ ticks) => ticks,
};
/** The narrowest zoom, as a share of the range of all points. */
const LEAST_ZOOM = 1e-6;
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
  const [xFormat, yFormat] = [
    x === "time" ? timeTick : tickText,
    lines[0]?.style.formatTick ?? tickText,
  ];
  return [
    {
      ...AXIS,
      ...OWN_TICKS,
      size: 28,
      splits: (_plot, _axis, low, high, step, pixels) =>
        xTicks(x, low, high, (ACROSS * step) / pixels),
      values: (_plot, ticks) => evenTickTexts(ticks, xFormat),
    },
    {
      ...AXIS,
      ...OWN_TICKS,
      size: 60,
      splits: (_plot, _axis, low, high, step, pixels) =>
        log
          ? logTicks(low, high, ((high - low) * pixels) / step / UP_LOG)
          : ticksIn(low, high, (UP * step) / pixels),
      values: (_plot, ticks) => (log ? logTickTexts(ticks) : evenTickTexts(ticks, yFormat)),
    },
  ];
}

/**
 * The ticks of the x axis: whole steps and seconds, unless only one is in the range.
 * @param {AxisName} x
 * @param {number} low
 * @param {number} high
 * @param {number} least Their least distance.
 */
export const xTicks = (x, low, high, least) =>
  x === "epoch"
    ? ticksIn(low, high, least)
    : ticksIn(low, high, Math.max(least, 1), x === "time" ? TIME_STEPS : STEPS);

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
  return first === last ? [Math.max(first - 1, 0), first + 1] : [first, last];
}

/**
 * A range that is wide enough for ticks that differ.
 * @param {Range} range
 * @param {Range} extent Of all points.
 * @returns {Range}
 */
export function wideEnough([low, high], [first, last]) {
  return [low, Math.max(high, low + LEAST_ZOOM * (last - first))];
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
