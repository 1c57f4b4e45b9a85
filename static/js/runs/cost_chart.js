// The chart of gain against cost of the compared runs.
import { drawScatter } from "../charts/scatter.js";
import { nthStyle, REPEAT } from "../charts/styles.js";
import { find } from "../base/dom.js";
import { count, counted, gain, seconds } from "../base/format.js";

/** @import { JobSummary } from "../base/types.js" */

/**
 * @typedef {object} Cost
 * @property {string} label Of the axis.
 * @property {(summary: JobSummary) => number | null | undefined} of
 * @property {(value: number) => string} text
 */

/** @type {Record<string, Cost>} */
const COSTS = {
  multiply_adds: {
    label: "multiply-adds per pixel",
    of: (summary) => summary.multiply_adds,
    text: (value) => `${count(value)} multiply-adds per pixel`,
  },
  seconds: {
    label: "training time, seconds",
    of: (summary) => summary.seconds,
    text: (value) => `trained for ${seconds(value)}`,
  },
  parameters: {
    label: "parameters",
    of: (summary) => summary.parameters,
    text: (value) => counted(value, "parameter"),
  },
};

/**
 * @typedef {object} Costly A run.
 * @property {string} id
 * @property {string} name
 * @property {number} index Its place among all runs.
 * @property {JobSummary} summary
 * @property {number | null} gain In dB.
 */

/**
 * Bind the chart.
 * @param {() => Costly[]} runs Those that are shown.
 * @returns {() => void} Draws the chart.
 */
export function costChart(runs) {
  const holder = find(document, "#cost .plot");
  const note = find(document, "#cost .note");
  const select = find(document, "#cost-axis", HTMLSelectElement);
  let drawn = "";

  function draw() {
    const { label, of, text } = COSTS[select.value];
    const all = runs();
    const points = all.flatMap(({ id, name, index, summary, gain: gained }) => {
      const cost = of(summary);
      if (!cost || gained == null) return [];
      const { colour } = nthStyle(index);
      const title = `${gain(gained)}, ${text(cost)}`;
      const shape = Math.floor(index / REPEAT);
      return [{ name, href: `/models/${id}`, colour, shape, x: cost, y: gained, title }];
    });
    const missing = all.length - points.length;
    note.textContent = missing ? `${counted(missing, "run")} without a gain or this cost.` : "";
    const needed = JSON.stringify([holder.clientWidth, label, points]);
    if (needed === drawn) return;
    drawn = needed;
    if (points.length) drawScatter(holder, points, { x: label, y: "Gain, dB" });
    else holder.replaceChildren("No points yet");
  }

  select.addEventListener("change", draw);
  new ResizeObserver(draw).observe(holder);
  return draw;
}
