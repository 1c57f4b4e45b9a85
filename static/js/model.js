// The model's page: curves, verdict and snapshots, drawn from what is there and grown by events.
import { chart } from "./chart.js";
import { element, pageData } from "./dom.js";
import { bytes, decibel, gain, small, verdict } from "./format.js";
import { watchJob } from "./live.js";
import { addEvents } from "./series.js";
import { showStatus, withEvent } from "./status.js";

let job = pageData("job");
const snapshots = new Map((job.summary.snapshots ?? []).map((snapshot) => [snapshot.snapshot, snapshot]));
const answer = await fetch(`/api/v1/jobs/${job.id}/scalars?max_points=2000`);
const { series, seq } = await answer.json();
const draws = [...document.querySelectorAll(".chart[data-keys]")].map((holder) => chart(holder, series));

function best() {
  return [...snapshots.values()].reduce((low, one) => (low && low["val/l1"] <= one["val/l1"] ? low : one), null);
}

function row(snapshot, isBest) {
  const by = snapshot["val/psnr"] - snapshot["val/psnr_input"];
  const cells = [snapshot.epoch, small(snapshot["val/l1"]), decibel(snapshot["val/psnr"]), gain(by), bytes(snapshot.size)];
  const file = `/jobs/${job.id}/files/snapshots/${snapshot.snapshot}.safetensors`;
  return element(
    "tr",
    { class: isBest ? "best" : "" },
    ...cells.map((cell) => element("td", { class: "number" }, String(cell))),
    element("td", {}, isBest ? "best " : "", element("a", { href: file, download: `${job.name}-${snapshot.snapshot}.safetensors` }, "download")),
  );
}

function show() {
  showStatus(job);
  const top = best();
  document.querySelector("#verdict").textContent = verdict(top);
  const rows = [...snapshots.values()].sort((a, b) => b.epoch - a.epoch);
  document.querySelector("#snapshots tbody").replaceChildren(...rows.map((one) => row(one, one === top)));
  document.querySelector("#no-snapshots").hidden = rows.length > 0;
  showChoices(rows, top);
}

/** The snapshots of the test form; what a person chose stays chosen. */
function showChoices(rows, top) {
  const select = document.querySelector('#test-form [name="snapshot"]');
  const chosen = select.value || "best";
  const choice = (value, text) => element("option", { value, selected: value === chosen }, text);
  select.replaceChildren(choice("best", `best (${top?.snapshot ?? "none yet"})`), ...rows.map((one) => choice(one.snapshot, one.snapshot)));
  document.querySelector('#test-form button[type="submit"]').disabled = !rows.length;
}

let waiting = false;
function draw() {
  waiting = false;
  show();
  for (const one of draws) one();
}

watchJob(job.id, seq, (events) => {
  addEvents(series, events);
  for (const event of events) {
    job = withEvent(job, event);
    if (event.type === "snapshot") {
      const { name, epoch, step, size, scalars } = event;
      snapshots.set(name, { snapshot: name, epoch, step, size, ...scalars });
    }
  }
  // Many events in one frame are one drawing.
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
});

show();
