// The snapshots of a model: which there are, which is the best, and what can be done with each.
import { element } from "./dom.js";
import { bytes, decibel, gain, gainOf, small } from "./format.js";

/** The snapshots after a `snapshot` event, in the order in which they were written: with the new one, without those that it replaced. */
export function withSnapshot(snapshots, { name, epoch, step, size, scalars, removed = [] }) {
  const gone = new Set([name, ...removed]);
  const others = snapshots.filter((one) => !gone.has(one.snapshot));
  return [...others, { snapshot: name, epoch, step, size, ...scalars }];
}

/** After a `resumed` event: the snapshot that the run goes on from is the last one now. */
export function resumedAt(snapshots, step) {
  return [...snapshots.filter((one) => one.step !== step), ...snapshots.filter((one) => one.step === step)];
}

/** The one with the lowest validation loss; those that were written when the job was stopped have none. */
export function bestOf(snapshots) {
  const validated = snapshots.filter((one) => one["val/l1"] != null);
  return validated.reduce((low, one) => (low && low["val/l1"] <= one["val/l1"] ? low : one), null);
}

/** Fill the table, newest first, and the choices of the test form. */
export function showSnapshots(job, snapshots) {
  const best = bestOf(snapshots);
  const newest = [...snapshots].reverse();
  document.querySelector("#snapshots tbody").replaceChildren(...newest.map((one) => row(job, one, one === best)));
  document.querySelector("#no-snapshots").hidden = newest.length > 0;
  showChoices(newest, best);
}

function row(job, snapshot, isBest) {
  const cells = [small(snapshot.epoch), small(snapshot["val/l1"]), decibel(snapshot["val/psnr"]), gain(gainOf(snapshot)), bytes(snapshot.size)];
  const file = `/jobs/${job.id}/files/snapshots/${snapshot.snapshot}.safetensors`;
  return element(
    "tr",
    { class: isBest ? "best" : "" },
    ...cells.map((cell) => element("td", { class: "number" }, cell)),
    element("td", {}, isBest ? "best " : "", element("a", { href: file, download: `${job.name}-${snapshot.snapshot}.safetensors` }, "download"), resume(job, snapshot)),
  );
}

/** A button to go on from a snapshot, where the job has stopped before its end. */
function resume(job, { snapshot }) {
  if (!["error", "aborted"].includes(job.state)) return "";
  return element(
    "form",
    { method: "post", action: `/jobs/${job.id}/resume`, class: "inline" },
    element("input", { type: "hidden", name: "snapshot", value: snapshot }),
    element("button", { class: "small", title: `Train on from ${snapshot}` }, "Resume here"),
  );
}

/** What a person chose stays chosen. */
function showChoices(newest, best) {
  const select = document.querySelector('#test-form [name="snapshot"]');
  const chosen = select.value || "best";
  const choice = (value, text) => element("option", { value, selected: value === chosen }, text);
  select.replaceChildren(choice("best", `best (${best?.snapshot ?? "none yet"})`), ...newest.map((one) => choice(one.snapshot, one.snapshot)));
  document.querySelector('#test-form button[type="submit"]').disabled = !newest.length;
}
