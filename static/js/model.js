// The model's page: curves, verdict, snapshots, samples and layers, drawn from what is there and grown by events.
import { chart } from "./chart.js";
import { element, pageData } from "./dom.js";
import { factsOf } from "./facts.js";
import { verdict } from "./format.js";
import { layerCard } from "./layers.js";
import { watchJob } from "./live.js";
import { sampleCard } from "./samples.js";
import { addEvents } from "./series.js";
import { bestOf, resumedAt, showSnapshots, withSnapshot } from "./snapshots.js";
import { isFinal, showStatus, withEvent } from "./status.js";

let job = pageData("job");
let hardware = null;
let snapshots = job.summary.snapshots ?? [];
const shown = { sample: new Map(), layer: new Map() };
for (const sample of job.summary.samples ?? []) shown.sample.set(sample.index, sample);
for (const layer of job.summary.layers ?? []) shown.layer.set(layer.index, layer);
const answer = await fetch(`/api/v1/jobs/${job.id}/scalars?max_points=2000`);
const { series } = await answer.json();
const draws = [...document.querySelectorAll(".chart[data-keys]")].map((holder) => chart(holder, series));

function show() {
  showStatus(job);
  document.querySelector("#verdict").textContent = verdict(bestOf(snapshots));
  document.querySelector("#facts").replaceChildren(...factsOf(job.summary, isFinal(job.state) ? null : hardware).map(([name, words]) => element("div", {}, element("dt", {}, name), element("dd", {}, words))));
  showSnapshots(job, snapshots);
}

function showSamples() {
  const samples = [...shown.sample.values()];
  document.querySelector("#samples-section").hidden = !samples.length;
  document.querySelector("#samples").replaceChildren(...samples.map(sampleCard));
  document.querySelector("#samples-at").textContent = samples.length ? `after step ${samples[0].step.toLocaleString("en")}` : "";
}

function showLayers() {
  const layers = [...shown.layer.values()].sort((a, b) => a.index - b.index);
  document.querySelector("#layers-section").hidden = !layers.length;
  document.querySelector("#layers-at").textContent = layers.length ? `after step ${layers[0].step.toLocaleString("en")}` : "";
  // Pictures of folded layers are not fetched.
  if (document.querySelector("#layers-section").open) document.querySelector("#layers").replaceChildren(...layers.map(layerCard));
}

const fresh = { sample: true, layer: true };
let waiting = false;
function draw() {
  waiting = false;
  show();
  for (const one of draws) one();
  if (fresh.sample) showSamples();
  if (fresh.layer) showLayers();
  fresh.sample = fresh.layer = false;
}

function see(event) {
  job = withEvent(job, event);
  if (event.type === "snapshot") snapshots = withSnapshot(snapshots, event);
  if (event.type === "resumed") snapshots = resumedAt(snapshots, event.step);
  if (event.type === "state" && event.summary) job = { ...job, summary: { ...job.summary, ...event.summary } };
  if (event.type === "facts") job = { ...job, summary: { ...job.summary, ...event } };
  if (event.type === "hardware") hardware = event;
  if (event.type in shown) {
    shown[event.type].set(event.index, event);
    fresh[event.type] = true;
  }
}

// From where the page was made, not the curves: what lies between is in the curves, but not yet in the rest.
watchJob(job.id, job.seq, (events) => {
  addEvents(series, events);
  events.forEach(see);
  // Many events in one frame are one drawing.
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
});

document.querySelector("#layers-section").addEventListener("toggle", showLayers);
draw();
