// The table of a model's snapshots, and what can be done with each.
import { ask, send } from "../base/api.js";
import { asks } from "../base/dialogs.js";
import { element } from "../base/dom.js";
import { bytes, decibel, epochs, gain, gainOf, losses, small } from "../base/format.js";
import { bestOf } from "./snapshots.js";

const FORMATS = { onnx: "ONNX", torchscript: "TorchScript", "torch.export": "torch.export" };

let exported = [];
let redraw = () => {};

/** Fill the table, newest first, and the choices of the test form. Rows that say the same as before stay, with their open menus. */
export function showSnapshots(job, snapshots) {
  const best = bestOf(snapshots);
  const newest = [...snapshots].reverse();
  const body = document.querySelector("#snapshots tbody");
  const before = new Map([...body.children].map((one) => [one.dataset.said, one]));
  const rows = newest.map((one) => {
    const files = exported.filter(({ snapshot }) => snapshot === one.snapshot);
    const said = JSON.stringify([job.state, one, one === best, files]);
    const there = before.get(said);
    if (there) return there;
    const made = row(job, one, one === best, files);
    made.dataset.said = said;
    return made;
  });
  const wanted = new Set(rows);
  for (const one of [...body.children]) if (!wanted.has(one)) one.remove();
  rows.forEach((one, place) => body.children[place] !== one && body.insertBefore(one, body.children[place] ?? null));
  document.querySelector("#snapshots").hidden = !newest.length;
  document.querySelector("#no-snapshots").hidden = newest.length > 0;
  showChoices(newest, best);
}

/** Ask which files snapshots were exported to; `show` draws the table anew. */
export async function findExports(job, show) {
  redraw = show;
  exported = await ask(`/models/${job}/exports`).then((told) => told.exports, () => exported);
  show();
}

function row(job, snapshot, isBest, files) {
  const name = snapshot.snapshot;
  const cells = [epochs(snapshot.epoch), losses(snapshot["val/l1"]), decibel(snapshot["val/psnr"]), gain(gainOf(snapshot)), bytes(snapshot.size)];
  const label = isBest ? element("th", { scope: "row" }, `${name} `, element("span", { class: "tag" }, "best")) : element("th", { scope: "row" }, name);
  return element(
    "tr",
    { class: isBest ? "best" : "", "data-snapshot": name },
    label,
    ...cells.map((cell, place) => element("td", { class: place === 3 ? "number gain" : "number" }, cell)),
    element(
      "td",
      { class: "doings" },
      element("a", { href: `/models/${job.id}/test?snapshot=${name}`, "aria-label": `Test ${name}` }, "Test"),
      element("a", { href: `/models/new?clone=${job.id}&start_from=${job.id}&start_snapshot=${name}`, "aria-label": `Fine-tune from ${name}` }, "Fine-tune"),
      menu(job, name, files),
    ),
  );
}

function menu(job, name, files) {
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
      ...files.map((one) => element("a", { href: one.url, download: `${job.name}-${one.name}` }, `Download ${one.name}, ${bytes(one.size)}`)),
      ...Object.entries(FORMATS).map(([format, words]) => element("button", { type: "button", onclick: () => exportAs(job, name, format) }, `Export as ${words}`)),
      ["error", "aborted"].includes(job.state) ? resume(job, name) : null,
      ended ? element("button", { type: "button", class: "danger", onclick: () => remove(job, name) }, "Delete") : null,
    ),
  );
}

/** A button to go on from a snapshot, where the job has stopped before its end. */
function resume(job, name) {
  return element("form", { method: "post", action: `/jobs/${job.id}/resume` }, element("input", { type: "hidden", name: "csrf_token", value: document.querySelector("meta[name=csrf-token]").content }), element("input", { type: "hidden", name: "snapshot", value: name }), element("button", {}, "Resume here"));
}

async function exportAs(job, snapshot, format) {
  closeMenu();
  const words = FORMATS[format];
  say(element("progress", { "aria-label": `Exporting ${snapshot}` }), `Writing ${snapshot} as ${words}, and comparing it with torch on one image…`);
  try {
    const told = await send(`/models/${job.id}/exports`, { snapshot, format });
    const name = told.url.split("/").at(-1);
    say(element("a", { href: told.url, download: `${job.name}-${name}` }, name), `${bytes(told.size)}; ${told.difference ? `differs from torch by at most ${small(told.difference)} of 0 to 1` : "equal to what torch makes"} (${told.checked_with}).`);
    exported = [...exported.filter((one) => one.name !== name), { name, snapshot, size: told.size, url: told.url }];
    redraw();
  } catch (error) {
    sayWrong(error);
  }
}

async function remove(job, name) {
  closeMenu();
  if (!(await asks(`Delete the snapshot ${name}? This cannot be undone.`, "Delete it"))) return;
  try {
    await ask(`/jobs/${job.id}/snapshots/${name}`, { method: "DELETE" });
    say(`Deleted ${name}.`);
  } catch (error) {
    sayWrong(error);
  }
}

const sayWrong = (error) => say(element("span", { class: "wrong" }, error.message));

function closeMenu() {
  for (const open of document.querySelectorAll("#snapshots .menu[open]")) {
    open.querySelector("summary").focus();
    open.open = false;
  }
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
