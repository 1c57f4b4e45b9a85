// The rate-distortion curves of runs, and what each of them saves in bits.
import { drawRateDistortion } from "../charts/rate_distortion.js";
import { INPUT_STYLE, swatch } from "../charts/styles.js";
import { element, find } from "../base/dom.js";
import { bitsSaved, counted } from "../base/format.js";

/** @import { RateDistortion, RatePoint } from "../base/types.js" */
/** @import { CurveStyle } from "../charts/styles.js" */
/** @import { RateLine } from "../charts/rate_distortion.js" */

/**
 * @typedef {object} RatedRun
 * @property {string} name
 * @property {Pick<CurveStyle, "colour" | "dash">} style
 * @property {RateDistortion | undefined} rates
 */

/**
 * Bind the section `#rates`: a legend, a choice of the scene, and the chart.
 * @param {() => RatedRun[]} runs With the same pairs; those without curves are left out.
 * @returns {() => void} Draws the chart.
 */
export function ratesChart(runs) {
  const section = find(document, "#rates");
  const holder = find(section, ".plot");
  const select = find(section, "select", HTMLSelectElement);
  let drawn = "";

  function draw() {
    const rated = runs().flatMap(({ rates, ...run }) => (rates ? [{ ...run, rates }] : []));
    section.hidden = !rated.length;
    const needed = JSON.stringify([holder.clientWidth, select.value, rated]);
    if (!rated.length || needed === drawn) return;
    drawn = needed;
    const scenes = rated[0].rates.curves.map(({ scene }) => scene);
    if (select.options.length !== scenes.length)
      select.replaceChildren(...scenes.map((scene) => new Option(scene)));
    select.hidden = scenes.length < 2;
    find(section, ".legend").replaceChildren(...rated.map(legendOf));
    drawRateDistortion(holder, linesOf(rated, Math.max(select.selectedIndex, 0)));
  }

  select.addEventListener("change", draw);
  new ResizeObserver(draw).observe(holder);
  return draw;
}

/** @param {RatedRun & { rates: RateDistortion }} run */
function legendOf({ name, style, rates }) {
  const scenes = rates.scenes > 1 ? `, mean of ${counted(rates.scenes, "scene")}` : "";
  const place = rates.snapshot ? ` (snapshot ${rates.snapshot})` : "";
  const text = ` ${name}: ${bitsSaved(rates.bd_rate)}${scenes}${place}`;
  return element("li", {}, swatch(style), text);
}

/**
 * @param {(RatedRun & { rates: RateDistortion })[]} runs
 * @param {number} scene Its index.
 * @returns {RateLine[]}
 */
function linesOf(runs, scene) {
  const line = (
    /** @type {string} */ name,
    /** @type {RatedRun["style"]} */ style,
    /** @type {RatePoint[]} */ points,
    /** @type {"psnr_input" | "psnr_output"} */ key,
  ) => ({
    name,
    style,
    points: points.map((point) => ({ rate: point.rate, bits: point.bits, psnr: point[key] })),
  });
  const curves = runs.flatMap(({ name, style, rates }) =>
    rates.curves[scene] ? [line(name, style, rates.curves[scene].points, "psnr_output")] : [],
  );
  return [line("input", INPUT_STYLE, runs[0].rates.curves[scene].points, "psnr_input"), ...curves];
}
