// Times as "3 min ago", with the exact time in the tooltip.
import { findAll } from "./dom.js";
import { ago } from "./format.js";

const EVERY_MS = 30_000;

/** Fill the page's `<time data-at="seconds since the epoch">`; with data-exact as an exact time. */
export function showTimes() {
  for (const time of findAll(document, "time[data-at]")) {
    const at = Number(time.dataset.at);
    const exact = new Date(at * 1000).toLocaleString();
    time.textContent = "exact" in time.dataset ? exact : ago(at, Date.now() / 1000);
    time.title = exact;
  }
}

showTimes();
setInterval(showTimes, EVERY_MS);
