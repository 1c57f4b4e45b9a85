// Heat maps of the weights or gradients of each layer over the training.
import { context2d, element, find } from "../base/dom.js";
import { count, small } from "../base/format.js";
import { cssColour } from "../charts/styles.js";

/** @import { JobEvent, ValueHistogram, WeightsEvent } from "../base/types.js" */

/** @typedef {"weights" | "gradients"} What */

const ROWS = 48;

/**
 * Add the histograms of an event. After a resume, later ones are removed.
 * @param {WeightsEvent[]} sets By step.
 * @param {JobEvent} event
 * @returns {WeightsEvent[]}
 */
export function withWeights(sets, event) {
  if (event.type === "resumed") return sets.filter(({ step }) => step <= event.step);
  if (event.type !== "weights") return sets;
  return [...sets.filter(({ step }) => step < event.step), event];
}

/**
 * The shares of a histogram's values in rows of a range; each row takes its part of every bar.
 * @param {ValueHistogram} histogram
 * @param {number} low Of the range, which contains the histogram.
 * @param {number} high
 * @returns {number[]} From the lowest row; their sum is 1.
 */
export function rowsOf(histogram, low, high) {
  const total = histogram.counts.reduce((sum, number) => sum + number, 0);
  const height = (high - low) / ROWS || 1;
  const bar = (histogram.high - histogram.low) / histogram.counts.length;
  const rows = Array.from({ length: ROWS }, () => 0);
  histogram.counts.forEach((number, index) => {
    const from = (histogram.low + index * bar - low) / height;
    const to = from + bar / height;
    const first = Math.min(Math.floor(from), ROWS - 1);
    const last = Math.min(Math.max(Math.ceil(to) - 1, first), ROWS - 1);
    for (let row = first; row <= last; row += 1) {
      const part = first === last ? 1 : (Math.min(to, row + 1) - Math.max(from, row)) / (to - from);
      rows[row] += (number * part) / total;
    }
  });
  return rows;
}

/**
 * Bind the section.
 * @returns {(sets: WeightsEvent[]) => void} Shows histograms.
 */
export function weightMaps() {
  const section = find(document, "#weights-section", HTMLDetailsElement);
  const holder = find(section, ".weight-maps");
  const none = find(section, ".empty-part");
  /** @type {WeightsEvent[]} */
  let sets = [];

  function draw() {
    if (!section.open || !sets.length) return;
    const choice = find(section, "input:checked", HTMLInputElement);
    const what = /** @type {What} */ (choice.value);
    const names = sets[0].layers.map(({ name }) => name);
    holder.replaceChildren(...names.map((name, index) => layerMap(sets, name, index, what)));
  }

  section.addEventListener("toggle", draw);
  section.addEventListener("change", draw);
  document.addEventListener("themechange", draw);
  return (fresh) => {
    none.hidden = fresh.length > 0;
    if (fresh === sets) return;
    sets = fresh;
    draw();
  };
}

/**
 * @param {WeightsEvent[]} sets
 * @param {string} name
 * @param {number} index Of the layer.
 * @param {What} what
 */
function layerMap(sets, name, index, what) {
  const columns = sets.map(({ layers }) => layers[index]?.[what] ?? null);
  const known = columns.filter((column) => column != null);
  const low = Math.min(...known.map((column) => column.low));
  const high = Math.max(...known.map((column) => column.high));
  const steps = `step ${count(sets[0].step)} to ${count(sets[sets.length - 1].step)}`;
  const range = known.length ? `${small(low)} to ${small(high)}` : "no values";
  const canvas = element("canvas", {
    width: columns.length,
    height: ROWS,
    role: "img",
    "aria-label": `${what} of ${name}: ${range}, ${steps}`,
  });
  paint(context2d(canvas), columns, low, high);
  return element(
    "figure",
    {},
    element("figcaption", {}, element("b", {}, name), ` ${range}`),
    canvas,
    element("div", { class: "quiet" }, steps),
  );
}

/**
 * Paint a column of pixels per histogram; CSS enlarges them.
 * @param {CanvasRenderingContext2D} context
 * @param {(ValueHistogram | null)[]} columns
 * @param {number} low Of the lowest row.
 * @param {number} high Of the highest row.
 */
function paint(context, columns, low, high) {
  const { width, height } = context.canvas;
  context.fillStyle = cssColour("--train");
  context.fillRect(0, 0, width, height);
  const image = context.getImageData(0, 0, width, height);
  columns.forEach((column, x) => {
    const shares = column ? rowsOf(column, low, high) : [];
    const most = Math.max(...shares);
    for (let row = 0; row < height; row += 1) {
      // The root shows the tails, which have few values.
      const opacity = column ? Math.sqrt(shares[row] / most) : 0;
      image.data[4 * ((height - 1 - row) * width + x) + 3] = Math.round(255 * opacity);
    }
  });
  context.putImageData(image, 0, 0);
}
