// Times as "3 min ago", the exact one on hover.
import { ago } from "./format.js";

for (const time of document.querySelectorAll("time[data-at]")) {
  const at = Number(time.dataset.at);
  time.textContent = ago(at, Date.now() / 1000);
  time.title = new Date(at * 1000).toLocaleString();
}
