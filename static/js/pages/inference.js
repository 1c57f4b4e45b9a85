// The page of a test of one image: pictures and numbers as soon as they are known, then layer by layer.
import { ask } from "../base/api.js";
import { element, pageData } from "../base/dom.js";
import { bytes, gain, milliseconds, similarity, similarityGain } from "../base/format.js";
import { layerCards } from "../layers/layers.js";
import { watchJob } from "../base/live.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { viewer } from "../viewer/viewer.js";

let job = pageData("job");
let attempt = 0;
let sample = null;
const LABELS = { input: "Input", output: "Output", target: "Ground truth" };
const part = (name) => document.querySelector(`#${name}`);
/** The part of the image of which the layers are shown, where that is not all of it. */
let layersOf = null;
const layers = layerCards(part("layers"), part("layers-look"), {
  input: () => sample && { url: addressOf(sample.input), part: layersOf },
  ask: (layer, channel) => ask(`/tests/${job.id}/layers/${layer.index}/channels/${channel}`),
});

/** What an earlier try has shown goes when the test runs again. */
function begin() {
  attempt += 1;
  if (attempt === 1) return;
  sample = null;
  layersOf = null;
  layers.clear();
  part("notes").replaceChildren();
  part("verdict").textContent = "";
  part("notes").hidden = part("numbers").hidden = true;
  part("viewer").replaceChildren(element("p", { class: "quiet empty-part" }));
}

/** Pictures of another try have the names of those before, which the browser has kept. */
const addressOf = (url) => (attempt > 1 ? `${url}?try=${attempt}` : url);

function showSample() {
  const pictures = Object.entries(LABELS).filter(([role]) => sample[role]).map(([role, label]) => ({ role, label, url: addressOf(sample[role]) }));
  viewer(part("viewer"), pictures);
  part("verdict").textContent = verdict(sample);
  const [before, after] = [sample.psnr_input, sample.psnr_output];
  const rows = [
    ["PSNR, dB", ...[before, after].map(psnr), before == null || after == null ? "–" : gain(after - before).replace(" dB", "")],
    ["SSIM", similarity(sample.ssim_input), similarity(sample.ssim_output), sample.ssim_output == null ? "–" : similarityGain(sample.ssim_output - sample.ssim_input)],
  ];
  document.querySelector("#numbers tbody").replaceChildren(
    ...rows.map(([name, ...values]) => element("tr", {}, element("th", { scope: "row" }, name), ...values.map((value) => element("td", { class: "number" }, value)))),
  );
  part("facts").textContent = `${sample.width}×${sample.height}, snapshot ${sample.snapshot}${sample.seconds == null ? "" : `, restored in ${milliseconds(sample.seconds)}`}`;
  part("numbers").hidden = false;
}

/** The PSNR of pictures that are equal is without an end, and comes as null. */
const psnr = (value) => (sample.target ? (value?.toFixed(2) ?? "∞") : "–");

function verdict({ target, psnr_input: before, psnr_output: after }) {
  if (!target) return "No ground truth was given: nothing to measure against.";
  if (before == null) return "The input equals the ground truth: there is nothing to gain.";
  if (after == null) return "The output equals the ground truth.";
  return `${gain(after - before)} over its input (${before.toFixed(2)} → ${after.toFixed(2)})`;
}

function note({ text, level }) {
  part("notes").append(element("li", { class: level }, text));
  part("notes").hidden = false;
}

function words() {
  const empty = document.querySelector("#viewer > .empty-part");
  if (empty && !sample) empty.textContent = isFinal(job.state) ? "There are no pictures: it ended before." : "The pictures appear here in a few seconds.";
  const there = part("layers").childElementCount;
  if (!job.spec.layers) return "Visualizations were not asked for.";
  const ofMiddle = layersOf ? `Layers of the middle ${layersOf.width}×${layersOf.height}: those of the whole image would take ${bytes(layersOf.bytes)} of memory. ` : "";
  if (isFinal(job.state)) return there ? ofMiddle : "No layer was computed.";
  return there ? `${ofMiddle}More layers are being computed.` : "The layers appear here as they are computed.";
}

function seen(events) {
  for (const event of events) {
    job = withEvent(job, event);
    if (event.type === "state" && event.state === "running") begin();
    if (event.type === "message") note(event);
    if (event.type === "sample") {
      sample = event;
      showSample();
    }
    if (event.type === "facts" && event.layers_of) layersOf = event.layers_of;
    if (event.type === "layer") layers.show({ ...event, version: addressOf("") });
  }
  showStatus(job);
  part("layers-note").textContent = words();
}

// All of a test's events are few: they are replayed from the first, so that reload and live are one.
watchJob(job.id, 0, seen);
seen([]);
