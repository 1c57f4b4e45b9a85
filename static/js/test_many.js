// The page of a test of many images: the server writes what was found; it is asked again while more is being restored.
import { drawHistograms } from "./bars.js";
import { pageData } from "./dom.js";
import { watchJob } from "./live.js";
import { refresher } from "./refresh.js";
import { isFinal, showStatus, withEvent } from "./status.js";

let job = pageData("job");

function draw() {
  drawHistograms("images");
}
const refresh = refresher("#found, #history", draw);

draw();
watchJob(job.id, job.seq, (events) => {
  for (const event of events) job = withEvent(job, event);
  showStatus(job);
  if (isFinal(job.state)) refresh(true);
  else if (events.some(({ type }) => type === "results" || type === "facts")) refresh();
});
showStatus(job);
