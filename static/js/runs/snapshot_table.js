// The table of a model's snapshots, with the actions for each.
import { messageOf, post, request } from "../base/api.js";
import { confirmDialog } from "../base/dialogs.js";
import { element, find, findAll } from "../base/dom.js";
import { bytes, decibel, epoch, gain, gainOf, loss, small } from "../base/format.js";
import { isFinal } from "../base/status.js";
import { bestOf, marksOf } from "./snapshots.js";

/** @import { ExportFile, Exported, Job, Snapshot } from "../base/types.js" */
/** @import { ShownJob } from "../base/client_types.js" */

/** @type {Record<string, string>} */
const FORMATS = {
  onnx: "ONNX",
  torchscript: "TorchScript",
  "torch.export": "torch.export",
  safetensors: "safetensors",
  shader: "mpv shader",
};

/** @type {ExportFile[]} */
let exportFiles = [];
let redraw = () => {};

/**
 * Fill the table, newest first, and the choices of the test form. Rows that did not change stay,
 * with their open menus.
 * @param {Job} job
 * @param {Snapshot[]} snapshots
 */
export function showSnapshots(job, snapshots) {
  const best = bestOf(snapshots, job.summary.leader);
  const marks = marksOf(snapshots);
  const newest = [...snapshots].reverse();
  const body = find(document, "#snapshots tbody");
  const before = new Map(findAll(body, "tr").map((row) => [row.dataset.content, row]));
  const rows = newest.map((snapshot) => {
    const [isBest, mark] = [snapshot === best, marks.get(snapshot.snapshot) ?? ""];
    const files = exportFiles.filter((file) => file.snapshot === snapshot.snapshot);
    const content = JSON.stringify([job.state, snapshot, isBest, mark, files]);
    const existing = before.get(content);
    if (existing) return existing;
    const row = rowOf(job, snapshot, isBest, mark, files);
    row.dataset.content = content;
    return row;
  });
  const kept = new Set(rows);
  for (const row of findAll(body, "tr")) if (!kept.has(row)) row.remove();
  rows.forEach((row, index) => {
    const current = body.children[index] ?? null;
    if (current !== row) body.insertBefore(row, current);
  });
  find(document, "#snapshots").hidden = !newest.length;
  find(document, "#no-snapshots").hidden = newest.length > 0;
  showChoices(newest, best);
}

/**
 * Request the list of exported files.
 * @param {string} job The job's id.
 * @param {() => void} show Draws the table.
 */
export async function loadExports(job, show) {
  redraw = show;
  try {
    const { exports } = await request(`/models/${job}/exports`);
    exportFiles = exports;
  } catch {
    // The table is complete without them.
  }
  show();
}

/**
 * @param {Job} job
 * @param {Snapshot} snapshot
 * @param {boolean} isBest Whether it is the best one.
 * @param {string} mark What it leads in; empty for most.
 * @param {ExportFile[]} files
 */
function rowOf(job, snapshot, isBest, mark, files) {
  const name = snapshot.snapshot;
  const cells = [
    gain(gainOf(snapshot)),
    epoch(snapshot.epoch),
    loss(snapshot["val/l1"]),
    decibel(snapshot["val/psnr"]),
    bytes(snapshot.size),
  ];
  const label = mark
    ? element("th", { scope: "row" }, `${name} `, element("span", { class: "tag" }, mark))
    : element("th", { scope: "row" }, name);
  return element(
    "tr",
    { class: isBest ? "best" : "", "data-snapshot": name },
    label,
    ...cells.map((cell, index) =>
      element("td", { class: index === 0 ? "number gain" : "number" }, cell),
    ),
    element(
      "td",
      { class: "row-actions" },
      element(
        "a",
        { href: `/models/${job.id}/test?snapshot=${name}`, "aria-label": `Test ${name}` },
        "Test",
      ),
      element(
        "a",
        {
          href: `/models/new?clone=${job.id}&start_from=${job.id}&start_snapshot=${name}`,
          "aria-label": `Fine-tune from ${name}`,
        },
        "Fine-tune",
      ),
      menu(job, name, files),
    ),
  );
}

/**
 * @param {Job} job
 * @param {string} name Of the snapshot.
 * @param {ExportFile[]} files
 */
function menu(job, name, files) {
  // On a server with users, the server refuses the changes of others.
  const mayChange = /** @type {ShownJob} */ (job).may_change !== false;
  const weights = `/jobs/${job.id}/files/snapshots/${name}.safetensors`;
  const exports = Object.entries(FORMATS).map(([format, label]) => {
    const onclick = () => exportAs(job, name, format);
    return element("button", { type: "button", onclick }, `Export as ${label}`);
  });
  const deleteButton = element(
    "button",
    { type: "button", class: "danger", onclick: () => deleteSnapshot(job, name) },
    "Delete",
  );
  return element(
    "details",
    { class: "menu" },
    element("summary", { "aria-label": `More for ${name}` }, "⋯"),
    element(
      "div",
      {},
      element(
        "a",
        { href: weights, download: `${job.name}-${name}.safetensors` },
        "Download the snapshot",
      ),
      ...files.map((file) =>
        element(
          "a",
          { href: file.url, download: `${job.name}-${file.name}` },
          `Download ${file.name}, ${bytes(file.size)}`,
        ),
      ),
      ...exports,
      mayChange && (job.state === "error" || job.state === "aborted")
        ? resumeForm(job, name)
        : null,
      mayChange && isFinal(job.state) ? deleteButton : null,
    ),
  );
}

/**
 * The form that resumes a stopped job from a snapshot.
 * @param {Job} job
 * @param {string} name Of the snapshot.
 */
function resumeForm(job, name) {
  const token = find(document, "meta[name=csrf-token]", HTMLMetaElement).content;
  return element(
    "form",
    { method: "post", action: `/jobs/${job.id}/resume` },
    element("input", { type: "hidden", name: "csrf_token", value: token }),
    element("input", { type: "hidden", name: "snapshot", value: name }),
    element("button", {}, "Resume here"),
  );
}

/**
 * @param {Job} job
 * @param {string} snapshot
 * @param {string} format
 */
async function exportAs(job, snapshot, format) {
  closeMenus();
  showResult(
    element("progress", { "aria-label": `Exporting ${snapshot}` }),
    `Exporting ${snapshot} as ${FORMATS[format]}, and comparing it with torch on one image…`,
  );
  try {
    /** @type {Exported} */
    const { url, card_url, size, difference, checked_with } = await post(
      `/models/${job.id}/exports`,
      {
        snapshot,
        format,
      },
    );
    const name = url.slice(url.lastIndexOf("/") + 1);
    const comparison = difference
      ? `differs from torch by at most ${small(difference)} of 0 to 1`
      : "equal to the output of torch";
    showResult(
      element("a", { href: url, download: `${job.name}-${name}` }, name),
      `${bytes(size)}; ${comparison} (${checked_with}).`,
      element("a", { href: card_url, download: `${job.name}-README.md` }, "Model card"),
    );
    const others = exportFiles.filter((file) => file.name !== name);
    exportFiles = [...others, { name, snapshot, format, size, url }];
    redraw();
  } catch (error) {
    showError(error);
  }
}

/**
 * @param {Job} job
 * @param {string} name Of the snapshot.
 */
async function deleteSnapshot(job, name) {
  closeMenus();
  const question = `Delete the snapshot ${name}? This cannot be undone.`;
  if (!(await confirmDialog(question, "Delete it"))) return;
  try {
    await request(`/jobs/${job.id}/snapshots/${name}`, { method: "DELETE" });
    showResult(`Deleted ${name}.`);
  } catch (error) {
    showError(error);
  }
}

function closeMenus() {
  for (const open of findAll(document, "#snapshots .menu[open]", HTMLDetailsElement)) {
    find(open, "summary").focus();
    open.open = false;
  }
}

/** @param {unknown} error */
const showError = (error) => showResult(element("span", { class: "wrong" }, messageOf(error)));

/** @param {...(Node | string)} parts Of the line below the table. */
const showResult = (...parts) =>
  find(document, "#export").replaceChildren(...parts.flatMap((part) => [part, " "]));

/**
 * Fill the choices of the test form. A user's choice stays.
 * @param {Snapshot[]} newest
 * @param {Snapshot | null} best
 */
function showChoices(newest, best) {
  const select = find(document, '#test-form [name="snapshot"]', HTMLSelectElement);
  const chosen = select.value || "best";
  const choice = (/** @type {string} */ value, text = value) =>
    element("option", { value, selected: value === chosen }, text);
  select.replaceChildren(
    choice("best", `best (${best?.snapshot ?? "none yet"})`),
    ...newest.map(({ snapshot }) => choice(snapshot)),
  );
  const submit = find(document, '#test-form button[type="submit"]', HTMLButtonElement);
  submit.disabled = !newest.length;
}
