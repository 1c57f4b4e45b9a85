// One image through several models: a test of each, and all that comes out in one viewer.
import { element } from "./dom.js";
import { decibel, gain } from "./format.js";
import { watchJob } from "./live.js";
import { viewer } from "./viewer.js";

/** Make the form work. The tests stand in the page's address, so that it can be sent to a colleague. */
export function showSameImage(models) {
  const form = document.querySelector("#test-all");
  const words = document.querySelector("#test-all-words");
  const known = new URL(location).searchParams.get("tests");
  if (known) follow(models, known.split(","));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.querySelector("button.primary").disabled = true;
    words.textContent = "";
    const made = await Promise.all(models.map((model) => start(model, new FormData(form))));
    form.querySelector("button.primary").disabled = false;
    const refused = made.find((one) => one.error);
    if (refused) {
      words.textContent = refused.error.message;
      return;
    }
    const address = new URL(location);
    address.searchParams.set("tests", made.map((one) => one.id).join(","));
    history.replaceState(null, "", address);
    follow(models, made.map((one) => one.id));
  });
}

async function start(model, data) {
  const filled = Object.fromEntries([...data].filter(([name, value]) => typeof value === "string" && value.trim() && !name.includes(".")));
  const body = { ...filled, layers: false, ...(filled.pair == null ? {} : { pair: Number(filled.pair) }) };
  const answer = await fetch(`/api/v1/models/${model.id}/tests`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}

/** Show the results of tests, the n-th of the n-th model, as they come. */
function follow(models, tests) {
  const results = tests.slice(0, models.length).map((id, place) => ({ id, model: models[place], state: "waiting", sample: null }));
  const show = () => {
    table(results);
    if (results.every(({ state }) => ["done", "error", "aborted", "deleted"].includes(state))) pictures(results);
  };
  for (const result of results) {
    fetch(`/api/v1/jobs/${result.id}`).then((answer) => {
      if (!answer.ok) result.state = "deleted";
      else
        watchJob(result.id, 0, (events) => {
          for (const event of events) {
            if (event.type === "state") Object.assign(result, { state: event.state, reason: event.reason });
            if (event.type === "sample") result.sample = event;
          }
          show();
        });
      show();
    });
  }
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
      ...cells.map((cell) => element("td", { class: "number" }, cell)),
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
