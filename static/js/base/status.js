// The head of a job's page: state, progress, reason and title, kept true by events.
import { percent, progressWords, share } from "./format.js";

const FINAL = new Set(["done", "error", "aborted"]);

/** Show a job ({name, state, reason, progress}) in the page's head. */
export function showStatus(job) {
  const state = document.querySelector("#state");
  state.textContent = job.state;
  state.className = `state ${job.state}`;
  const done = share(job.progress);
  const running = job.state === "running";
  const bar = document.querySelector("#bar");
  bar.hidden = FINAL.has(job.state);
  if (done == null && running) bar.removeAttribute("value");
  else bar.value = done ?? 0;
  document.querySelector("#progress").textContent = running ? progressWords(job.progress) || "Starting" : job.state === "waiting" ? (job.waiting_for ?? "Waits for its turn.") : "";
  const reason = document.querySelector("#reason");
  reason.hidden = !job.reason;
  reason.classList.toggle("bad", job.state === "error");
  reason.querySelector("p").textContent = job.reason;
  for (const one of document.querySelectorAll(".job-head [data-when]")) one.hidden = !one.dataset.when.split(" ").includes(job.state);
  document.title = `${running && done != null ? percent(done) : job.state} · ${job.name} · Clearframe`;
}

/** The job after an event. */
export function withEvent(job, event) {
  if (event.type === "state") return { ...job, state: event.state, reason: event.reason };
  if (event.type === "progress") return { ...job, progress: event };
  return job;
}

export const isFinal = (state) => FINAL.has(state);
