// Times as "3 min ago", the exact one on hover.
import { ago } from "./format.js";

const EVERY_MS = 30_000;

export function tellTimes() {
  for (const time of document.querySelectorAll("time[data-at]")) {
    const at = Number(time.dataset.at);
    time.textContent = "exact" in time.dataset ? new Date(at * 1000).toLocaleString() : ago(at, Date.now() / 1000);
    time.title = new Date(at * 1000).toLocaleString();
  }
}

tellTimes();
setInterval(tellTimes, EVERY_MS);
