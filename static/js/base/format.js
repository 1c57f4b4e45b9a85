// Numbers, times and sizes in words, as they stand everywhere on the pages.

const DASH = "–";

const NOTHING_YET = {
  waiting: "It has not begun yet.",
  running: "Nothing validated yet: the first numbers come with the first epoch.",
};

export const decibel = (value) => (value == null ? DASH : `${value.toFixed(2)} dB`);

const LEAST_GAIN = 0.005;

/** dB of one over another; less than is seen in two decimals is none. */
export function gain(value) {
  if (value == null || Math.abs(value) < LEAST_GAIN) return value == null ? DASH : "0.00 dB";
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)} dB`;
}

export const count = (value) => (value == null ? DASH : Math.round(value).toLocaleString("en"));

/** Three significant digits: 0.0182, 3.14, 1.2e-7. */
export function small(value) {
  if (value == null) return DASH;
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-4 || size >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

/** Four significant digits, none left out, so that a column of them lines up: 0.02300. */
export const losses = (value) => (!value || Math.abs(value) < 1e-4 ? small(value) : value.toPrecision(4));

/** SSIM */
export const similarity = (value) => (value == null ? DASH : value.toFixed(4));

/** SSIM of one over another: +0.0123 */
export const similarityGain = (value) => (value == null ? DASH : `${value <= -0.00005 ? "−" : value >= 0.00005 ? "+" : ""}${Math.abs(value).toFixed(4)}`);

/** 84 ms, 1.24 s */
export const milliseconds = (value) => (value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(2)} s`);

/** Whole ones as they are, others with two decimals: 1,997 or 1.67. */
export const epochs = (value) => (value == null ? DASH : value.toLocaleString("en", { maximumFractionDigits: 2 }));

export function seconds(value) {
  if (value == null) return DASH;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
  return `${Math.floor(whole / 3600)}:${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} h`;
}

export function bytes(value) {
  if (value == null) return DASH;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (value >= 1000 && power < units.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${power && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

export const percent = (share) => `${Math.round(100 * share)} %`;

/** "just now", "3 min ago"; `now` and `then` in seconds since the epoch. */
export function ago(then, now) {
  const passed = now - then;
  if (passed < 60) return "just now";
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  return `${Math.floor(passed / 86400)} days ago`;
}

/** The share of a job that is done, 0 to 1, or null where its end is not known. */
export function share(progress) {
  return progress && progress.total ? progress.done / progress.total : null;
}

const SPLITS = { train: "to train", val: "to validate", test: "to test" };

/** "48 of 96 pairs · 130 pairs/s · 1 s left"; of a dataset also "43 to train, 5 to validate" */
export function progressWords(progress) {
  if (!progress) return "";
  const words = [progress.total ? `${count(progress.done)} of ${count(progress.total)} ${progress.unit}` : `${count(progress.done)} ${progress.unit}`];
  if (progress.rate) words.push(`${small(progress.rate)} ${progress.unit}/s`);
  if (progress.eta != null) words.push(`${seconds(progress.eta)} left`);
  if (progress.pairs) words.push(Object.entries(progress.pairs).map(([split, pairs]) => `${count(pairs)} ${SPLITS[split]}`).join(", "));
  return words.join(" · ");
}

/** "97 % of the GPU · 8.2 GB of 84.9 GB" */
export function hardware(told) {
  if (!told) return "";
  const words = told.gpus.flatMap((gpu) => [
    ...(gpu.utilisation == null ? [] : [`${Math.round(gpu.utilisation)} % of the GPU`]),
    ...(gpu.memory_used == null ? [] : [`${bytes(gpu.memory_used)} of ${bytes(gpu.memory_total)}`]),
  ]);
  return words.join(" · ") || `${Math.round(told.cpu)} % of a core`;
}

/** dB over the input of a snapshot's validation, null where that is not known. */
export const gainOf = (snapshot) => (snapshot?.["val/psnr"] == null ? null : snapshot["val/psnr"] - snapshot["val/psnr_input"]);

/** What a model achieved, in words; `best` is the snapshot with the lowest validation loss. */
export function verdict(best, state = "running") {
  if (best?.["val/l1"] == null) return NOTHING_YET[state] ?? "It ended before anything was kept: there is nothing to test.";
  if (best["val/psnr"] == null) return "The inputs of the validation equal their originals: there is nothing to gain.";
  const by = gainOf(best);
  const numbers = `${best["val/psnr_input"].toFixed(2)} → ${best["val/psnr"].toFixed(2)}`;
  if (by >= LEAST_GAIN) return `${gain(by)} over its input (${numbers}), best at epoch ${epochs(best.epoch)}`;
  return `Not better than its input${state === "done" ? "" : " yet"} (${numbers} dB)`;
}
