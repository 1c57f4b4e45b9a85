// Models beside one another: best numbers, curves over each other, and one image through all of them.
import { ask, askUntilAnswered } from "../base/api.js";
import { charts } from "../charts/charts.js";
import { addEvents, curvesOf, sinceStart, startOf, stepsBetween } from "../charts/curves.js";
import { pageData } from "../base/dom.js";
import { count, decibel, epochs, gain, gainOf, losses, seconds, similarity } from "../base/format.js";
import { watchJob } from "../base/live.js";
import { showSameImage } from "../runs/same_image.js";
import { bestOf, withoutSnapshots, withSnapshot } from "../runs/snapshots.js";
import { nth, showOf } from "../charts/styles.js";

const POINTS = 600;

const models = pageData("jobs");
for (const model of models) Object.assign(model, { snapshots: [], curves: curvesOf() });
const keyOf = (figure) => figure.querySelector(".chart").dataset.of;

/** A model's colour is the same in the table and on every chart. */
function styleOf(id, key) {
  const show = key && showOf(key);
  if (id === "input") return { show, label: "input", colour: "--baseline", dash: [6, 4], plain: true };
  const place = models.findIndex((model) => model.id === id);
  return { label: models[place].name, show, plain: key?.startsWith("val/"), ...nth(place) };
}

const sameDatasets = "same" in document.querySelector("[data-charts]").dataset;

/** A key's curves by the id of the model, in time since its start; and that of the input as it is, where it is one for all. */
function overlaid(key, x, seriesOf) {
  const own = new Map(models.map((model) => [model, x === "time" ? sinceStart(seriesOf(model), startOf(model.curves.series)) : seriesOf(model)]));
  const line = (model, one) => own.get(model)[one];
  const found = models.map((model) => [model.id, line(model, key)]).filter(([, one]) => one);
  const inputs = sameDatasets ? models.map((model) => line(model, `${key}_input`)).filter(Boolean) : [];
  const longest = inputs.reduce((most, line) => (most && most.step.length >= line.step.length ? most : line), null);
  return Object.fromEntries(longest ? [...found, ["input", longest]] : found);
}

const drawCharts = charts(document.querySelector("[data-charts]"), {
  source: (figure, finer, x) => {
    const series = overlaid(keyOf(figure), x, (model) => finer?.get(model.id) ?? model.curves.series);
    return { series, keys: Object.keys(series), style: (id) => styleOf(id, keyOf(figure)) };
  },
  fetchFiner: async (x, from, to, before) => new Map(await Promise.all(models.map(async (model) => [model.id, await finerOf(model, x, from, to, before?.get(model.id))]))),
});

function scalarsOf({ id }, more = "") {
  const keys = [...document.querySelectorAll("figure")].map(keyOf).flatMap((key) => [key, `${key}_input`]);
  return ask(`/jobs/${id}/scalars?max_points=${POINTS}&keys=${keys.join(",")}${more}`);
}

/** What lies between two values of x of a model's curves, with more points; as it is known where there is no more. */
async function finerOf(model, x, from, to, before) {
  const known = before ?? model.curves.series;
  const start = x === "time" ? startOf(model.curves.series) : 0;
  const steps = stepsBetween(known, x, from + start, to + start);
  if (!steps || model.state === "deleted") return known;
  return (await scalarsOf(model, `&from_step=${steps[0]}&to_step=${steps[1]}`)).series;
}

const gained = (model) => gainOf(bestOf(model.snapshots));

function show() {
  const known = models.filter((model) => gained(model) != null);
  const winner = known.reduce((top, model) => (top && gained(top) >= gained(model) ? top : model), null);
  for (const model of models) {
    const row = document.querySelector(`[data-job="${model.id}"]`);
    const { colour, dash } = styleOf(model.id);
    row.querySelector(".swatch").style.setProperty("--series", `var(${colour})`);
    row.querySelector(".swatch").classList.toggle("dashed", Boolean(dash));
    const state = row.querySelector(".state");
    state.textContent = model.state;
    state.className = `state ${model.state}`;
    state.title = model.reason ?? "";
    const best = bestOf(model.snapshots);
    const cells = { gain: gain(gained(model)), psnr: decibel(best?.["val/psnr"]), psnr_y: decibel(best?.["val/psnr_y"]), ssim: similarity(best?.["val/ssim"]), l1: losses(best?.["val/l1"]), epoch: epochs(best?.epoch), parameters: count(model.summary.parameters), time: seconds(model.summary.seconds) };
    for (const [name, words] of Object.entries(cells)) row.querySelector(`.${name}`).textContent = words;
    row.classList.toggle("best", model === winner);
  }
  document.querySelector("#verdict").textContent = winner ? `Best so far: ${winner.name}, ${gain(gained(winner))} over its input` : "Nothing validated yet.";
  drawCharts();
}

function see(model, event) {
  if (event.type === "state") Object.assign(model, { state: event.state, reason: event.reason, summary: { ...model.summary, ...event.summary } });
  if (event.type === "facts") model.summary = { ...model.summary, ...event };
  if (event.type === "snapshot") model.snapshots = withSnapshot(model.snapshots, event);
  if (event.type === "removed") model.snapshots = withoutSnapshots(model.snapshots, event.snapshots);
}

let drawing = false;
function requestDrawing() {
  if (!drawing) requestAnimationFrame(() => {
    drawing = false;
    show();
  });
  drawing = true;
}

async function begin(model) {
  const now = await askUntilAnswered(`/jobs/${model.id}`);
  Object.assign(model, { state: now.state, reason: now.reason, summary: now.summary, snapshots: now.summary.snapshots ?? [] });
  const scalars = await scalarsOf(model);
  model.curves = curvesOf(scalars.series);
  watchJob(model.id, now.seq, (events) => {
    addEvents(model.curves, events.filter(({ seq }) => seq > scalars.seq));
    for (const event of events) see(model, event);
    requestDrawing();
  }, () => {
    gone(model);
    requestDrawing();
  });
}

showSameImage(models);
const gone = (model) => Object.assign(model, { state: "deleted", reason: "This model was deleted." });
await Promise.all(models.map((model) => begin(model).catch(() => gone(model))));
show();
