// What a chart's lines and axes look like: data in uPlot's form, ranges, ticks, words for a place.
import { align, smoothed } from "./curves.js";
import { seconds, small } from "../base/format.js";

const LEAST = 1e-12;
const FEW = 40;

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The lines of some keys; a smoothed curve has the curve as it is behind it. */
export function linesOf(keys, style, { smooth }) {
  const lines = keys.map((key) => ({ key, style: style(key) }));
  return smooth ? [...lines.filter((line) => !line.style.plain).map((line) => ({ ...line, faint: true })), ...lines] : lines;
}

/** uPlot's data of some lines: [x, y1, y2, …]. */
export function dataOf(series, lines, look, log) {
  const [xs, ...columns] = align(series, lines.map(({ key }) => key), look.x);
  return [xs, ...columns.map((column, place) => {
    // A logarithm has no place for zero and below, and an axis none for hundreds of powers of ten.
    const known = log ? column.map((value) => (value > LEAST ? value : undefined)) : column;
    const { faint, style } = lines[place];
    return look.smooth && !faint && !style.plain ? smoothed(known, look.smooth) : known;
  })];
}

/** How a line is drawn. Few points are seen each, so that one alone is seen at all. */
export function strokeOf({ style, faint }) {
  return {
    stroke: () => (faint ? `color-mix(in srgb, ${colour(style.colour)} 30%, ${colour("--card")})` : colour(style.colour)),
    width: faint ? 1 : 2,
    dash: style.dash,
    spanGaps: true,
    points: { show: (plot, series) => !faint && plot.data[series].filter((value) => value != null).length < FEW, size: 5 },
  };
}

/** The two axes. `log` and `lines` are those of the vertical one. */
export function axesOf(lines, { x }, log) {
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const across = (tick, step) => (x === "time" ? seconds(tick) : x === "step" && !Number.isInteger(tick) ? "" : ofStep(tick, step));
  const up = lines[0]?.style.axis ?? ofStep;
  return [
    { ...axis, size: 28, values: (_, ticks, __, ___, step) => ticks.map((tick) => across(tick, step)) },
    log
      ? { ...axis, size: 60, splits: (_, __, low, high) => logTicks(low, high), filter: (_, ticks) => ticks, values: (_, ticks) => ticks.map(small) }
      : { ...axis, size: 60, values: (_, ticks, __, ___, step) => ticks.map((tick) => up(tick, step)) },
  ];
}

/** The scale of the values. Shares are seen whole; else a little more than the values take. */
export function scaleOf(lines, log) {
  if (log) return { distr: 3, range: (_, low, high) => (low == null ? [0.1, 1] : [low / 1.05, high * 1.05]) };
  const { whole } = lines[0]?.style ?? {};
  return { range: (_, low, high) => (whole ? [0, Math.max(whole, high ?? 0)] : paddedRange(low, high)) };
}

/** 1, 2 and 5 of each power of ten; within less than one power, a few even steps. */
export function logTicks(low, high) {
  if (high / low < 10) {
    const step = 10 ** Math.floor(Math.log10((high - low) / 2));
    const wide = [1, 2, 5].map((times) => times * step).find((one) => (high - low) / one <= 5) ?? 10 * step;
    const first = Math.ceil(low / wide);
    return Array.from({ length: Math.floor(high / wide) - first + 1 }, (_, place) => (first + place) * wide);
  }
  const powers = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = powers[1] - powers[0] > 4 ? [1] : [1, 2, 5];
  const all = Array.from({ length: powers[1] - powers[0] + 1 }, (_, place) => 10 ** (powers[0] + place)).flatMap((power) => every.map((times) => times * power));
  return all.filter((tick) => tick >= low && tick <= high);
}

/** The range of x that holds all points of some series, never one of no size. */
export function extentOf(all, x) {
  const ends = all.filter((line) => line[x].length).map((line) => [line[x][0], line[x].at(-1)]);
  if (!ends.length) return [0, 1];
  const [first, last] = [Math.min(...ends.map(([begin]) => begin)), Math.max(...ends.map(([, end]) => end))];
  return first === last ? [first - 0.5, first + 0.5] : [first, last];
}

/** A little more than the values take, and never a range of no size: numbers that differ by their rounding are the same. */
export function paddedRange(low, high) {
  if (low == null) return [0, 1];
  const differ = high - low > 1e-6 * Math.abs(high);
  const room = (differ ? high - low : Math.abs(high) || 1) * 0.06;
  return [low >= 0 && low < room * 3 ? 0 : low - room, high + room];
}

/** The index of the nearest point that a column has; of two, the earlier one. */
export function nearest(column, at) {
  if (!column || at == null) return null;
  for (let away = 0; away < column.length; away += 1) {
    if (column[at - away] != null) return at - away;
    if (column[at + away] != null) return at + away;
  }
  return null;
}

export function placeWords(at, x) {
  if (at == null) return "–";
  return x === "time" ? seconds(at) : at.toLocaleString("en", { maximumFractionDigits: x === "epoch" ? 2 : 0 });
}

/** A tick's value with the digits in which it differs from the next. */
function ofStep(tick, step) {
  if (tick === 0) return "0";
  return Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e6 ? small(tick) : tick.toLocaleString("en", { maximumFractionDigits: Math.max(0, Math.ceil(-Math.log10(step))) });
}
