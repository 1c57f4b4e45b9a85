// The page of a test: pictures and numbers as soon as they are known, then layer by layer.
import { element, pageData } from "./dom.js";
import { decibel, gain } from "./format.js";
import { layerCard } from "./layers.js";
import { watchJob } from "./live.js";
import { isFinal, showStatus, withEvent } from "./status.js";
import { viewer } from "./viewer.js";

let job = pageData("job");
const LABELS = { input: "Input", output: "Output", target: "Ground truth" };
const layers = document.querySelector("#layers");

function showSample(sample) {
  const pictures = Object.entries(LABELS).map(([role, label]) => ({ role, label, url: sample[role] }));
  viewer(document.querySelector("#viewer"), pictures.filter((picture) => picture.url));
  document.querySelector("#numbers").hidden = false;
  const known = sample.psnr_output != null && sample.psnr_input != null;
  document.querySelector("#verdict").textContent = known
    ? `${gain(sample.psnr_output - sample.psnr_input)} over its input (${sample.psnr_input.toFixed(2)} → ${sample.psnr_output.toFixed(2)})`
    : "No ground truth was given: nothing to measure against.";
  const rows = [
    ["PSNR", decibel(sample.psnr_input), decibel(sample.psnr_output)],
    ["SSIM", sample.ssim_input?.toFixed(4) ?? "–", sample.ssim_output?.toFixed(4) ?? "–"],
  ];
  document.querySelector("#numbers tbody").replaceChildren(
    ...rows.map(([name, ...values]) => element("tr", {}, element("th", { scope: "row" }, name), ...values.map((value) => element("td", { class: "number" }, value)))),
  );
  document.querySelector("#facts").textContent = `${sample.width}×${sample.height}, snapshot ${sample.snapshot}`;
}

function waitingWords() {
  const there = layers.childElementCount;
  if (!job.spec.layers) return "Visualizations were not asked for.";
  if (isFinal(job.state)) return there ? "" : "No layer was computed.";
  return there ? "More layers are being computed." : "The layers appear here as they are computed.";
}

function seen(events) {
  for (const event of events) {
    job = withEvent(job, event);
    if (event.type === "sample") showSample(event);
    if (event.type === "layer") layers.append(layerCard(event));
  }
  showStatus(job);
  document.querySelector("#layers-note").textContent = waitingWords();
}

// All of a test's events are few: they are replayed from the first, so that reload and live are one.
watchJob(job.id, 0, seen);
seen([]);
