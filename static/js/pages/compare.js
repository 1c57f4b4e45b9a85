// The page that compares models: best scores, curves in common charts, and one image through all.
import { request, requestWithRetries } from "../base/api.js";
import { charts } from "../charts/charts.js";
import {
  addEvents,
  curvesOf,
  longest,
  newEvents,
  sinceStart,
  startOf,
  stepsBetween,
  withGain,
} from "../charts/curves.js";
import { find, findAll, pageData } from "../base/dom.js";
import { count, decibel, epoch, gain, gainOf, loss, seconds, similarity } from "../base/format.js";
import { watchJob } from "../base/live.js";
import { comparedRuns } from "../runs/compared_runs.js";
import { bindComparedSettings } from "../runs/compared_settings.js";
import { costChart } from "../runs/cost_chart.js";
import { ratesChart } from "../runs/rates_chart.js";
import { bindTestAll } from "../runs/same_image.js";
import { bestOf, withoutSnapshots, withSnapshot } from "../runs/snapshots.js";
import { formatterOf, INPUT_STYLE, nthStyle } from "../charts/styles.js";

/** @import { Curves } from "../charts/curves.js" */
/** @import { CurveStyle } from "../charts/styles.js" */
/** @import { Job, JobEvent, JobSummary, ScalarsResponse } from "../base/types.js" */
/** @import { AxisName } from "../base/client_types.js" */
/** @import { Series, Snapshot } from "../base/types.js" */
/** @import { SeriesByKey, ShownState } from "../base/client_types.js" */

/**
 * @typedef {object} ComparedModel
 * @property {string} id
 * @property {string} name
 * @property {ShownState} state
 * @property {string} reason
 * @property {JobSummary} summary
 * @property {Snapshot[]} snapshots
 * @property {Curves} curves
 */

const MAX_POINTS = 600;

/** @type {Job[]} */
const jobs = pageData("jobs");
/** @type {ComparedModel[]} */
const models = jobs.map(({ id, name, state, reason, summary }) => {
  const snapshots = summary.best ? [summary.best] : [];
  return { id, name, state, reason, summary, snapshots, curves: curvesOf() };
});

const chartsHolder = find(document, "[data-charts]");
const haveSameDatasets = "same" in chartsHolder.dataset;

const isShown = comparedRuns(() => show());
const shownModels = () => models.filter(({ id }) => isShown(id));
const drawCosts = costChart(() =>
  models
    .map((model, index) => ({ ...model, index, gain: gainOfModel(model) }))
    .filter(({ id }) => isShown(id)),
);

const drawRates = ratesChart(() =>
  models
    .map(({ id, name, summary }, index) => ({
      id,
      name,
      style: nthStyle(index),
      rates: summary.rates,
    }))
    .filter(({ id }) => haveSameDatasets && isShown(id)),
);

/**
 * The key of the curves in a figure.
 * @param {HTMLElement} figure
 */
const keyOf = (figure) => find(figure, ".chart").dataset.of ?? "";

/**
 * The style of a model's curve: the same colour in the table and in every chart.
 * @param {string} id Of the model, or "input".
 * @param {string} key
 * @returns {CurveStyle}
 */
function styleOf(id, key) {
  const format = formatterOf(key);
  if (id === "input") return { ...INPUT_STYLE, format };
  const index = models.findIndex((model) => model.id === id);
  const { name } = models[index];
  return { label: name, format, plain: key.startsWith("val/"), ...nthStyle(index) };
}

/**
 * The curves of a key by the model's id. If all models have the same datasets, also the scores of
 * the inputs. Times are since the start of each training.
 * @param {string} key
 * @param {AxisName} x
 * @param {(model: ComparedModel) => SeriesByKey} seriesOf
 * @returns {SeriesByKey}
 */
function overlaid(key, x, seriesOf) {
  /** @type {SeriesByKey} */
  const byModel = {};
  /** @type {Series[]} */
  const inputs = [];
  for (const model of shownModels()) {
    const series = withGain(seriesOf(model));
    const shown = x === "time" ? sinceStart(series, startOf(model.curves.series)) : series;
    if (shown[key]) byModel[model.id] = shown[key];
    const input = shown[`${key}_input`];
    if (haveSameDatasets && input) inputs.push(input);
  }
  const input = longest(inputs);
  return input ? { ...byModel, input } : byModel;
}

/** @type {() => void} */
const drawCharts = charts(chartsHolder, {
  source: (figure, /** @type {Map<string, SeriesByKey> | null} */ finer, x) => {
    const key = keyOf(figure);
    const series = overlaid(key, x, (model) => finer?.get(model.id) ?? model.curves.series);
    return { series, keys: Object.keys(series), style: (id) => styleOf(id, key) };
  },
  fetchFiner: async (x, from, to, before) => {
    const series = await Promise.all(
      models.map((model) => fetchRange(model, x, from, to, before?.get(model.id))),
    );
    return new Map(models.map((model, index) => [model.id, series[index]]));
  },
});

/**
 * @param {ComparedModel} model
 * @param {string} [query]
 * @returns {Promise<ScalarsResponse>}
 */
function fetchScalars({ id }, query = "") {
  const keys = findAll(document, "figure")
    .map(keyOf)
    .flatMap((key) => [key, `${key}_input`]);
  return request(`/jobs/${id}/scalars?max_points=${MAX_POINTS}&keys=${keys.join(",")}${query}`);
}

/**
 * A model's curves in a range of x with more points, if there are more.
 * @param {ComparedModel} model
 * @param {AxisName} x
 * @param {number} from
 * @param {number} to
 * @param {SeriesByKey} [before] The curves that are shown.
 * @returns {Promise<SeriesByKey>}
 */
async function fetchRange(model, x, from, to, before = model.curves.series) {
  const start = x === "time" ? startOf(model.curves.series) : 0;
  const steps = stepsBetween(before, x, from + start, to + start);
  if (!steps || model.state === "deleted") return before;
  return (await fetchScalars(model, `&from_step=${steps[0]}&to_step=${steps[1]}`)).series;
}

/** @param {ComparedModel} model */
const gainOfModel = (model) => gainOf(bestOf(model.snapshots, model.summary.leader));

function show() {
  /** @type {ComparedModel | null} */
  let winner = null;
  let most = -Infinity;
  for (const model of models) {
    const gained = gainOfModel(model);
    if (gained == null || gained <= most) continue;
    winner = model;
    most = gained;
  }
  for (const model of models) {
    showRow(model);
    rowOf(model).classList.toggle("best", model === winner);
  }
  find(document, "#verdict").textContent = winner
    ? `Best so far: ${winner.name}, ${gain(most)} over the input`
    : "Not validated yet.";
  drawCharts();
  drawCosts();
  drawRates();
}

/** @param {ComparedModel} model */
const rowOf = ({ id }) => find(document, `[data-job="${id}"]`);

/** @param {ComparedModel} model */
function showRow(model) {
  const row = rowOf(model);
  const state = find(row, ".state");
  state.textContent = model.state;
  state.className = `state ${model.state}`;
  state.title = model.reason ?? "";
  const best = bestOf(model.snapshots, model.summary.leader);
  const cells = {
    gain: gain(gainOf(best)),
    psnr: decibel(best?.["val/psnr"]),
    psnr_y: decibel(best?.["val/psnr_y"]),
    ssim: similarity(best?.["val/ssim"]),
    l1: loss(best?.["val/l1"]),
    epoch: epoch(best?.epoch),
    parameters: count(model.summary.parameters),
    time: seconds(model.summary.seconds),
  };
  for (const [name, text] of Object.entries(cells)) find(row, `.${name}`).textContent = text;
}

/**
 * @param {ComparedModel} model
 * @param {JobEvent} event
 */
function apply(model, event) {
  switch (event.type) {
    case "state":
      model.state = event.state;
      model.reason = event.reason;
      model.summary = { ...model.summary, ...event.summary };
      break;
    case "facts":
      model.summary = { ...model.summary, ...event };
      break;
    case "snapshot":
      model.snapshots = withSnapshot(model.snapshots, event);
      break;
    case "removed":
      model.snapshots = withoutSnapshots(model.snapshots, event.snapshots);
  }
}

let isDrawingRequested = false;

/** Draw in the next frame, once for many events. */
function requestDrawing() {
  if (!isDrawingRequested)
    requestAnimationFrame(() => {
      isDrawingRequested = false;
      show();
    });
  isDrawingRequested = true;
}

/** @param {ComparedModel} model */
async function begin(model) {
  /** @type {Job} */
  const { state, reason, summary, seq } = await requestWithRetries(`/jobs/${model.id}`);
  Object.assign(model, { state, reason, summary, snapshots: summary.snapshots ?? [] });
  const scalars = await fetchScalars(model);
  model.curves = curvesOf(scalars.series);
  watchJob(
    model.id,
    seq,
    (events) => {
      addEvents(model.curves, newEvents(events, scalars.seq));
      for (const event of events) apply(model, event);
      requestDrawing();
    },
    () => {
      markDeleted(model);
      requestDrawing();
    },
  );
}

/** @param {ComparedModel} model */
function markDeleted(model) {
  model.state = "deleted";
  model.reason = "This model was deleted.";
}

bindTestAll(models);
bindComparedSettings();
await Promise.all(models.map((model) => begin(model).catch(() => markDeleted(model))));
show();
