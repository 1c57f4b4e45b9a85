// The head of a job's page: events update its state, progress, reason and title.
import { element, find, findAll, findOptional } from "./dom.js";
import { percent, progressText, share } from "./format.js";
import { showTimes } from "./times.js";

/** @import { Job, JobEvent, Passed } from "./types.js" */
/** @import { ShownState } from "./client_types.js" */

/** @type {Set<ShownState>} */
const FINAL_STATES = new Set(["done", "error", "aborted"]);

/**
 * Show a job in the page's head.
 * @param {Job} job
 */
export function showStatus(job) {
  const state = find(document, "#state");
  state.textContent = job.state;
  state.className = `state ${job.state}`;
  const done = share(job.progress);
  const isRunning = job.state === "running";
  const bar = find(document, "#bar", HTMLProgressElement);
  // When the job ends while the page shows it, the line keeps its room: nothing below it moves.
  if (isFinal(job.state) && !bar.hidden) bar.parentElement?.classList.add("kept");
  bar.hidden = isFinal(job.state);
  if (done == null && isRunning) bar.removeAttribute("value");
  else bar.value = done ?? 0;
  find(document, "#progress").textContent = statusText(job);
  const reason = find(document, "#reason");
  reason.hidden = !job.reason;
  reason.classList.toggle("bad", job.state === "error");
  find(reason, "p").textContent = job.reason;
  for (const part of findAll(document, ".job-head [data-when]"))
    part.hidden = !part.dataset.when?.split(" ").includes(job.state);
  const stage = isRunning && done != null ? percent(done) : job.state;
  document.title = `${stage} · ${job.name} · Clearframe`;
  showHistory(job.history ?? []);
}

/**
 * Add the states since the page was loaded to the table of the history.
 * @param {Passed[]} history
 */
function showHistory(history) {
  const rows = findOptional(document, ".history tbody");
  const latest = history.at(-1);
  if (!rows || !latest) return;
  const shown = findAll(rows, "time").map(({ dataset }) => Number(dataset.at));
  const fresh = history.filter(({ time }) => time > Math.max(0, ...shown));
  if (!fresh.length) return;
  rows.append(
    ...fresh.map(({ state, time, reason }) =>
      element(
        "tr",
        {},
        element("td", {}, element("span", { class: `state ${state}` }, state)),
        element("td", {}, element("time", { "data-at": time, "data-exact": true })),
        element("td", {}, reason),
      ),
    ),
  );
  showTimes();
}

/** @param {Job} job */
function statusText({ state, progress, waiting_for }) {
  if (state === "running") return progressText(progress) || "Starting";
  return state === "waiting" ? (waiting_for ?? "Waiting for its turn.") : "";
}

/**
 * The job after an event.
 * @param {Job} job
 * @param {JobEvent} event
 * @returns {Job}
 */
export function withEvent(job, event) {
  if (event.type === "state") {
    const { state, time, reason } = event;
    return { ...job, state, reason, history: [...(job.history ?? []), { state, time, reason }] };
  }
  if (event.type === "progress") return { ...job, progress: event };
  return job;
}

/** @param {ShownState} state */
export const isFinal = (state) => FINAL_STATES.has(state);
