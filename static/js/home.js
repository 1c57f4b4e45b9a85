// The home page's running jobs: live progress; a job that starts or ends brings the lists up to date.
import { decibel, gain, progressWords, share } from "./format.js";
import { watchAll } from "./live.js";
import { isFinal } from "./status.js";

const rowOf = (job) => document.querySelector(`tr[data-job="${CSS.escape(job)}"]`);

function showProgress(row, progress) {
  const bar = row.querySelector("progress");
  const done = share(progress);
  if (done == null) bar.removeAttribute("value");
  else bar.value = done;
  row.querySelector(".words").textContent = progressWords(progress);
}

function showState(row, event) {
  const state = row.querySelector(".state");
  state.textContent = event.state;
  state.className = `state ${event.state}`;
}

watchAll((job, events) => {
  const row = rowOf(job);
  for (const event of events) {
    if (event.type === "state" && (!row || isFinal(event.state))) location.reload();
    else if (!row) return;
    else if (event.type === "state") showState(row, event);
    else if (event.type === "progress") showProgress(row, event);
    else row.querySelector(".gain").textContent = `${gain(event.scalars["val/psnr"] - event.scalars["val/psnr_input"])} (${decibel(event.scalars["val/psnr"])})`;
  }
});
