// The page of a test of a video: the restored video with its input, and the quality of each frame.
import { withRoot } from "../base/address.js";
import { request } from "../base/api.js";
import { chart } from "../charts/chart.js";
import { wideEnough } from "../charts/axes.js";
import { addEvents, curvesOf } from "../charts/curves.js";
import { INPUT_STYLE } from "../charts/styles.js";
import { ancestor, find, findAll, findOptional, pageData } from "../base/dom.js";
import {
  count,
  decibel,
  decimals,
  gain,
  NO_VALUE,
  similarity,
  similarityGain,
} from "../base/format.js";
import { watchJob } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { addNote, clearNotes } from "../runs/notes.js";
import { videoCompare } from "../viewer/video_compare.js";

/** @import { Look, Range } from "../charts/axes.js" */
/** @import { CurveStyle } from "../charts/styles.js" */
/** @import { Job, JobEvent, JobSummary, ScalarsResponse } from "../base/types.js" */

const MAX_POINTS = 2000;
const OUTPUT_STYLE = { label: "output", colour: "--validation", plain: true };

/** @type {Job} */
let job = pageData("job");
let curves = curvesOf();
/** @type {JobEvent[] | null} Events from before the curves were loaded. */
let early = [];
/** The attempt and the videos that are shown. */
let shownVideos = "";
let shownFrame = 0;
let showFrame = (/** @type {number} */ _frame) => {};
const part = (/** @type {string} */ name) => find(document, `#${name}`);
const refresh = refresher("#content, #history", () => bindWorstFrame());

/** @type {Look} */
const look = { x: "step", xLabel: "frame", log: false, smooth: 0, zoom: null, extent: [0, 1] };
const frameCharts = findAll(document, "[data-charts] figure").map((figure) =>
  chart(figure, {
    source: () => sourceOf(figure),
    look,
    zoom,
    point: (frame) => {
      if (frame != null) showFrame(frame);
    },
  }),
);

/** @param {HTMLElement} figure */
function sourceOf(figure) {
  const keys = find(figure, ".chart").dataset.keys?.split(",") ?? [];
  /** @type {(key: string) => CurveStyle} */
  const style = (key) => {
    const format = key.endsWith("psnr") ? decibel : similarity;
    return { ...(key.startsWith("input/") ? INPUT_STYLE : OUTPUT_STYLE), format };
  };
  return { series: curves.series, keys: keys.filter((key) => key in curves.series), style };
}

/** @param {Range | null} range */
function zoom(range) {
  look.zoom = range && wideEnough(range, look.extent);
  draw();
}

function draw() {
  const isMeasured = Object.keys(curves.series).length > 0;
  if (!isMeasured) return;
  showNumbers();
  part("curves").hidden = false;
  look.extent = [0, Math.max(1, curves.step)];
  for (const frameChart of frameCharts) frameChart.draw();
}

/**
 * Create the player when the videos exist, again when the originals follow, and for a new attempt.
 * @param {JobSummary} [summary]
 */
async function showPlayer({ shown, sound, width = 1, height = 1 } = {}) {
  const videos = JSON.stringify([job.started, shown]);
  if (!shown || videos === shownVideos) return;
  shownVideos = videos;
  // Each attempt writes the same names, which browsers cache.
  const query = `?try=${job.seq}`;
  const times = await fetch(withRoot(shown.times + query)).then((response) => response.json());
  if (videos !== shownVideos) return; // Newer facts came in the meantime.
  showFrame = videoCompare(
    part("player"),
    {
      input: shown.input + query,
      output: shown.output + query,
      truth: shown.truth && shown.truth + query,
      times,
      sound,
      width,
      height,
    },
    (frame) => {
      shownFrame = frame;
      showNumbers();
      for (const frameChart of frameCharts) frameChart.pointAt(frame);
    },
  );
}

/** Show the scores of the frame; long videos have those of some frames only. */
function showNumbers() {
  const numbers = findOptional(document, "#numbers");
  if (!numbers) return;
  const [psnrInput, psnrOutput, ssimInput, ssimOutput] = [
    "input/psnr",
    "output/psnr",
    "input/ssim",
    "output/ssim",
  ].map((key) => {
    const line = curves.series[key];
    return line?.value[line.step.indexOf(shownFrame)] ?? null;
  });
  const difference = (/** @type {number | null} */ before, /** @type {number | null} */ after) =>
    before == null || after == null ? null : after - before;
  const texts = [
    [psnrInput, psnrOutput].map((value) => (value == null ? NO_VALUE : decimals(value, 2))),
    gain(difference(psnrInput, psnrOutput)).replace(" dB", ""),
    [ssimInput, ssimOutput].map(similarity),
    similarityGain(difference(ssimInput, ssimOutput)),
  ].flat();
  const cells = findAll(numbers, "tbody td");
  texts.forEach((text, index) => (cells[index].textContent = text));
  find(numbers, "caption").textContent = `Frame ${count(shownFrame)}`;
}

/** Bind the button that shows the worst frame. */
function bindWorstFrame() {
  const button = findOptional(document, "#worst");
  if (button) button.onclick = () => showFrame(Number(button.dataset.frame));
}

/** A click in a chart shows the frame under the cursor. */
function bindCharts() {
  for (const holder of findAll(document, "[data-charts] .chart")) {
    holder.addEventListener("click", () => {
      const text = find(ancestor(holder, "figure"), ".legend .at b").textContent;
      const frame = text.replaceAll(",", "");
      if (/^\d+$/.test(frame)) showFrame(Number(frame));
    });
  }
}

/** @param {JobEvent[]} events */
function onEvents(events) {
  for (const event of events) {
    job = { ...withEvent(job, event), seq: event.seq };
    if (event.type === "state" && event.state === "running") {
      job = { ...job, started: event.time, summary: {} };
      clearNotes(part("notes"));
    }
    if (event.type === "message") addNote(part("notes"), event);
    if (event.type === "facts") job = { ...job, summary: { ...job.summary, ...event } };
  }
  if (early) early.push(...events);
  else addEvents(curves, events);
  showStatus(job);
  const empty = findOptional(part("player"), ".empty-part");
  if (empty && isFinal(job.state) && !job.summary.shown)
    empty.textContent = "No video: the test stopped too early.";
  showPlayer(job.summary);
  draw();
  if (isFinal(job.state)) refresh(true);
  else if (events.some(({ type }) => type === "facts")) refresh();
}

watchJob(job.id, job.seq, onEvents);
showStatus(job);
bindCharts();
bindWorstFrame();
showPlayer(job.summary);

/** @type {ScalarsResponse} */
const { series } = await request(`/jobs/${job.id}/scalars?max_points=${MAX_POINTS}`);
curves = addEvents(curvesOf(series), early);
early = null;
draw();
