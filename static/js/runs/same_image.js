// One image through several models: a test of each, and all that comes out in one viewer.
import { askUntilAnswered, send } from "../base/api.js";
import { element } from "../base/dom.js";
import { decibel, gain } from "../base/format.js";
import { watchJob } from "../base/live.js";
import { viewer } from "../viewer/viewer.js";

/** Make the form work. The tests stand in the page's address, so that it can be sent to a colleague. */
export function showSameImage(models) {
  const form = document.querySelector("#test-all");
  const words = document.querySelector("#test-all-words");
  const known = new URL(location).searchParams.get("tests");
  let leave = known ? follow(models, known.split(",")) : () => {};
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.querySelector("button.primary").disabled = true;
    words.textContent = "";
    const data = new FormData(form);
    const usable = models.filter((model) => model.snapshots.length);
    const outcomes = await Promise.allSettled(usable.map((model) => start(model, data)));
    form.querySelector("button.primary").disabled = false;
    const left = models.filter((model) => !usable.includes(model)).map((model) => `“${model.name}” has no snapshot and is left out.`);
    words.textContent = [...left, ...new Set(outcomes.filter(({ reason }) => reason).map(({ reason }) => reason.message))].join(" ");
    const made = outcomes.filter(({ value }) => value).map(({ value }) => value);
    if (!made.length) return;
    const address = new URL(location);
    address.searchParams.set("tests", made.map((one) => one.id).join(","));
    history.replaceState(null, "", address);
    leave();
    leave = follow(models, made.map((one) => one.id));
  });
}

function start(model, data) {
  const filled = Object.fromEntries([...data].filter(([name, value]) => typeof value === "string" && value.trim() && !name.includes(".")));
  const body = { ...filled, layers: false, ...(filled.pair == null ? {} : { pair: Number(filled.pair) }) };
  return send(`/models/${model.id}/tests`, body);
}

const ENDED = ["done", "error", "aborted", "deleted"];

/** Show the results of tests as they come, each with the model that it is of. Returns what ends it. */
function follow(models, tests) {
  const results = [];
  const ends = new Map();
  const show = () => {
    const order = ({ model }) => models.indexOf(model);
    results.sort((a, b) => order(a) - order(b));
    table(results);
    if (results.every(({ state }) => ENDED.includes(state))) pictures(results);
  };
  const begin = async (id) => {
    const job = await askUntilAnswered(`/jobs/${id}`);
    const model = models.find((one) => one.id === job.spec.model);
    if (!model) return; // It is not one of those that are compared.
    const result = { id, model, state: job.state, reason: job.reason, sample: null };
    results.push(result);
    const see = (events) => {
      for (const event of events) {
        if (event.type === "state") Object.assign(result, { state: event.state, reason: event.reason });
        if (event.type === "sample") result.sample = event;
      }
      if (ENDED.includes(result.state)) ends.get(id)();
      show();
    };
    ends.set(id, watchJob(id, 0, see, () => Object.assign(result, { state: "deleted" })));
    show();
  };
  for (const id of tests) begin(id).catch(() => {}); // A test that was deleted has nothing to show.
  return () => ends.forEach((end) => end());
}

function table(results) {
  document.querySelector("#results").hidden = false;
  const gained = ({ sample }) => (sample?.psnr_output == null || sample.psnr_input == null ? null : sample.psnr_output - sample.psnr_input);
  const most = Math.max(...results.map(gained).filter((value) => value != null));
  const rows = results.map((result) => {
    const { id, model, state, reason, sample } = result;
    const cells = [decibel(sample?.psnr_output), gain(gained(result)), sample?.ssim_output?.toFixed(4) ?? "–"];
    return element(
      "tr",
      { class: gained(result) === most ? "best" : "" },
      element("th", { scope: "row" }, element("a", { href: `/tests/${id}` }, model.name)),
      element("td", {}, element("span", { class: `state ${state}`, title: reason }, state), state === "error" ? ` ${reason}` : ""),
      ...cells.map((cell, place) => element("td", { class: place === 1 ? "number gain" : "number" }, cell)),
    );
  });
  document.querySelector("#results tbody").replaceChildren(...rows);
}

/** Input, what each model made of it, and truth: any two can be laid over one another. */
function pictures(results) {
  const shown = results.filter(({ sample }) => sample);
  if (!shown.length) return;
  const [{ sample }] = shown;
  const outputs = shown.map(({ model, sample: { output } }) => ({ role: "output", label: model.name, url: output }));
  const truth = sample.target ? [{ role: "target", label: "Ground truth", url: sample.target }] : [];
  viewer(document.querySelector("#viewer"), [{ role: "input", label: "Input", url: sample.input }, ...outputs, ...truth]);
}
