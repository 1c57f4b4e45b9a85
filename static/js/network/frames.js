// The frames of a video through a network while it plays: those that come too early are skipped.
import { rounded } from "../base/format.js";
import { canvasOf } from "./files.js";

/** Milliseconds over which rates are measured. */
const MEASURED_MS = 3000;

/**
 * @typedef {object} Actions
 * @property {(pixels: ImageData) => Promise<ImageData>} restore
 * @property {(input: ImageData, output: ImageData) => void} show
 * @property {(rates: string) => void} report
 * @property {(error: unknown) => void} fail
 */

/**
 * Restore the shown frame of a video, and those that follow while it plays.
 * @param {HTMLVideoElement} video
 * @param {Actions} actions
 * @param {AbortSignal} signal Ends it.
 * @returns {() => void} Restores the shown frame again.
 */
export function restoreFrames(video, { restore, show, report, fail }, signal) {
  const [shown, restored] = [meter(), meter()];
  let isBusy = false;
  let isMissed = false;

  async function restoreShown() {
    isMissed = isBusy;
    if (isBusy || signal.aborted) return;
    isBusy = true;
    try {
      const input = pixelsOf(video);
      const output = await restore(input);
      if (signal.aborted) return;
      show(input, output);
      restored.add(performance.now());
    } catch (error) {
      if (!signal.aborted) fail(error);
      return; // It stays busy: the next frame would fail alike.
    }
    isBusy = false;
    // While it plays, the next frame comes by itself; one at rest is not reported twice.
    if (isMissed && video.paused) await restoreShown();
  }

  /** @type {VideoFrameRequestCallback} */
  function onFrame(_now, { presentedFrames }) {
    if (signal.aborted) return;
    video.requestVideoFrameCallback(onFrame);
    shown.add(performance.now(), presentedFrames);
    report(ratesText(restored.rate(), shown.rate()));
    restoreShown();
  }

  const restart = () => {
    for (const each of [shown, restored]) each.clear();
    report("");
  };
  for (const name of ["play", "pause", "seeked"]) video.addEventListener(name, restart, { signal });
  video.addEventListener("seeked", restoreShown, { signal });
  video.addEventListener("pause", () => isMissed && restoreShown(), { signal });
  video.requestVideoFrameCallback(onFrame);
  restoreShown();
  return restoreShown;
}

/** @param {HTMLVideoElement} video */
function pixelsOf(video) {
  const { videoWidth: width, videoHeight: height } = video;
  const context = canvasOf(width, height);
  context.drawImage(video, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/**
 * How many frames of those that the video shows are restored. Empty until there is a rate.
 * @param {number | null} restored A second.
 * @param {number | null} shown A second.
 */
export function ratesText(restored, shown) {
  if (restored == null || shown == null) return "";
  const rates = `${rounded(Math.min(restored, shown), 1)} of ${rounded(shown, 1)} frames/s`;
  return restored < 0.95 * shown ? `${rates} are restored, the others are skipped.` : `${rates}.`;
}

/** Measures how often something happens. */
export function meter() {
  /** @type {{ time: number, count: number }[]} */
  let points = [];
  return {
    /**
     * @param {number} time In milliseconds.
     * @param {number} [count] How often it has happened so far; without it, once more.
     */
    add: (time, count = (points.at(-1)?.count ?? 0) + 1) => {
      const recent = points.filter((point) => time - point.time <= MEASURED_MS);
      points = [...(recent.length ? recent : points.slice(-1)), { time, count }];
    },
    /** A second; null before it has happened twice. */
    rate: () => {
      const [first, last] = [points[0], points.at(-1)];
      if (!last || last === first) return null;
      return (1000 * (last.count - first.count)) / (last.time - first.time);
    },
    clear: () => {
      points = [];
    },
  };
}
