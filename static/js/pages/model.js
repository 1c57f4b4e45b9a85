// The page of a model: curves, verdict, snapshots, samples and layers, extended by live events.
import { withRoot } from "../base/address.js";
import { messageOf, post, request, requestWithRetries } from "../base/api.js";
import { charts } from "../charts/charts.js";
import { bindCopyButtons } from "../base/copy.js";
import {
  addEvents,
  curvesOf,
  keysIn,
  newEvents,
  sinceStart,
  startOf,
  stepsBetween,
  withGain,
} from "../charts/curves.js";
import { definitions, find, findAll, pageData } from "../base/dom.js";
import { factsOf } from "../runs/facts.js";
import { count, verdict } from "../base/format.js";
import { layerCards } from "../layers/layers.js";
import { showNotice, watchJob } from "../base/live.js";
import { followLog } from "../runs/log.js";
import { ratesChart } from "../runs/rates_chart.js";
import { fillRecord, messageList } from "../runs/record.js";
import { pinnedSamples } from "../forms/pin.js";
import { sampleSlider, withSample } from "../runs/samples.js";
import { loadExports, showSnapshots } from "../runs/snapshot_table.js";
import { bestOf, resumedAt, withoutSnapshots, withSnapshot } from "../runs/snapshots.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { nthStyle, styleOf } from "../charts/styles.js";
import { weightMaps, withWeights } from "../runs/weights.js";

/** @import { HardwareEvent, Job, JobEvent, ShownLayer, WeightsEvent } from "../base/types.js" */
/** @import { ScalarsResponse } from "../base/types.js" */
/** @import { SeriesByKey } from "../base/client_types.js" */
/** @import { SampleSet } from "../runs/samples.js" */

/**
 * @typedef {object} Stream Events that arrive before and after the response to a request.
 * @property {number | null} seq The last event in the response; null before it arrives.
 * @property {JobEvent[]} early Events from before the response.
 * @property {(events: JobEvent[]) => void} apply
 */

const MAX_POINTS = 600;
const WAITING_MS = 2000;

/** @type {Job} */
let job = pageData("job");
const api = `/jobs/${job.id}`;

// Requested first, because they take longest. The template preloads the URL of the curves.
/** @type {Promise<ScalarsResponse>} */
const scalarsRequest = requestWithRetries(`${api}/scalars?max_points=${MAX_POINTS}`);
const rareRequest = requestEvents("sample,resumed,message,state,snapshot");

/**
 * @param {string} types
 * @returns {Promise<{ events: JobEvent[], seq: number }>}
 */
function requestEvents(types) {
  return requestWithRetries(`${api}/events?type=${types}`);
}

/** @type {HardwareEvent | null} */
let hardware = null;
let snapshots = job.summary.snapshots ?? [];
let curves = curvesOf();
/** @type {SampleSet[]} */
let sampleSets = [];
/** @type {Map<number, ShownLayer>} By index. */
const layers = new Map((job.summary.layers ?? []).map((layer) => [layer.index, layer]));
/** The parts that are drawn next time. */
const changed = { samples: true, layers: true };

/** @type {WeightsEvent[]} */
let weightSets = [];
/** @type {Stream | null} null until a user opens their section. */
let weightStream = null;
const showSamples = sampleSlider(testPair);
const showWeights = weightMaps();
const showMessages = messageList(find(document, "#messages"));
const cards = layerCards(find(document, "#layers"), find(document, "#layers-look"), {
  input: firstSample,
});

/** @param {HTMLElement} figure */
const keysOf = (figure) => find(figure, ".chart").dataset.keys?.split(",") ?? [];

/** @type {Record<string, number>} */
const filterGains = JSON.parse(find(document, '[data-keys^="val/gain,"]').dataset.levels ?? "{}");

/** @type {() => void} */
const drawCharts = charts(find(document, "[data-charts]"), {
  source: (figure, /** @type {SeriesByKey | null} */ finer, x) => {
    const shown = withGain(finer ?? curves.series, filterGains);
    const series = x === "time" ? sinceStart(shown, startOf(curves.series)) : shown;
    return {
      series,
      keys: keysIn(withGain(curves.series, filterGains), keysOf(figure)),
      style: styleOf,
    };
  },
  fetchFiner: async (x, from, to, before) => {
    const start = x === "time" ? startOf(curves.series) : 0;
    const steps = stepsBetween(before ?? curves.series, x, from + start, to + start);
    if (!steps) return null;
    const range = `from_step=${steps[0]}&to_step=${steps[1]}`;
    /** @type {ScalarsResponse} */
    const { series } = await request(`${api}/scalars?max_points=${MAX_POINTS}&${range}`);
    return series;
  },
  saveTable: (figure) => {
    const wanted = keysOf(figure).map((key) => key.replace("val/gain", "val/psnr"));
    const keys = keysIn(curves.series, wanted).join(",");
    location.assign(withRoot(`/api/v1/jobs/${job.id}/scalars.csv?keys=${keys}`));
  },
});

const drawRates = ratesChart(() => [
  { name: "output", style: nthStyle(1), rates: job.summary.rates },
]);

function show() {
  showStatus(job);
  drawRates();
  find(document, "#verdict").textContent = verdict(
    bestOf(snapshots, job.summary.leader),
    job.state,
    job.summary.leader,
  );
  const facts = factsOf(job.summary, isFinal(job.state) ? null : hardware);
  find(document, "#facts").replaceChildren(...definitions(facts));
  showSnapshots(job, snapshots);
  // showStatus has hidden the buttons with data-when that do not apply to the state.
  for (const button of findAll(document, '[data-needs="snapshots"]'))
    button.hidden = !snapshots.length || ("when" in button.dataset && button.hidden);
}

/**
 * Test a validation pair with the best snapshot.
 * @param {number} pair
 */
async function testPair(pair) {
  try {
    const { id } = await post(`/models/${job.id}/tests`, { kind: "image", pair });
    location.assign(withRoot(`/tests/${id}`));
  } catch (error) {
    showNotice("test", messageOf(error));
  }
}

/** The input of the layers that are shown. */
function firstSample() {
  const sample = sampleSets.at(-1)?.samples.get(0);
  return sample && { url: sample.input };
}

function showLayers() {
  const sorted = [...layers.values()].sort((a, b) => a.index - b.index);
  if (!sorted.length) return;
  find(document, "#layers-at").textContent = `after step ${count(sorted[0].step)}`;
  for (const layer of sorted) cards.show({ ...layer, version: `?step=${layer.step}` });
}

let isDrawingRequested = false;

/** Draw in the next frame, once for many events. */
function requestDrawing() {
  if (!isDrawingRequested) requestAnimationFrame(draw);
  isDrawingRequested = true;
}

function draw() {
  isDrawingRequested = false;
  show();
  if (scalarStream.seq != null) drawCharts();
  if (changed.samples) showSamples(sampleSets);
  if (changed.layers) showLayers();
  changed.samples = changed.layers = false;
}

/** @param {JobEvent} event */
function apply(event) {
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
      if (event.state === "waiting") updateWaitingReason();
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
      changed.layers = true;
  }
}

/**
 * Add samples and messages. Unlike the rest of the page they need all events from the first.
 * @param {JobEvent[]} events
 */
function applyRare(events) {
  for (const event of events) sampleSets = withSample(sampleSets, event);
  changed.samples ||= events.some(({ type }) => type === "sample" || type === "resumed");
  showMessages(events);
}

/** @param {JobEvent[]} events */
function applyWeights(events) {
  for (const event of events) weightSets = withWeights(weightSets, event);
  showWeights(weightSets);
}

/** Request the histograms of the weights, which are long, when their section is opened. */
function loadWeights() {
  weightStream = { seq: null, early: [], apply: applyWeights };
  loadEvents(weightStream, requestEvents("weights,resumed"));
}

/** @param {unknown} error */
const showLoadError = (error) =>
  showNotice("curves", `The curves could not be loaded: ${messageOf(error)}`);

/** Update the reason why the job waits: it changes without an event of this job. */
async function updateWaitingReason() {
  try {
    /** @type {Job} */
    const { waiting_for } = await requestWithRetries(api);
    if (job.state === "waiting") {
      job = { ...job, waiting_for };
      showStatus(job);
    }
  } catch {
    return; // The job was deleted: live.js shows that.
  }
  if (job.state === "waiting") setTimeout(updateWaitingReason, WAITING_MS);
}

bindCopyButtons(job.id);
pinnedSamples(job.id, pageData("pinned-samples"));
loadExports(job.id, show);
fillRecord(find(document, "#record", HTMLDetailsElement), job.id);
followLog(find(document, "#log"), () => !isFinal(job.state));
find(document, "#more-curves").addEventListener("toggle", drawCharts);
find(document, "#weights-section").addEventListener("toggle", loadWeights, { once: true });
show();

// Live events may arrive before the responses, and may be in them.
/** @type {Stream} */
const scalarStream = { seq: null, early: [], apply: (events) => addEvents(curves, events) };
/** @type {Stream} */
const rareStream = { seq: null, early: [], apply: applyRare };

/**
 * @param {Stream} stream
 * @param {JobEvent[]} events
 */
function add(stream, events) {
  if (stream.seq == null) stream.early.push(...events);
  else stream.apply(newEvents(events, stream.seq));
}

/**
 * @param {Stream} stream
 * @param {number} seq Of the response.
 */
function onResponse(stream, seq) {
  stream.seq = seq;
  add(stream, stream.early);
  stream.early = [];
  requestDrawing();
}

/**
 * @param {Stream} stream
 * @param {ReturnType<typeof requestEvents>} response
 */
function loadEvents(stream, response) {
  response.then(({ events, seq }) => {
    stream.apply(events);
    onResponse(stream, seq);
  }, showLoadError);
}

scalarsRequest.then(({ series, seq }) => {
  curves = curvesOf(series);
  onResponse(scalarStream, seq);
}, showLoadError);
loadEvents(rareStream, rareRequest);

watchJob(job.id, job.seq, (events) => {
  add(scalarStream, events);
  add(rareStream, events);
  if (weightStream) add(weightStream, events);
  events.forEach(apply);
  requestDrawing();
});

if (job.state === "waiting") updateWaitingReason();
