// The home page: what runs is live, the lists are written anew when a job begins, ends or comes, and as the filter is typed.
import { showFolded } from "./folding.js";
import { gain, gainOf, hardware, progressWords, share } from "../base/format.js";
import { watchAll } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { showChosen } from "./selection.js";
import { drawLosses, withLoss } from "../charts/sparkline.js";

const TYPING_MS = 200;

const filter = document.querySelector(".filter");
const onScreen = () => [...new Set([...document.querySelectorAll("tr[data-job]")].map((row) => row.dataset.job))];

/** Not while something is typed or a menu is open in what would be replaced. */
const isBusy = () => document.querySelector("#found details[open], dialog[open]") || document.activeElement?.matches("#found input[type=text]");

const refresh = refresher("#found, #groups", drawn, isBusy);
const watching = watchAll({ seen, missed: () => refresh(), shown: onScreen });

function drawn() {
  showFolded();
  showChosen();
  for (const svg of document.querySelectorAll(".sparkline")) drawLosses(svg, JSON.parse(svg.dataset.losses));
  watching?.();
}

function seen(job, events) {
  const row = document.querySelector(`#running tr[data-job="${CSS.escape(job)}"]`);
  for (const event of events) {
    if (event.type === "state" || event.type === "snapshot") refresh();
    if (row && event.seq > row.dataset.seq) tell[event.type]?.(row, event);
  }
}

const tell = {
  progress(row, progress) {
    const bar = row.querySelector("progress");
    const done = share(progress);
    if (done == null) bar.removeAttribute("value");
    else bar.value = done;
    row.querySelector(".words").textContent = progressWords(progress);
  },
  scalars(row, { scalars }) {
    const svg = row.querySelector(".sparkline");
    const key = Object.keys(scalars).find((one) => one.startsWith("train/"));
    if (!svg || scalars[key] == null) return;
    const losses = withLoss(JSON.parse(svg.dataset.losses), scalars[key]);
    svg.dataset.losses = JSON.stringify(losses);
    drawLosses(svg, losses);
  },
  hardware(row, told) {
    row.querySelector(".hardware").textContent = hardware(told);
  },
  snapshot(row, { scalars }) {
    row.querySelector(".gain").textContent = gain(gainOf(scalars));
  },
};

let typed = 0;

/** The same page with this filter, from its first page on; its address can be sent to a colleague. */
function apply() {
  const address = new URL(location);
  for (const name of [...address.searchParams.keys()]) if (name.endsWith(".after")) address.searchParams.delete(name);
  for (const [name, value] of new FormData(filter)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
  refresh(true);
}

filter?.addEventListener("input", ({ target }) => {
  clearTimeout(typed);
  typed = setTimeout(apply, target.matches("select") ? 0 : TYPING_MS);
});
filter?.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typed);
  apply();
});

drawn();
