// The model's page: curves, verdict, snapshots, samples and layers, drawn from what is there and grown by events.
import { at } from "../base/address.js";
import { ask, askUntilAnswered } from "../base/api.js";
import { charts } from "../charts/charts.js";
import { copyButtons } from "../base/copy.js";
import { addEvents, curvesOf, keysIn, sinceStart, startOf, stepsBetween } from "../charts/curves.js";
import { element, pageData } from "../base/dom.js";
import { factsOf } from "../runs/facts.js";
import { count, verdict } from "../base/format.js";
import { layerCards } from "../layers/layers.js";
import { say, watchJob } from "../base/live.js";
import { follow } from "../runs/log.js";
import { messagesOf, recordOf } from "../runs/record.js";
import { samplesThroughTime, withShown } from "../runs/samples.js";
import { findExports, showSnapshots } from "../runs/snapshot_table.js";
import { bestOf, resumedAt, withoutSnapshots, withSnapshot } from "../runs/snapshots.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { styleOf } from "../charts/styles.js";

const POINTS = 600;
const WAITING_MS = 2000;

let job = pageData("job");
let hardware = null;
let snapshots = job.summary.snapshots ?? [];
let curves = curvesOf();
let showings = [];
const layers = new Map((job.summary.layers ?? []).map((layer) => [layer.index, layer]));
const fresh = { samples: true, layers: true };
const showSamples = samplesThroughTime();
const cards = layerCards(document.querySelector("#layers"), document.querySelector("#layers-look"), { input: firstSample });
const showMessages = messagesOf(document.querySelector("#messages"));

const own = `/jobs/${job.id}`;
// Asked first: nothing else on the page is waited for longer. The template has the browser ask for the same even before.
const asked = { scalars: askUntilAnswered(`${own}/scalars?max_points=${POINTS}`), rare: askUntilAnswered(`${own}/events?type=sample,resumed,message,state,snapshot`) };
const keysOf = (figure) => figure.querySelector(".chart").dataset.keys.split(",");

const drawCharts = charts(document.querySelector("[data-charts]"), {
  source: (figure, finer, x) => {
    const found = finer ?? curves.series;
    const series = x === "time" ? sinceStart(found, startOf(curves.series)) : found;
    return { series, keys: keysIn(curves.series, keysOf(figure)), style: styleOf };
  },
  fetchFiner: async (x, from, to, before) => {
    const start = x === "time" ? startOf(curves.series) : 0;
    const steps = stepsBetween(before ?? curves.series, x, from + start, to + start);
    if (!steps) return null;
    return (await ask(`${own}/scalars?max_points=${POINTS}&from_step=${steps[0]}&to_step=${steps[1]}`)).series;
  },
  tableOf: (figure) => location.assign(at(`/api/v1/jobs/${job.id}/scalars.csv?keys=${keysIn(curves.series, keysOf(figure)).join(",")}`)),
});

function show() {
  showStatus(job);
  document.querySelector("#verdict").textContent = verdict(bestOf(snapshots), job.state);
  document.querySelector("#facts").replaceChildren(...factsOf(job.summary, isFinal(job.state) ? null : hardware).map(([name, words]) => element("div", {}, element("dt", {}, name), element("dd", {}, words))));
  showSnapshots(job, snapshots);
  for (const button of document.querySelectorAll('[data-needs="snapshots"]')) button.hidden = !snapshots.length || ("when" in button.dataset && button.hidden);
}

/** What the layers that are shown were given. */
function firstSample() {
  const sample = showings.at(-1)?.samples.get(0);
  return sample && { url: sample.input };
}

function showLayers() {
  const sorted = [...layers.values()].sort((a, b) => a.index - b.index);
  if (!sorted.length) return;
  document.querySelector("#layers-at").textContent = `after step ${count(sorted[0].step)}`;
  for (const layer of sorted) cards.show({ ...layer, version: `?step=${layer.step}` });
}

let drawing = false;
/** Many events in one frame are one drawing. */
function requestDrawing() {
  if (!drawing) requestAnimationFrame(draw);
  drawing = true;
}

function draw() {
  drawing = false;
  show();
  if (behind.scalars.seq != null) drawCharts();
  if (fresh.samples) showSamples(showings);
  if (fresh.layers) showLayers();
  fresh.samples = fresh.layers = false;
}

function see(event) {
  job = withEvent(job, event);
  switch (event.type) {
    case "snapshot":
      snapshots = withSnapshot(snapshots, event);
      break;
    case "removed":
      snapshots = withoutSnapshots(snapshots, event.snapshots);
      break;
    case "resumed":
      snapshots = resumedAt(snapshots, event.step);
      break;
    case "state":
      if (event.state === "waiting") keepWaiting();
      job = { ...job, summary: { ...job.summary, ...event.summary } };
      break;
    case "facts":
      job = { ...job, summary: { ...job.summary, ...event } };
      break;
    case "hardware":
      hardware = event;
      break;
    case "layer":
      layers.set(event.index, event);
      fresh.layers = true;
  }
}

/** Samples through time, and messages: from their beginning, where most of the rest is as it is now. */
function takeRare(events) {
  for (const event of events) showings = withShown(showings, event);
  fresh.samples ||= events.some(({ type }) => type === "sample" || type === "resumed");
  showMessages(events);
}

const tell = (error) => say("curves", `The curves could not be loaded: ${error.message}`);

/** What it waits for changes without an event of its own. */
async function keepWaiting() {
  try {
    const { waiting_for } = await askUntilAnswered(own);
    if (job.state === "waiting") showStatus((job = { ...job, waiting_for }));
  } catch {
    return; // It was deleted, which is said elsewhere.
  }
  if (job.state === "waiting") setTimeout(keepWaiting, WAITING_MS);
}

copyButtons(job.id);
findExports(job.id, show);
recordOf(document.querySelector("#record"), job.id);
follow(document.querySelector("#log"), () => !isFinal(job.state));
document.querySelector("#more-curves").addEventListener("toggle", drawCharts);
show();

// What comes before the answers is kept until they are there; and nothing is taken in that they have said already.
const behind = { scalars: { early: [], seq: null }, rare: { early: [], seq: null } };

function take(part, events, into) {
  if (part.seq == null) part.early.push(...events);
  else into(events.filter(({ seq }) => seq > part.seq));
}

function answered(part, { seq }, into) {
  part.seq = seq;
  take(part, part.early, into);
  part.early = [];
  requestDrawing();
}

const takeScalars = (events) => addEvents(curves, events);

asked.scalars.then((scalars) => {
  curves = curvesOf(scalars.series);
  answered(behind.scalars, scalars, takeScalars);
}, tell);
asked.rare.then((rare) => {
  takeRare(rare.events);
  answered(behind.rare, rare, takeRare);
}, tell);

watchJob(job.id, job.seq, (events) => {
  take(behind.scalars, events, takeScalars);
  take(behind.rare, events, takeRare);
  events.forEach(see);
  requestDrawing();
});

if (job.state === "waiting") keepWaiting();
