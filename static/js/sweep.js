// Trainings that differ in rate and batch size alone, beside one another.
import { chart } from "./chart.js";
import { pageData } from "./dom.js";
import { decibel, gain, gainOf, seconds } from "./format.js";
import { watchJob } from "./live.js";
import { addEvents } from "./series.js";
import { bestOf, withSnapshot } from "./snapshots.js";

// Okabe-Ito, without the grey of the input; a second round is dashed.
const COLOURS = ["--train", "--validation", "--rate", "--fourth", "--fifth", "--sixth"];

const jobs = pageData("jobs");
const KEYS = ["val/psnr", "val/l1"];
const curves = Object.fromEntries(KEYS.map((key) => [key, {}]));

function styleOf(id) {
  if (id === "input") return { label: "input", colour: "--baseline", dash: [6, 4] };
  const place = jobs.findIndex((job) => job.id === id);
  const { solver, batch_size: batch } = jobs[place].spec;
  return { label: `${solver.learning_rate}, ${batch}`, colour: COLOURS[place % COLOURS.length], dash: place < COLOURS.length ? undefined : [8, 3] };
}

const draws = [...document.querySelectorAll(".chart")].map((holder) => chart(holder, curves[holder.dataset.of], styleOf));

/** Take in a training's curves; the input's line is that of the one that is furthest. */
function take(id, series) {
  for (const key of KEYS) {
    if (!series[key]) continue;
    curves[key][id] = series[key];
    const input = series[`${key}_input`];
    if (input && input.step.length >= (curves[key].input?.step.length ?? 0)) curves[key].input = input;
  }
}

function show() {
  for (const job of jobs) {
    const row = document.querySelector(`[data-job="${job.id}"]`);
    const state = row.querySelector(".state");
    state.textContent = job.state;
    state.className = `state ${job.state}`;
    state.title = job.reason ?? "";
    const best = bestOf(job.snapshots);
    row.querySelector(".gain").textContent = gain(gained(job));
    row.querySelector(".psnr").textContent = decibel(best?.["val/psnr"]);
    row.querySelector(".epoch").textContent = best?.epoch ?? "–";
    row.querySelector(".time").textContent = seconds(job.summary.seconds);
    row.className = job === winner() ? "best" : "";
  }
  const best = winner();
  document.querySelector("#verdict").textContent = best ? `Best so far: rate ${best.spec.solver.learning_rate}, batch ${best.spec.batch_size}, ${gain(gained(best))} over its input` : "Nothing validated yet.";
  for (const draw of draws) draw();
}

const gained = (job) => gainOf(bestOf(job.snapshots));

function winner() {
  const known = jobs.filter((job) => gained(job) != null);
  return known.reduce((top, job) => (top && gained(top) >= gained(job) ? top : job), null);
}

async function begin(job) {
  const answer = await fetch(`/api/v1/jobs/${job.id}`);
  if (!answer.ok) return Object.assign(job, { state: "deleted" });
  const now = await answer.json();
  Object.assign(job, { state: now.state, reason: now.reason, summary: now.summary, snapshots: now.summary.snapshots ?? [] });
  const { series } = await (await fetch(`/api/v1/jobs/${job.id}/scalars?keys=${KEYS.flatMap((key) => [key, `${key}_input`]).join(",")}`)).json();
  take(job.id, series);
  watchJob(job.id, now.seq, (events) => {
    addEvents(series, events);
    take(job.id, series);
    for (const event of events) {
      if (event.type === "state") Object.assign(job, { state: event.state, reason: event.reason, summary: { ...job.summary, ...event.summary } });
      if (event.type === "snapshot") job.snapshots = withSnapshot(job.snapshots, event);
    }
    requestAnimationFrame(show);
  });
}

for (const job of jobs) job.snapshots = [];
await Promise.allSettled(jobs.map(begin));
show();
