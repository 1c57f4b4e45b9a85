// The dataset's page: progress while it is made, and what it holds once it has ended.
import { drawHistograms } from "../charts/bars.js";
import { pageData } from "../base/dom.js";
import { watchJob } from "../base/live.js";
import { refresher } from "../base/refresh.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";

let job = pageData("job");
const refresh = refresher("#found, #history", draw);

function draw() {
  drawHistograms("pairs");
}

watchJob(job.id, job.seq, (events) => {
  const ended = isFinal(job.state);
  for (const event of events) job = withEvent(job, event);
  showStatus(job);
  if (isFinal(job.state) !== ended) refresh(true);
});
showStatus(job);
draw();
