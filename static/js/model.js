// The model's page: curves, verdict, snapshots, samples and layers, drawn from what is there and grown by events.
import { charts } from "./charts.js";
import { copyButtons } from "./copy.js";
import { addEvents, curvesOf, keysIn } from "./curves.js";
import { element, pageData } from "./dom.js";
import { factsOf } from "./facts.js";
import { count, verdict } from "./format.js";
import { layerCard } from "./layers.js";
import { watchJob } from "./live.js";
import { follow } from "./log.js";
import { messagesOf, recordOf } from "./record.js";
import { samplesThroughTime, withShown } from "./samples.js";
import { showSnapshots } from "./snapshot_table.js";
import { bestOf, resumedAt, withoutSnapshots, withSnapshot } from "./snapshots.js";
import { isFinal, showStatus, withEvent } from "./status.js";
import { styleOf } from "./styles.js";
import { swap } from "./pictures.js";

const POINTS = 800;
const WAITING_MS = 2000;

let job = pageData("job");
let hardware = null;
let snapshots = job.summary.snapshots ?? [];
let curves = curvesOf();
let showings = [];
const layers = new Map((job.summary.layers ?? []).map((layer) => [layer.index, layer]));
const fresh = { samples: true, layers: true };
const showSamples = samplesThroughTime();
const showMessages = messagesOf(document.querySelector("#messages"));

const ask = async (path) => (await fetch(`/api/v1/jobs/${job.id}${path}`)).json();
// Asked first: nothing else on the page is waited for longer. The template has the browser ask for the same even before.
const asked = { scalars: ask(`/scalars?max_points=${POINTS}`), rare: ask("/events?type=sample,resumed,message,state,snapshot") };
const keysOf = (figure) => figure.querySelector(".chart").dataset.keys.split(",");

const plots = charts(document.querySelector("[data-charts]"), {
  series: () => curves.series,
  source: (figure, finer) => {
    const series = finer ?? curves.series;
    return { series, keys: keysIn(curves.series, keysOf(figure)), style: styleOf };
  },
  fetchFiner: async (first, last) => (await ask(`/scalars?max_points=${POINTS}&from_step=${first}&to_step=${last}`)).series,
  tableOf: (figure) => location.assign(`/api/v1/jobs/${job.id}/scalars.csv?keys=${keysIn(curves.series, keysOf(figure)).join(",")}`),
});

function show() {
  showStatus(job);
  document.querySelector("#verdict").textContent = verdict(bestOf(snapshots), job.state);
  document.querySelector("#facts").replaceChildren(...factsOf(job.summary, isFinal(job.state) ? null : hardware).map(([name, words]) => element("div", {}, element("dt", {}, name), element("dd", {}, words))));
  showSnapshots(job, snapshots);
  for (const button of document.querySelectorAll('[data-needs="snapshots"]')) button.hidden ||= !snapshots.length;
}

function showLayers() {
  const section = document.querySelector("#layers-section");
  const sorted = [...layers.values()].sort((a, b) => a.index - b.index);
  if (!sorted.length) return;
  document.querySelector("#layers-at").textContent = `after step ${count(sorted[0].step)}`;
  // Pictures of folded layers are not fetched; weights that somebody has unfolded stay so.
  if (!section.open) return;
  const open = new Set([...section.querySelectorAll("article:has(details[open])")].map((card) => card.dataset.layer));
  const cards = sorted.map(layerCard);
  for (const card of cards) if (open.has(card.dataset.layer)) card.querySelector("details").open = true;
  swap(document.querySelector("#layers"), cards);
}

let waiting = false;
function draw() {
  waiting = false;
  show();
  plots.draw();
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
      showings = withShown(showings, event);
      fresh.samples = true;
      break;
    case "state":
      job = { ...job, summary: { ...job.summary, ...event.summary } };
      break;
    case "facts":
      job = { ...job, summary: { ...job.summary, ...event } };
      break;
    case "hardware":
      hardware = event;
      break;
    case "sample":
      showings = withShown(showings, event);
      fresh.samples = true;
      break;
    case "layer":
      layers.set(event.index, event);
      fresh.layers = true;
  }
}

/** What it waits for changes without an event of its own. */
async function keepWaiting() {
  if (job.state === "waiting") {
    const { waiting_for } = await ask("");
    if (job.state === "waiting") showStatus((job = { ...job, waiting_for }));
  }
  setTimeout(keepWaiting, WAITING_MS);
}

copyButtons(job.id);
recordOf(document.querySelector("#record"), job.id);
follow(document.querySelector("#log"), () => !isFinal(job.state));
document.querySelector("#layers-section").addEventListener("toggle", showLayers);
document.querySelector("#more-curves").addEventListener("toggle", () => plots.draw());
show();

const scalars = await asked.scalars;
curves = curvesOf(scalars.series);
plots.draw();
const rare = await asked.rare;
for (const event of rare.events) showings = withShown(showings, event);
showMessages(rare.events);
fresh.samples = true;
draw();

// From where the page was made, not the curves: what lies between is in the curves, but not yet in the rest.
watchJob(job.id, job.seq, (events) => {
  addEvents(curves, events.filter(({ seq }) => seq > scalars.seq));
  events.forEach(see);
  showMessages(events.filter(({ seq }) => seq > rare.seq));
  // Many events in one frame are one drawing.
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
});

keepWaiting();
