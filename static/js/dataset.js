// The dataset's page: progress while it is made; once it has ended the page is loaded anew, whole.
import { bars } from "./bars.js";
import { pageData } from "./dom.js";
import { watchJob } from "./live.js";
import { isFinal, showStatus, withEvent } from "./status.js";

let job = pageData("job");
const ended = isFinal(job.state);
showStatus(job);

const found = job.summary.psnr_histogram;
if (found) document.querySelector("#psnr-histogram")?.append(bars(found));

watchJob(job.id, job.seq, (events) => {
  for (const event of events) job = withEvent(job, event);
  showStatus(job);
  if (isFinal(job.state) !== ended) location.reload();
});
