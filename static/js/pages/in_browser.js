// The page that restores a picture or a video from the person's disk in this browser, where it stays.
import { withRoot } from "../base/address.js";
import { messageOf, post, request } from "../base/api.js";
import { element, find, pageData } from "../base/dom.js";
import { milliseconds } from "../base/format.js";
import { canvasOf, pictureIn, pngOf, videoIn } from "../network/files.js";
import { restoreFrames } from "../network/frames.js";
import { startNetwork } from "../network/network.js";
import { restore } from "../network/restore.js";
import { drawPixels } from "../viewer/stage.js";
import { liveViewer } from "../viewer/viewer.js";

/** @import { ExportFile } from "../base/types.js" */
/** @import { Network, Runtime } from "../network/network.js" */
/** @import { Reach } from "../network/tiles.js" */

/**
 * @type {{ model: string, reaches: [Reach, Reach] | null, worker: string,
 *   runtimes: { webgpu: Runtime, wasm: Runtime } }}
 */
const { model, reaches, worker, runtimes } = pageData("network");
const fileField = find(document, "#file", HTMLInputElement);
const snapshotField = find(document, "#snapshot", HTMLSelectElement);
const qpField = find(document, "#qp", HTMLInputElement);
const state = find(document, "#state");
const rates = find(document, "#rates");
const problem = find(document, "#problem");
const bar = find(document, "#progress", HTMLProgressElement);
const save = find(document, "#save", HTMLAnchorElement);
const result = find(document, "#result");

/** @type {{ snapshot: string, started: Promise<Network> } | null} */
let current = null;
let work = new AbortController();

/** @type {(() => void) | null} Restores the shown frame of a video again. */
let again = null;

for (const field of [fileField, snapshotField]) field.addEventListener("change", () => begin());
qpField.addEventListener("change", () => (again && qpField.reportValidity() ? again() : begin()));
find(document, "#choice").addEventListener("submit", (event) => event.preventDefault());

/** Restore the chosen file; what was restored before gives way to it. */
async function begin() {
  work.abort();
  work = new AbortController();
  const { signal } = work;
  clear();
  const file = fileField.files?.[0];
  if (!file || !qpField.reportValidity()) return;
  try {
    if (file.type.startsWith("video/")) await showVideo(file, signal);
    else await showPicture(file, signal);
  } catch (error) {
    if (!signal.aborted) showProblem(error);
  }
}

/** @param {unknown} error */
function showProblem(error) {
  work.abort();
  clear();
  problem.textContent = messageOf(error);
  problem.hidden = false;
}

function clear() {
  again = null;
  for (const text of [state, rates]) text.textContent = "";
  for (const part of [problem, bar, save, result]) part.hidden = true;
  result.replaceChildren();
  URL.revokeObjectURL(save.href);
}

/**
 * @param {File} file
 * @param {AbortSignal} signal
 */
async function showPicture(file, signal) {
  const input = await pictureIn(file);
  const network = await networkOf(snapshotField.value);
  signal.throwIfAborted();
  const { width, height } = input.canvas;
  state.textContent = `Restoring ${width}×${height} ${onDevice(network)}…`;
  bar.hidden = false;
  bar.value = 0;
  const began = performance.now();
  const pixels = await restore(input.getImageData(0, 0, width, height), network, {
    reaches,
    qp: qp(),
    signal,
    progress: (done, total) => (bar.value = done / total),
  });
  const took = (performance.now() - began) / 1000;
  const output = canvasOf(width, height);
  output.putImageData(pixels, 0, 0);
  const png = await pngOf(output.canvas);
  signal.throwIfAborted();
  bar.hidden = true;
  const time = milliseconds(took);
  state.textContent = `Restored ${width}×${height} in ${time} ${onDevice(network)}.${onQp(network)}`;
  save.href = URL.createObjectURL(png);
  save.download = `${file.name.replace(/\.[^.]*$/, "")}-restored.png`;
  save.hidden = false;
  showViewer([input.canvas, output.canvas]);
}

/**
 * @param {File} file
 * @param {AbortSignal} signal
 */
async function showVideo(file, signal) {
  const video = await videoIn(file, signal);
  const network = await networkOf(snapshotField.value);
  signal.throwIfAborted();
  const size = { width: video.videoWidth, height: video.videoHeight };
  const describe = () =>
    (state.textContent = `${size.width}×${size.height}, restored ${onDevice(network)}.${onQp(network)}`);
  describe();
  const surfaces = [0, 1].map(() => canvasOf(size.width, size.height).canvas);
  const { redraw } = showViewer(surfaces);
  result.prepend(video);
  const restoreAgain = restoreFrames(
    video,
    {
      restore: (pixels) => restore(pixels, network, { reaches, qp: qp(), signal }),
      show: (...pictures) => {
        pictures.forEach((pixels, index) => drawPixels(surfaces[index], pixels));
        redraw();
      },
      report: (text) => (rates.textContent = text),
      fail: showProblem,
    },
    signal,
  );
  again = () => {
    describe();
    restoreAgain();
  };
}

const qp = () => qpField.valueAsNumber || 0;

/** @param {HTMLCanvasElement[]} surfaces Input and output. */
function showViewer(surfaces) {
  result.hidden = false;
  const pictures = [
    { role: "input", label: "Input", url: "" },
    { role: "output", label: "Output", url: "" },
  ];
  const room = element("div");
  result.replaceChildren(room);
  return liveViewer(room, pictures, surfaces);
}

/**
 * The network of a snapshot, loaded once.
 * @param {string} snapshot
 * @returns {Promise<Network>}
 */
async function networkOf(snapshot) {
  if (current?.snapshot !== snapshot) {
    current?.started.then(({ end }) => end()).catch(() => {});
    current = { snapshot, started: load(snapshot) };
  }
  try {
    return await current.started;
  } catch (error) {
    current = null; // The next file tries again.
    throw error;
  }
}

/**
 * @param {string} snapshot
 * @returns {Promise<Network>}
 */
async function load(snapshot) {
  const address = await exportOf(snapshot);
  state.textContent = `Loading ${snapshot}…`;
  const network = await startNetwork(worker, { model: withRoot(address), runtimes });
  find(document, "#qp-field").hidden = !takesQp(network);
  return network;
}

/**
 * The address of a snapshot's ONNX file, which the server makes at the first request.
 * @param {string} snapshot
 * @returns {Promise<string>}
 */
async function exportOf(snapshot) {
  /** @type {{ exports: ExportFile[] }} */
  const { exports } = await request(`/models/${model}/exports`);
  const existing = exports.find((file) => file.format === "onnx" && file.snapshot === snapshot);
  if (existing) return existing.url;
  state.textContent = `The server exports ${snapshot} as ONNX…`;
  const { url } = await post(`/models/${model}/exports`, { snapshot, format: "onnx" });
  return url;
}

/**
 * Whether the QP is one more plane of the network's input.
 * @param {Network} network
 */
const takesQp = ({ planes }) => planes % 2 === 0;

/**
 * Why the result may look like the input, if it may.
 * @param {Network} network
 */
const onQp = (network) =>
  takesQp(network) && qp() === 0
    ? " The QP is 0, which is unknown: this network may change nothing. Type the QP of the file."
    : "";

/**
 * Where the network runs, and why not on the GPU.
 * @param {Network} network
 */
const onDevice = ({ device, reason }) =>
  device === "webgpu" ? "on the GPU (WebGPU)" : `on the CPU (WASM: ${reason})`;
