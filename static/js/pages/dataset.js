// The page of a dataset: its progress while it is created, then its contents.
import { drawHistograms } from "../charts/bars.js";
import { pageData } from "../base/dom.js";
import { watchJob } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";

/** @import { Job } from "../base/types.js" */

/** @type {Job} */
let job = pageData("job");
const refresh = refresher("#content, #history", draw);

function draw() {
  drawHistograms("pairs");
}

watchJob(job.id, job.seq, (events) => {
  const wasFinal = isFinal(job.state);
  for (const event of events) job = withEvent(job, event);
  showStatus(job);
  if (isFinal(job.state) !== wasFinal) refresh(true);
  else if (events.some(({ type }) => type === "sample" || type === "facts")) refresh();
});
showStatus(job);
draw();
