// The table of a model's snapshots, and what can be done with each.
import { ask } from "./dialogs.js";
import { element } from "./dom.js";
import { bytes, decibel, gain, gainOf, small } from "./format.js";
import { bestOf } from "./snapshots.js";

const FORMATS = { onnx: "ONNX", torchscript: "TorchScript", "torch.export": "torch.export" };

let drawn = "";

/** Fill the table, newest first, and the choices of the test form. A menu that is open stays as it is until something changes. */
export function showSnapshots(job, snapshots) {
  const now = JSON.stringify([job.state, snapshots]);
  if (now === drawn) return;
  drawn = now;
  const best = bestOf(snapshots);
  const newest = [...snapshots].reverse();
  document.querySelector("#snapshots tbody").replaceChildren(...newest.map((one) => row(job, one, one === best)));
  document.querySelector("#snapshots").hidden = !newest.length;
  document.querySelector("#no-snapshots").hidden = newest.length > 0;
  showChoices(newest, best);
}

function row(job, snapshot, isBest) {
  const name = snapshot.snapshot;
  const cells = [small(snapshot.epoch), small(snapshot["val/l1"]), decibel(snapshot["val/psnr"]), gain(gainOf(snapshot)), bytes(snapshot.size)];
  const label = isBest ? element("th", { scope: "row" }, `${name} `, element("span", { class: "tag" }, "best")) : element("th", { scope: "row" }, name);
  return element(
    "tr",
    { class: isBest ? "best" : "", "data-snapshot": name },
    label,
    ...cells.map((cell) => element("td", { class: "number" }, cell)),
    element(
      "td",
      { class: "doings" },
      element("a", { href: `/models/${job.id}/test?snapshot=${name}`, "aria-label": `Test ${name}` }, "Test"),
      element("a", { href: `/models/new?clone=${job.id}&start_from=${job.id}&start_snapshot=${name}`, "aria-label": `Fine-tune from ${name}` }, "Fine-tune"),
      menu(job, name),
    ),
  );
}

function menu(job, name) {
  const file = `/jobs/${job.id}/files/snapshots/${name}.safetensors`;
  const ended = ["done", "error", "aborted"].includes(job.state);
  return element(
    "details",
    { class: "menu" },
    element("summary", { "aria-label": `More for ${name}` }, "⋯"),
    element(
      "div",
      {},
      element("a", { href: file, download: `${job.name}-${name}.safetensors` }, "Download safetensors"),
      ...Object.entries(FORMATS).map(([format, words]) => element("button", { type: "button", onclick: () => exportAs(job, name, format) }, `Export as ${words}`)),
      ["error", "aborted"].includes(job.state) ? resume(job, name) : null,
      ended ? element("button", { type: "button", class: "danger", onclick: () => remove(job, name) }, "Delete") : null,
    ),
  );
}

/** A button to go on from a snapshot, where the job has stopped before its end. */
function resume(job, name) {
  return element("form", { method: "post", action: `/jobs/${job.id}/resume` }, element("input", { type: "hidden", name: "snapshot", value: name }), element("button", {}, "Resume here"));
}

async function exportAs(job, snapshot, format) {
  closeMenu();
  const words = FORMATS[format];
  say(element("progress", { "aria-label": `Exporting ${snapshot}` }), `Writing ${snapshot} as ${words}, and comparing it with torch on one image…`);
  const answer = await fetch(`/api/v1/models/${job.id}/exports`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ snapshot, format }) });
  const told = await answer.json();
  if (!answer.ok) return say(element("span", { class: "wrong" }, told.error.message));
  const name = told.url.split("/").at(-1);
  say(element("a", { href: told.url, download: `${job.name}-${name}` }, name), `${bytes(told.size)}; differs from torch by at most ${small(told.difference)} of 0 to 1 (${told.checked_with}).`);
}

async function remove(job, name) {
  closeMenu();
  if (!(await ask(`Delete the snapshot ${name}? This cannot be undone.`, "Delete it"))) return;
  const answer = await fetch(`/api/v1/jobs/${job.id}/snapshots/${name}`, { method: "DELETE" });
  if (answer.ok) say(`Deleted ${name}.`);
  else say(element("span", { class: "wrong" }, (await answer.json()).error.message));
}

function closeMenu() {
  for (const open of document.querySelectorAll("#snapshots .menu[open]")) open.open = false;
}

const say = (...parts) => document.querySelector("#export").replaceChildren(...parts.flatMap((part) => [part, " "]));

/** What a person chose stays chosen. */
function showChoices(newest, best) {
  const select = document.querySelector('#test-form [name="snapshot"]');
  const chosen = select.value || "best";
  const choice = (value, text) => element("option", { value, selected: value === chosen }, text);
  select.replaceChildren(choice("best", `best (${best?.snapshot ?? "none yet"})`), ...newest.map((one) => choice(one.snapshot, one.snapshot)));
  document.querySelector('#test-form button[type="submit"]').disabled = !newest.length;
}
