// The page of a test of one image: pictures and scores as soon as they are known, then each layer.
import { request } from "../base/api.js";
import { element, find, findOptional, pageData } from "../base/dom.js";
import {
  bytes,
  decimals,
  fromTo,
  gain,
  milliseconds,
  NO_VALUE,
  similarity,
  similarityGain,
} from "../base/format.js";
import { layerCards } from "../layers/layers.js";
import { watchJob } from "../base/live.js";
import { isFinal, showStatus, withEvent } from "../base/status.js";
import { viewer } from "../viewer/viewer.js";

/** @import { ImageSampleEvent, Job, JobEvent, LayersRegion, LogMessageEvent } from "../base/types.js" */

/** @type {["input" | "output" | "target", string][]} */
const LABELS = [
  ["input", "Input"],
  ["output", "Output"],
  ["target", "Ground truth"],
];

/** @type {Job} */
let job = pageData("job");
/** Counts how often the test has started. */
let attempt = 0;
/** @type {ImageSampleEvent | null} */
let sample = null;
/** @type {LayersRegion | null} The region that the layers show, if it is not the whole image. */
let layersRegion = null;
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
  part("notes").replaceChildren();
  part("verdict").textContent = "";
  part("notes").hidden = part("numbers").hidden = true;
  part("viewer").replaceChildren(element("p", { class: "quiet empty-part" }));
}

/**
 * The URL of a picture. Each attempt writes the same names, which browsers cache.
 * @param {string} url
 */
const urlOf = (url) => (attempt > 1 ? `${url}?try=${attempt}` : url);

/** @param {ImageSampleEvent} result */
function showSample(result) {
  const pictures = LABELS.flatMap(([role, label]) => {
    const url = result[role];
    return url ? [{ role, label, url: urlOf(url) }] : [];
  });
  viewer(part("viewer"), pictures);
  part("verdict").textContent = verdict(result);
  const { psnr_input, psnr_output, ssim_input, ssim_output, target } = result;
  // The PSNR of equal pictures is infinite, and null in the event.
  const psnr = (/** @type {number | null} */ value) => {
    if (!target) return NO_VALUE;
    return value == null ? "∞" : decimals(value, 2);
  };
  const psnrGain = psnr_input == null || psnr_output == null ? null : psnr_output - psnr_input;
  const ssimGain = ssim_input == null || ssim_output == null ? null : ssim_output - ssim_input;
  const rows = [
    ["PSNR, dB", psnr(psnr_input), psnr(psnr_output), gain(psnrGain).replace(" dB", "")],
    ["SSIM", similarity(ssim_input), similarity(ssim_output), similarityGain(ssimGain)],
  ];
  find(document, "#numbers tbody").replaceChildren(
    ...rows.map(([name, ...values]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        ...values.map((value) => element("td", { class: "number" }, value)),
      ),
    ),
  );
  const time = result.seconds == null ? "" : `, restored in ${milliseconds(result.seconds)}`;
  part("facts").textContent =
    `${result.width}×${result.height}, snapshot ${result.snapshot}${time}`;
  part("numbers").hidden = false;
}

/** @param {ImageSampleEvent} result */
function verdict({ target, psnr_input: before, psnr_output: after }) {
  if (!target) return "No ground truth given: quality cannot be measured.";
  if (before == null) return "The input equals the ground truth: no gain is possible.";
  if (after == null) return "The output equals the ground truth.";
  return `${gain(after - before)} over its input (${fromTo(before, after)})`;
}

/** @param {LogMessageEvent} message */
function showNote({ text, level }) {
  part("notes").append(element("li", { class: level }, text));
  part("notes").hidden = false;
}

function showEmptyText() {
  const empty = findOptional(document, "#viewer > .empty-part");
  if (!empty || sample) return;
  empty.textContent = isFinal(job.state)
    ? "No pictures: the test ended early."
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

/** @param {JobEvent[]} events */
function onEvents(events) {
  for (const event of events) {
    job = withEvent(job, event);
    if (event.type === "state" && event.state === "running") onStart();
    if (event.type === "message") showNote(event);
    if (event.type === "sample" && "snapshot" in event) {
      sample = event;
      showSample(event);
    }
    if (event.type === "facts" && event.layers_of) layersRegion = event.layers_of;
    if (event.type === "layer") layers.show({ ...event, version: urlOf("") });
  }
  showStatus(job);
  showEmptyText();
  part("layers-note").textContent = layersText();
}

// A test has few events. They are replayed from the first, so that a reload shows the same.
watchJob(job.id, 0, onEvents);
onEvents([]);
