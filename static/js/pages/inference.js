// The page of a test of one image: pictures and scores as soon as they are known, then each layer.
import { request } from "../base/api.js";
import { element, find, findAll, findOptional, pageData } from "../base/dom.js";
import {
  bytes,
  decimals,
  gain,
  improvement,
  milliseconds,
  NO_VALUE,
  similarity,
  similarityGain,
} from "../base/format.js";
import { layerCards } from "../layers/layers.js";
import { watchJob } from "../base/live.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { addNote, clearNotes } from "../runs/notes.js";
import { viewer } from "../viewer/viewer.js";

/** @import { ImageSample, Job, JobEvent, LayersRegion } from "../base/types.js" */

/** @type {["input" | "output" | "target", string][]} */
const LABELS = [
  ["input", "Input"],
  ["output", "Output"],
  ["target", "Ground truth"],
];

/** @type {Job} */
let job = pageData("job");
/** Counts how often the test has started. */
let attempt = (job.history ?? []).filter(({ state }) => state === "running").length;
/** @type {ImageSample | null} */
let sample = null;
/** @type {LayersRegion | null} The region that the layers show, if it is not the whole image. */
let layersRegion = job.summary.layers_of ?? null;
const part = (/** @type {string} */ name) => find(document, `#${name}`);
const layers = layerCards(part("layers"), part("layers-look"), {
  input: () => sample && { url: urlOf(sample.input), part: layersRegion },
  fetchChannel: (layer, channel) =>
    request(`/tests/${job.id}/layers/${layer.index}/channels/${channel}`),
});

/** Clear the page when the test starts again. */
function onStart() {
  attempt += 1;
  if (attempt === 1) return;
  sample = null;
  layersRegion = null;
  layers.clear();
  part("verdict").textContent = "";
  find(part("viewer"), ".stage").replaceWith(element("p", { class: "stage empty-part" }));
}

/**
 * The URL of a picture. Each attempt writes the same names, which browsers cache.
 * @param {string} url
 */
const urlOf = (url) => (attempt > 1 ? `${url}?try=${attempt}` : url);

/** @param {ImageSample} result */
function showSample(result) {
  sample = result;
  const { width, height } = result;
  const pictures = LABELS.flatMap(([role, label]) => {
    const url = result[role];
    return url ? [{ role, label, url: urlOf(url), width, height }] : [];
  });
  viewer(part("viewer"), pictures);
  part("verdict").textContent = verdict(result);
  showNumbers(result);
}

/** @param {ImageSample} result */
function showNumbers({ psnr_input, psnr_output, ssim_input, ssim_output, target, ...result }) {
  // The PSNR of equal pictures is infinite, and null in the event.
  const psnr = (/** @type {number | null} */ value) => {
    if (!target) return NO_VALUE;
    return value == null ? "∞" : decimals(value, 2);
  };
  const psnrGain = psnr_input == null || psnr_output == null ? null : psnr_output - psnr_input;
  const ssimGain = ssim_input == null || ssim_output == null ? null : ssim_output - ssim_input;
  const rows = [
    [psnr(psnr_input), psnr(psnr_output), gain(psnrGain).replace(" dB", "")],
    [similarity(ssim_input), similarity(ssim_output), similarityGain(ssimGain)],
  ];
  const cells = findAll(part("numbers"), "tbody td");
  rows.flat().forEach((text, index) => (cells[index].textContent = text));
  const network = job.spec.starter ? "starter" : "snapshot";
  const time = result.seconds == null ? "" : `, restored in ${milliseconds(result.seconds)}`;
  part("facts").textContent =
    `${result.width}×${result.height}, ${network} ${result.snapshot}${time}`;
}

/** @param {ImageSample} result */
function verdict({ target, psnr_input: before, psnr_output: after }) {
  if (!target) return "No ground truth given: quality cannot be measured.";
  if (before == null) return "The input equals the ground truth: no gain is possible.";
  if (after == null) return "The output equals the ground truth.";
  return improvement(before, after);
}

function showEmptyText() {
  const empty = findOptional(document, "#viewer .empty-part");
  if (!empty || sample) return;
  empty.textContent = isFinal(job.state)
    ? "No pictures: the test stopped too early."
    : "The pictures appear here in a few seconds.";
}

/** The text above the layers. */
function layersText() {
  if (!job.spec.layers) return "Visualizations are turned off for this test.";
  const isFilled = part("layers").childElementCount > 0;
  const region = layersRegion ? regionText(layersRegion) : "";
  if (isFinal(job.state)) return isFilled ? region : "No layer was computed.";
  return isFilled
    ? `${region}More layers are being computed.`
    : "The layers appear here as they are computed.";
}

/** @param {LayersRegion} region */
function regionText({ width, height, bytes: memory }) {
  const needed = `the whole image would need ${bytes(memory)} of memory`;
  return `Layers of the middle ${width}×${height}: ${needed}. `;
}

/** @param {JobEvent} event */
function onEvent(event) {
  const starts = event.type === "state" && event.state === "running";
  if (starts) clearNotes(part("notes"));
  if (event.type === "message") addNote(part("notes"), event);
  job = withEvent(job, event);
  if (starts) onStart();
  if (event.type === "sample" && "snapshot" in event) showSample(event);
  if (event.type === "facts" && event.layers_of) layersRegion = event.layers_of;
  if (event.type === "layer") layers.show({ ...event, version: urlOf("") });
}

function showState() {
  showStatus(job);
  showEmptyText();
  part("layers-note").textContent = layersText();
  part("layers").classList.toggle("expected", job.spec.layers && !isFinal(job.state));
}

const { summary } = job;
if (summary.output) showSample(/** @type {ImageSample} */ (summary));
for (const layer of summary.layers ?? []) layers.show({ ...layer, version: urlOf("") });
showState();
watchJob(job.id, job.seq, (events) => {
  events.forEach(onEvent);
  showState();
});
