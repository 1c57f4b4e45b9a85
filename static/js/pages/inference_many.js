// The page of a test of many images. The server renders the results, and again when there are more.
import { drawHistograms } from "../charts/bars.js";
import { findOptional, pageData } from "../base/dom.js";
import { watchJob } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { nthStyle } from "../charts/styles.js";
import { ratesChart } from "../runs/rates_chart.js";

/** @import { Job } from "../base/types.js" */

/** @type {Job} */
let job = pageData("job");

function draw() {
  drawHistograms("images");
  const holder = findOptional(document, "#rates .plot");
  const rates = holder && JSON.parse(holder.dataset.rates ?? "null");
  if (rates) ratesChart(() => [{ name: "output", style: nthStyle(1), rates }])();
}
const refresh = refresher("#content, #history", draw);

draw();
watchJob(job.id, job.seq, (events) => {
  for (const event of events) job = withEvent(job, event);
  showStatus(job);
  if (isFinal(job.state)) refresh(true);
  else if (events.some(({ type }) => type === "results" || type === "facts")) refresh();
});
showStatus(job);
