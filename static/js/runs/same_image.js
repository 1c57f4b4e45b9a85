// One image through several models: a test of each, and all outputs in one viewer.
import { post, requestWithRetries } from "../base/api.js";
import { element, find } from "../base/dom.js";
import { decibel, gain, similarity } from "../base/format.js";
import { watchJob } from "../base/live.js";
import { isFinal } from "../base/status.js";
import { viewer } from "../viewer/viewer.js";

/** @import { ImageSampleEvent, Job, JobEvent, Snapshot } from "../base/types.js" */
/** @import { ShownState } from "../base/client_types.js" */

/**
 * @typedef {{ id: string, name: string, snapshots: Snapshot[] }} TestableModel
 *
 * @typedef {object} Result
 * @property {string} id Of the test.
 * @property {TestableModel} model
 * @property {ShownState} state
 * @property {string} reason
 * @property {ImageSampleEvent | null} sample
 */

/**
 * Bind the form that tests all models. The page's address contains the tests.
 * @param {TestableModel[]} models
 */
export function bindTestAll(models) {
  const form = find(document, "#test-all", HTMLFormElement);
  const status = find(document, "#test-all-status");
  const button = find(form, "button.primary", HTMLButtonElement);
  const tests = new URL(location.href).searchParams.get("tests");
  let stop = tests ? followTests(models, tests.split(",")) : () => {};
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = "";
    const data = new FormData(form);
    const usable = models.filter((model) => model.snapshots.length);
    const outcomes = await Promise.allSettled(usable.map((model) => startTest(model, data)));
    button.disabled = false;
    const skipped = models
      .filter((model) => !usable.includes(model))
      .map((model) => `“${model.name}” has no snapshot and is left out.`);
    const errors = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [outcome.reason.message] : [],
    );
    status.textContent = [...skipped, ...new Set(errors)].join(" ");
    const ids = outcomes.flatMap((outcome) =>
      outcome.status === "fulfilled" ? [outcome.value.id] : [],
    );
    if (!ids.length) return;
    const address = new URL(location.href);
    address.searchParams.set("tests", ids.join(","));
    history.replaceState(null, "", address);
    stop();
    stop = followTests(models, ids);
  });
}

/**
 * @param {TestableModel} model
 * @param {FormData} data
 * @returns {Promise<{ id: string }>}
 */
function startTest(model, data) {
  const entries = [...data].filter(
    ([name, value]) => typeof value === "string" && value.trim() && !name.includes("."),
  );
  const values = Object.fromEntries(entries);
  const pair = values.pair == null ? {} : { pair: Number(values.pair) };
  return post(`/models/${model.id}/tests`, { ...values, layers: false, ...pair });
}

/** @param {ShownState} state */
const isEnded = (state) => isFinal(state) || state === "deleted";

/**
 * Show the results of tests as they arrive.
 * @param {TestableModel[]} models
 * @param {string[]} tests Ids.
 * @returns {() => void} Stops that.
 */
function followTests(models, tests) {
  /** @type {Result[]} */
  const results = [];
  /** @type {Map<string, () => void>} Stop watching, by the test's id. */
  const stops = new Map();
  const show = () => {
    results.sort((a, b) => models.indexOf(a.model) - models.indexOf(b.model));
    showTable(results);
    if (results.every(({ state }) => isEnded(state))) showPictures(results);
  };
  const begin = async (/** @type {string} */ id) => {
    /** @type {Job} */
    const job = await requestWithRetries(`/jobs/${id}`);
    const model = models.find((candidate) => candidate.id === job.spec.model);
    if (!model) return; // A test of a model that this page does not compare.
    /** @type {Result} */
    const result = { id, model, state: job.state, reason: job.reason, sample: null };
    results.push(result);
    const onEvents = (/** @type {JobEvent[]} */ events) => {
      for (const event of events) {
        if (event.type === "state") {
          result.state = event.state;
          result.reason = event.reason;
        }
        if (event.type === "sample" && "snapshot" in event) result.sample = event;
      }
      if (isEnded(result.state)) stops.get(id)?.();
      show();
    };
    const onDeleted = () => {
      result.state = "deleted";
    };
    stops.set(id, watchJob(id, 0, onEvents, onDeleted));
    show();
  };
  for (const id of tests) begin(id).catch(() => {}); // A deleted test has no result.
  return () => stops.forEach((stop) => stop());
}

/** @param {Result} result */
const gainOfResult = ({ sample }) =>
  sample?.psnr_output == null || sample.psnr_input == null
    ? null
    : sample.psnr_output - sample.psnr_input;

/** @param {Result[]} results */
function showTable(results) {
  find(document, "#results").hidden = false;
  const most = Math.max(...results.map(gainOfResult).filter((value) => value != null));
  const rows = results.map((result) => {
    const { id, model, state, reason, sample } = result;
    const gained = gainOfResult(result);
    const cells = [decibel(sample?.psnr_output), similarity(sample?.ssim_output)];
    return element(
      "tr",
      { class: gained === most ? "best" : "" },
      element("th", { scope: "row" }, element("a", { href: `/tests/${id}` }, model.name)),
      element("td", { class: "number gain" }, gain(gained)),
      element(
        "td",
        {},
        element("span", { class: `state ${state}`, title: reason }, state),
        state === "error" ? ` ${reason}` : "",
      ),
      ...cells.map((cell) => element("td", { class: "number" }, cell)),
    );
  });
  find(document, "#results tbody").replaceChildren(...rows);
}

/**
 * Show the input, the output of each model and the ground truth in one viewer.
 * @param {Result[]} results
 */
function showPictures(results) {
  const outputs = results.flatMap(({ model, sample }) =>
    sample ? [{ role: "output", label: model.name, url: sample.output }] : [],
  );
  const sample = results.find((result) => result.sample)?.sample;
  if (!sample) return;
  const truth = sample.target
    ? [{ role: "target", label: "Ground truth", url: sample.target }]
    : [];
  viewer(find(document, "#viewer"), [
    { role: "input", label: "Input", url: sample.input },
    ...outputs,
    ...truth,
  ]);
}
