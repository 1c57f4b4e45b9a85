// Sparklines of losses in lists: their trend at the height of a line of text.
import { svg } from "../base/dom.js";

/** @import { Losses } from "../base/types.js" */

const MAX_POINTS = 60;
const WIDTH = 96;
const HEIGHT = 20;

/**
 * Add a loss. The points are thinned as in jobs/core/view.py.
 * @param {Losses} losses
 * @param {number} value
 * @returns {Losses}
 */
export function withLoss({ seen, every, values }, value) {
  seen += 1;
  if (seen % every === 0) values = [...values, value];
  if (values.length > MAX_POINTS)
    [every, values] = [2 * every, values.filter((_, index) => index % 2)];
  return { seen, every, values };
}

/**
 * Draw losses into an SVG element.
 * @param {SVGSVGElement} holder
 * @param {Losses} losses
 */
export function drawLosses(holder, { values }) {
  holder.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((value, index) => {
    const x = 1 + ((WIDTH - 2) * index) / Math.max(values.length - 1, 1);
    const y = HEIGHT - 2 - ((HEIGHT - 4) * (value - low)) / (high - low || 1);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const line = values.length > 1 ? [svg("polyline", { points: points.join(" ") })] : [];
  holder.replaceChildren(...line);
}
