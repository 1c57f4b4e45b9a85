// The page of a test of a video: the restored one over its input, and how good each frame is.
import { at } from "../base/address.js";
import { ask } from "../base/api.js";
import { chart } from "../charts/chart.js";
import { addEvents, curvesOf } from "../charts/curves.js";
import { pageData } from "../base/dom.js";
import { decibel, similarity } from "../base/format.js";
import { watchJob } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { videoCompare } from "../viewer/video_compare.js";

const MOST_POINTS = 2000;
const LABELS = { input: ["input", "--baseline", [6, 4]], output: ["output", "--validation", undefined] };

let job = pageData("job");
let curves = curvesOf();
/** What came before the points that were there already. */
let early = [];
let playing = "";
let showFrame = () => {};
const part = (name) => document.querySelector(`#${name}`);
const refresh = refresher("#found, #history", () => bindWorst());

const look = { x: "step", words: "frame", log: false, smooth: 0, zoom: null, extent: [0, 1] };
const drawings = [...document.querySelectorAll("[data-charts] figure")].map((figure) => chart(figure, { source: () => sourceOf(figure), look, zoom, point: (frame) => frame != null && showFrame(frame) }));

function sourceOf(figure) {
  const keys = figure.querySelector(".chart").dataset.keys.split(",");
  const style = (key) => {
    const [label, colour, dash] = LABELS[key.split("/")[0]];
    return { label, colour, dash, plain: true, show: key.endsWith("psnr") ? decibel : similarity };
  };
  return { series: curves.series, keys: keys.filter((key) => key in curves.series), style };
}

function zoom(range) {
  look.zoom = range;
  draw();
}

function draw() {
  const measured = Object.keys(curves.series).length > 0;
  part("curves").hidden = !measured;
  if (!measured) return;
  look.extent = [0, Math.max(1, curves.step)];
  for (const one of drawings) one.draw();
}

/** The player, as soon as there is something to play; anew where the test was tried again. */
async function show({ shown, sound, width, height } = {}) {
  if (!shown || playing === job.started) return;
  playing = job.started;
  const fresh = (url) => `${url}?try=${job.seq}`; // Videos of another try have the names of those before.
  const times = await fetch(at(fresh(shown.times))).then((answer) => answer.json());
  showFrame = videoCompare(part("player"), { input: fresh(shown.input), output: fresh(shown.output), times, sound, width, height }, (frame) => drawings.forEach((one) => one.pointAt(frame)));
}

/** The worst frame is one click away; a click in a chart goes to its frame. */
function bindWorst() {
  const button = part("worst");
  if (button) button.onclick = () => showFrame(Number(button.dataset.frame));
}
for (const holder of document.querySelectorAll("[data-charts] .chart")) {
  holder.addEventListener("click", () => {
    const at = holder.closest("figure").querySelector(".legend .at b").textContent.replaceAll(",", "");
    if (/^\d+$/.test(at)) showFrame(Number(at));
  });
}

watchJob(job.id, job.seq, (events) => {
  for (const event of events) {
    job = { ...withEvent(job, event), seq: event.seq };
    if (event.type === "state" && event.state === "running") Object.assign(job, { started: event.time, summary: {} });
    if (event.type === "facts") job.summary = { ...job.summary, ...event };
  }
  if (early) early.push(...events);
  else addEvents(curves, events);
  showStatus(job);
  if (isFinal(job.state) && !job.summary.shown) part("player").querySelector(".empty-part").textContent = "There is no video: it ended before.";
  show(job.summary);
  draw();
  if (isFinal(job.state)) refresh(true);
  else if (events.some(({ type }) => type === "facts")) refresh();
});
showStatus(job);
bindWorst();
show(job.summary);
ask(`/jobs/${job.id}/scalars?max_points=${MOST_POINTS}`).then(({ series }) => {
  curves = addEvents(curvesOf(series), early);
  early = null;
  draw();
});
