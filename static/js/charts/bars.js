// Histograms as bars, with their range and their highest count as labels.
import { findAll, svg } from "../base/dom.js";
import { count, decimals } from "../base/format.js";

/** @import { Histogram } from "../base/types.js" */

const [WIDTH, HEIGHT, BOTTOM, TOP] = [640, 190, 24, 20];
const ROOM = HEIGHT - BOTTOM - TOP;
const LEAST_HEIGHT = 3;

/**
 * The text of an edge, with as many decimals as tell it from the next one.
 * @param {number} value In dB.
 * @param {number} step From edge to edge.
 */
export const edgeText = (value, step) => `${decimals(value, step < 0.01 ? 3 : 2)} dB`;

/**
 * The height of a bar: that of the worst of a thousand images can still be seen and clicked.
 * @param {number} value
 * @param {number} most The highest count.
 */
export const heightOf = (value, most) => value && Math.max((ROOM * value) / most, LEAST_HEIGHT);

/**
 * The gains of a bar. The outer bars are open: they also count infinite gains, of images whose
 * input or output equals the ground truth.
 * @param {number[]} edges
 * @param {number} index
 * @returns {{ low?: number, high?: number }}
 */
export const gainsOf = (edges, index) => ({
  ...(index > 0 && { low: edges[index] }),
  ...(index < edges.length - 2 && { high: edges[index + 1] }),
});

/**
 * The SVG of a histogram. Bars below zero are marked as losses.
 * @param {Histogram} histogram Edges in dB.
 * @param {string} things What is counted, in the plural.
 * @param {boolean} filters Whether a bar links to the page with its things only.
 */
function bars({ counts, edges }, things, filters) {
  const last = edges[edges.length - 1];
  const text = (/** @type {number} */ value) => edgeText(value, edges[1] - edges[0]);
  const title = `${things[0].toUpperCase()}${things.slice(1)}`;
  const chart = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    class: "bars",
    role: filters ? "group" : "img",
    "aria-label": `${title} from ${text(edges[0])} to ${text(last)}`,
  });
  const most = Math.max(...counts);
  const step = WIDTH / counts.length;
  counts.forEach((value, index) => {
    const height = heightOf(value, most);
    const bar = svg("rect", {
      x: index * step + 1,
      y: HEIGHT - BOTTOM - height,
      width: Math.max(step - 2, 1),
      height,
      class: edges[index + 1] <= 0 ? "loss" : "",
    });
    const range = `${text(edges[index])} to ${text(edges[index + 1])}`;
    bar.append(svg("title", {}, `${range}: ${count(value)} ${things}`));
    const isLink = filters && value && counts.length > 1;
    chart.append(isLink ? linkOf(bar, gainsOf(edges, index)) : bar);
  });
  const zero = edges.indexOf(0);
  if (zero > 0 && zero < counts.length)
    chart.append(
      svg("line", { x1: zero * step, x2: zero * step, y1: 0, y2: HEIGHT - BOTTOM, class: "zero" }),
    );
  const highest = counts.indexOf(most);
  chart.append(
    label(0, "start", text(edges[0])),
    label(WIDTH / 2, "middle", text((edges[0] + last) / 2)),
    label(WIDTH, "end", text(last)),
    svg(
      "text",
      {
        x: highest * step + step / 2,
        y: TOP - 3,
        "text-anchor": highest < counts.length / 2 ? "start" : "end",
      },
      count(most),
    ),
  );
  return chart;
}

/**
 * Draw the histograms that the page contains as `data-histogram`.
 * @param {string} things What they count, in the plural.
 */
export function drawHistograms(things) {
  for (const holder of findAll(document, "[data-histogram]"))
    holder.replaceChildren(
      bars(JSON.parse(holder.dataset.histogram ?? ""), things, "filters" in holder.dataset),
    );
}

/**
 * A bar in a link to the page with the things of this bar only; of the chosen one, to all.
 * @param {SVGElement} bar
 * @param {{ low?: number, high?: number }} gains
 */
function linkOf(bar, gains) {
  const query = new URLSearchParams(location.search);
  const isChosen = [
    ["low", gains.low],
    ["high", gains.high],
  ].every(([name, gain]) => query.get(String(name)) === (gain === undefined ? null : `${gain}`));
  for (const name of ["page", "low", "high"]) query.delete(name);
  if (!isChosen) for (const [name, value] of Object.entries(gains)) query.set(name, String(value));
  const link = svg("a", { href: `?${query}`, "aria-label": bar.textContent });
  if (isChosen) link.setAttribute("aria-current", "true");
  link.append(bar);
  return link;
}

/**
 * @param {number} x
 * @param {string} anchor
 * @param {string} text
 */
const label = (x, anchor, text) => svg("text", { x, y: HEIGHT - 5, "text-anchor": anchor }, text);
