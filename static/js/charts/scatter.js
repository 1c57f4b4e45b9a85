// A scatter chart: a point per thing, with its name, over a logarithmic cost. And the plane of such a
// chart: dB over a logarithmic axis.
import { paddedRange } from "./axes.js";
import { evenTicks, logTicks, logTickTexts, tickText } from "./ticks.js";
import { withRoot } from "../base/address.js";
import { svg } from "../base/dom.js";
import { NO_VALUE } from "../base/format.js";

/**
 * @typedef {object} ScatterPoint
 * @property {string} name
 * @property {string} href
 * @property {string} colour A custom property of CSS.
 * @property {number} shape Index of the shape of its mark.
 * @property {number} x Above 0.
 * @property {number} y
 * @property {string} title Both values as text.
 */

const HEIGHT = 280;
const [LEFT, RIGHT, TOP, BOTTOM] = [76, 16, 16, 32];
/** Pixels; half the height of a mark, and the distance of a name from it. */
const [MARK, AWAY] = [5, 9];
/** Estimated pixels of a letter, and of a line of text. */
const [LETTER, LINE] = [6.6, 15];
const MOST_LETTERS = 32;

/** Marks of 10×10 px: as colours repeat after six runs, the shape differs. */
const SHAPES = [
  "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0",
  "M-4.5 -4.5h9v9h-9z",
  "M0 -6L6 0L0 6L-6 0z",
  "M0 -6L5.5 5H-5.5z",
  "M0 6L5.5 -5H-5.5z",
];

/**
 * Draw points into a holder, as wide as it is.
 * @param {HTMLElement} holder
 * @param {ScatterPoint[]} points
 * @param {{ x: string, y: string }} labels Of the axes, with their units.
 */
export function drawScatter(holder, points, labels) {
  const range = valueRange(points.map(({ y }) => y));
  const { chart, width, across, up } = plane(holder, points, range, labels);
  const places = points.map(({ x, y }) => ({ x: across(x), y: up(y) }));
  chart.append(...marks(points, places, width));
}

/**
 * Draw an empty plane into a holder: its grid, with ticks.
 * @param {HTMLElement} holder
 * @param {{ x: number }[]} points What its x axis must contain.
 * @param {[number, number]} range Of y, in dB.
 * @param {{ x: string, y: string }} labels Of the axes, with their units.
 */
export function plane(holder, points, [low, high], labels) {
  const width = Math.max(holder.clientWidth, 240);
  const [left, right] = costRange(points.map(({ x }) => x));
  /** @param {number} x */
  const across = (x) =>
    LEFT + ((width - LEFT - RIGHT) * Math.log(x / left)) / Math.log(right / left);
  /** @param {number} y */
  const up = (y) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (y - low)) / (high - low);
  const chart = svg("svg", { class: "scatter", width, height: HEIGHT, role: "group" });
  chart.setAttribute("aria-label", `${labels.y} against ${labels.x}`);
  chart.append(...horizontalLines(low, high, up, width), ...verticalLines(left, right, across));
  holder.replaceChildren(chart);
  return { chart, width, across, up };
}

/**
 * @param {number[]} xs
 * @returns {[number, number]}
 */
function costRange(xs) {
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const room = Math.max((most / least) ** 0.08, 1.25);
  return [least / room, most * room];
}

/**
 * The range of values, with zero in it or near it: it is the score of the input.
 * @param {number[]} ys
 * @returns {[number, number]}
 */
function valueRange(ys) {
  const [low, high] = paddedRange(Math.min(0, ...ys), Math.max(0, ...ys));
  return [low, high];
}

/**
 * @param {number} low
 * @param {number} high
 * @param {(y: number) => number} up
 * @param {number} width
 */
function horizontalLines(low, high, up, width) {
  const ticks = evenTicks(low, high);
  return ticks.flatMap((tick) => [
    svg("line", {
      x1: LEFT,
      x2: width - RIGHT,
      y1: up(tick),
      y2: up(tick),
      class: Math.abs(tick) < 1e-9 ? "zero" : "",
    }),
    svg(
      "text",
      { x: LEFT - 8, y: up(tick) + 4, "text-anchor": "end" },
      `${tickText(tick, ticks.length > 1 ? ticks[1] - ticks[0] : 1)} dB`,
    ),
  ]);
}

/**
 * @param {number} left
 * @param {number} right
 * @param {(x: number) => number} across
 */
function verticalLines(left, right, across) {
  const ticks = logTicks(left, right);
  const texts = logTickTexts(ticks);
  let end = -Infinity;
  return ticks.flatMap((tick, index) => {
    const text = texts[index] ?? NO_VALUE;
    const middle = across(tick);
    const line = svg("line", { x1: middle, x2: middle, y1: TOP, y2: HEIGHT - BOTTOM });
    const half = (text.length * LETTER) / 2;
    if (middle - half < end + AWAY) return [line];
    end = middle + half;
    const y = HEIGHT - BOTTOM + 18;
    return [line, svg("text", { x: middle, y, "text-anchor": "middle" }, text)];
  });
}

/**
 * The marks of the points; names where they cover neither marks nor other names.
 * @param {ScatterPoint[]} points
 * @param {{ x: number, y: number }[]} places
 * @param {number} width
 */
function marks(points, places, width) {
  const taken = places.map(({ x, y }) => boxAround(x - MARK, y, 2 * MARK));
  return points.map((point, index) => {
    const { x, y } = places[index];
    const name =
      point.name.length > MOST_LETTERS ? `${point.name.slice(0, MOST_LETTERS - 1)}…` : point.name;
    const link = svg("a", {
      href: withRoot(point.href),
      transform: `translate(${x} ${y})`,
      // Contains the visible text, so that speech input finds the link by it (WCAG 2.5.3).
      "aria-label": `${name}: ${point.title}`,
    });
    link.style.setProperty("--series", `var(${point.colour})`);
    link.append(
      svg("title", {}, `${point.name}: ${point.title}`),
      svg("path", { d: SHAPES[point.shape % SHAPES.length] }),
    );
    const length = name.length * LETTER;
    const sides = [
      { start: x + AWAY, at: AWAY, anchor: "start" },
      { start: x - AWAY - length, at: -AWAY, anchor: "end" },
    ];
    const side = sides.find(({ start }) => {
      const box = boxAround(start, y, length);
      const isInside = start >= LEFT && start + length <= width;
      return isInside && !taken.some((other, place) => place !== index && overlaps(box, other));
    });
    if (side) {
      taken.push(boxAround(side.start, y, length));
      link.append(svg("text", { x: side.at, y: 4, "text-anchor": side.anchor }, name));
    }
    return link;
  });
}

/** @typedef {{ left: number, right: number, top: number, bottom: number }} Box */

/**
 * @param {number} left
 * @param {number} middle
 * @param {number} length
 * @returns {Box}
 */
const boxAround = (left, middle, length) => ({
  left,
  right: left + length,
  top: middle - LINE / 2,
  bottom: middle + LINE / 2,
});

/**
 * @param {Box} one
 * @param {Box} other
 */
const overlaps = (one, other) =>
  one.left < other.right &&
  other.left < one.right &&
  one.top < other.bottom &&
  other.top < one.bottom;
