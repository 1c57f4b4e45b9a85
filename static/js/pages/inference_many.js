// The page of a test of many images. The server renders the results, and again when there are more.
import { drawHistograms } from "../charts/bars.js";
import { pageData } from "../base/dom.js";
import { watchJob } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";

/** @import { Job } from "../base/types.js" */

/** @type {Job} */
let job = pageData("job");

function draw() {
  drawHistograms("images");
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
