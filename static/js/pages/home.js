// The home page: running jobs are live. The server renders the lists again when a job is created,
// starts or ends, and when the filter changes.
import { find, findAll, findOptional, targetOf } from "../base/dom.js";
import { showFolded } from "./folding.js";
import { gain, gainOf, hardwareText, progressText, share } from "../base/format.js";
import { watchAll } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { showSelection } from "./selection.js";
import { drawLosses, withLoss } from "../charts/sparkline.js";

/** @import { JobEvent } from "../base/types.js" */

const TYPING_MS = 200;

const filter = findOptional(document, ".filter", HTMLFormElement);

/** The ids of the jobs in the lists. */
const jobsOnPage = () => [
  ...new Set(findAll(document, "tr[data-job]").map((row) => row.dataset.job ?? "")),
];

/** Whether replacing the lists would close a menu or discard what is being typed. */
const isBusy = () =>
  document.querySelector("#content details[open], dialog[open]") ||
  document.activeElement?.matches("#content input[type=text]");

const refresh = refresher("#content, #owners, #groups, #tags", onRefreshed, isBusy);
const sendJobsOnPage = watchAll({ onEvents, onMissed: () => refresh(), shown: jobsOnPage });

function showLists() {
  showFolded();
  showSelection();
  for (const holder of findAll(document, ".sparkline", SVGSVGElement))
    drawLosses(holder, JSON.parse(holder.dataset.losses ?? ""));
}

function onRefreshed() {
  showLists();
  sendJobsOnPage();
}

/**
 * @param {string} job
 * @param {JobEvent[]} events
 */
function onEvents(job, events) {
  const row = findOptional(document, `#running tr[data-job="${CSS.escape(job)}"]`);
  for (const event of events) {
    if (event.type === "state" || event.type === "snapshot") refresh();
    if (row && event.seq > Number(row.dataset.seq)) showEvent(row, event);
  }
}

/**
 * Show an event in the row of a running job.
 * @param {HTMLElement} row
 * @param {JobEvent} event
 */
function showEvent(row, event) {
  switch (event.type) {
    case "progress": {
      const bar = find(row, "progress", HTMLProgressElement);
      const done = share(event);
      if (done == null) bar.removeAttribute("value");
      else bar.value = done;
      find(row, ".progress-text").textContent = progressText(event);
      break;
    }
    case "scalars": {
      const holder = findOptional(row, ".sparkline", SVGSVGElement);
      const key = Object.keys(event.scalars).find((name) => name.startsWith("train/"));
      const value = key == null ? null : event.scalars[key];
      if (!holder || value == null) break;
      const losses = withLoss(JSON.parse(holder.dataset.losses ?? ""), value);
      holder.dataset.losses = JSON.stringify(losses);
      drawLosses(holder, losses);
      break;
    }
    case "hardware":
      find(row, ".hardware").textContent = hardwareText(event);
      break;
    case "snapshot":
      find(row, ".gain").textContent = gain(gainOf(event.scalars));
  }
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typingTimer;

/** Show the first page of the filtered lists. The address contains the filter. */
function applyFilter() {
  if (!filter) return;
  const address = new URL(location.href);
  for (const name of [...address.searchParams.keys()])
    if (name.endsWith(".after")) address.searchParams.delete(name);
  for (const [name, value] of new FormData(filter)) {
    if (value) address.searchParams.set(name, String(value));
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
  refresh(true);
}

filter?.addEventListener("input", (event) => {
  clearTimeout(typingTimer);
  typingTimer = setTimeout(applyFilter, targetOf(event)?.matches("select") ? 0 : TYPING_MS);
});
filter?.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typingTimer);
  applyFilter();
});

showLists();
sendJobsOnPage();
