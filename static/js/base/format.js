// Numbers, times and sizes as text, for all pages. app/pages/formatting.py formats the same for the
// templates; tests/support/formatting.json holds the cases that both are tested with.

/** @import { Progress, Hardware, Validation } from "./types.js" */

/**
 * @typedef {number | null | undefined} Value
 */

/** Shown in place of a value that does not exist. */
export const NO_VALUE = "–";

/** @type {Record<string, string>} */
const NOTHING_YET = {
  waiting: "Not started yet.",
  running: "Not validated yet.",
};

/** dB; smaller gains are shown as 0.00 dB. */
const LEAST_GAIN = 0.005;
/** A smaller BD-rate counts as none: it is shown as 0.0 %. */
const LEAST_PERCENT = 0.05;

/**
 * A number's text with the minus sign of print, which is as wide as a plus: −0.02, 1.2e−7
 * @param {string} text
 */
export const withMinus = (text) => text.replaceAll("-", "−");

/**
 * A fixed number of decimals: 31.40
 * @param {Value} value
 * @param {number} digits
 */
export const decimals = (value, digits) =>
  value == null ? NO_VALUE : withMinus(value.toFixed(digits));

/** @param {Value} value */
export const decibel = (value) => (value == null ? NO_VALUE : `${decimals(value, 2)} dB`);

/**
 * A PSNR minus another: +0.31 dB
 * @param {Value} value
 */
export function gain(value) {
  if (value == null) return NO_VALUE;
  if (Math.abs(value) < LEAST_GAIN) return "0.00 dB";
  return `${value < 0 ? "−" : "+"}${decimals(Math.abs(value), 2)} dB`;
}

/**
 * The PSNR before and after: 32.41 → 32.72
 * @param {number} before
 * @param {number} after
 */
export const fromTo = (before, after) => `${decimals(before, 2)} → ${decimals(after, 2)}`;

/**
 * The result of a test in a sentence, from the PSNR of its input and output in dB.
 * @param {number} before
 * @param {number} after
 */
export function improvement(before, after) {
  const gained = after - before;
  const scores = `(${fromTo(before, after)})`;
  if (Math.abs(gained) < LEAST_GAIN) return `As good as the input ${scores}`;
  if (gained < 0) return `${decibel(-gained)} worse than the input ${scores}`;
  return `${gain(gained)} better than the input ${scores}`;
}

/** @param {Value} value */
export const count = (value) =>
  value == null ? NO_VALUE : withMinus(Math.round(value).toLocaleString("en"));

/**
 * A count and its noun: "1 channel", "1,204 channels"
 * @param {number} value
 * @param {string} singular
 * @param {string} [plural]
 */
export const counted = (value, singular, plural = `${singular}s`) =>
  `${count(value)} ${value === 1 ? singular : plural}`;

/**
 * At most `digits` decimals, with separators: 1,997 or 1.67
 * @param {Value} value
 * @param {number} digits
 */
export const rounded = (value, digits) =>
  value == null
    ? NO_VALUE
    : withMinus(value.toLocaleString("en", { maximumFractionDigits: digits }));

/**
 * Three significant digits: 0.0182, 3.14, 1.2e−7
 * @param {Value} value
 */
export function small(value) {
  if (value == null) return NO_VALUE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  return withMinus(
    size < 1e-4 || size >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(3))),
  );
}

/**
 * Four significant digits with trailing zeros, so that a column lines up: 0.02300
 * @param {Value} value
 */
export const loss = (value) =>
  !value || Math.abs(value) < 1e-4 ? small(value) : withMinus(value.toPrecision(4));

/**
 * SSIM: 0.8866
 * @param {Value} value
 */
export const similarity = (value) => decimals(value, 4);

/**
 * An SSIM minus another: +0.0123
 * @param {Value} value
 */
export function similarityGain(value) {
  if (value == null) return NO_VALUE;
  const sign = value <= -0.00005 ? "−" : value >= 0.00005 ? "+" : "";
  return `${sign}${decimals(Math.abs(value), 4)}`;
}

/**
 * A short duration in seconds: 84 ms, 1.24 s
 * @param {number} value
 */
export const milliseconds = (value) =>
  value < 1 ? `${Math.round(1000 * value)} ms` : `${decimals(value, 2)} s`;

/**
 * Epochs may be fractions: 1,997 or 1.67
 * @param {Value} value
 */
export const epoch = (value) => rounded(value, 2);

/**
 * A duration in seconds: 41 s, 2:05 min, 1:01 h
 * @param {Value} value
 */
export function seconds(value) {
  if (value == null) return NO_VALUE;
  const total = Math.round(value);
  const twoDigits = (/** @type {number} */ part) => String(part).padStart(2, "0");
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)}:${twoDigits(total % 60)} min`;
  return `${Math.floor(total / 3600)}:${twoDigits(Math.floor((total % 3600) / 60))} h`;
}

/**
 * A size in bytes: 16.6 MB
 * @param {Value} value
 */
export function bytes(value) {
  if (value == null) return NO_VALUE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (value >= 1000 && power < units.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${power && value < 100 ? decimals(value, 1) : Math.round(value)} ${units[power]}`;
}

/**
 * A number that is a percentage, without decimals: 13 %
 * @param {Value} value
 */
export const percentage = (value) => (value == null ? NO_VALUE : `${Math.round(value)} %`);

/**
 * A share of 1, in percent: 13 %
 * @param {number} share
 */
export const percent = (share) => percentage(100 * share);

/**
 * Like `percent`, with a decimal below 10 %: 4.2 %
 * @param {number} share
 */
export const finePercent = (share) =>
  share < 0.1 ? `${decimals(100 * share, 1)} %` : percent(share);

/**
 * "just now", "3 min ago"
 * @param {number} then Seconds since the epoch, as `now`.
 * @param {number} now
 */
export function ago(then, now) {
  const passed = now - then;
  if (passed < 60) return "just now";
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  return `${counted(Math.floor(passed / 86400), "day")} ago`;
}

/**
 * The share of a job that is done, 0 to 1; null if its length is unknown.
 * @param {Progress | null} progress
 */
export const share = (progress) =>
  progress?.share ?? (progress?.total ? progress.done / progress.total : null);

/**
 * The time that is left, as exact as an estimate can be: "about 40 s left", "about 13 min left"
 * @param {number} value In seconds.
 */
export function timeLeft(value) {
  if (value < 5) return "a few seconds left";
  if (value < 57.5) return `about ${5 * Math.round(value / 5)} s left`;
  if (value < 3570) return `about ${Math.max(Math.round(value / 60), 1)} min left`;
  return `about ${rounded(value / 3600, 1)} h left`;
}

/** @type {Record<string, string>} */
const SPLITS = { train: "to train", val: "to validate", test: "to test" };

/**
 * "Training · 48 of 96 steps · 130 steps/s · about 40 s left"; of a dataset also "43 to train, 5
 * to validate"
 * @param {Progress | null} progress
 */
export function progressText(progress) {
  if (!progress) return "";
  const { done, total, unit, rate, eta, pairs, phase } = progress;
  const parts = phase ? [`${phase[0].toUpperCase()}${phase.slice(1)}`] : [];
  if (done || total || !phase)
    parts.push(
      total
        ? `${count(done)} of ${count(total)} ${unit}`
        : counted(done, unit.replace(/s$/, ""), unit),
    );
  if (rate) parts.push(`${small(rate)} ${unit}/s`);
  if (eta != null) parts.push(timeLeft(eta));
  if (pairs) {
    const splits = Object.entries(pairs).map(([split, size]) => `${count(size)} ${SPLITS[split]}`);
    parts.push(splits.join(", "));
  }
  return parts.join(" · ");
}

/**
 * "97 % of the GPU · 8.2 GB of 84.9 GB"
 * @param {Pick<Hardware, "cpu" | "gpus"> | null} hardware
 */
export function hardwareText(hardware) {
  if (!hardware) return "";
  const parts = hardware.gpus.flatMap((gpu) => [
    ...(gpu.utilisation == null ? [] : [`${percentage(gpu.utilisation)} of the GPU`]),
    ...(gpu.memory_used == null ? [] : [`${bytes(gpu.memory_used)} of ${bytes(gpu.memory_total)}`]),
  ]);
  return parts.join(" · ") || `${percentage(hardware.cpu)} of a core`;
}

/**
 * The gain of a snapshot in dB: its PSNR minus that of the validation inputs. null if unknown.
 * @param {Validation | null | undefined} scores
 */
export const gainOf = (scores) =>
  scores?.["val/psnr"] == null || scores["val/psnr_input"] == null
    ? null
    : scores["val/psnr"] - scores["val/psnr_input"];

/** What the best snapshot has. */
const LEADS = { loss: "lowest validation loss", psnr: "highest PSNR" };

/**
 * A BD-rate as a sentence, like that of app/pages/formatting.py.
 * @param {number | null | undefined} bdRate A share; below 0, fewer bits for the same PSNR.
 */
export function bitsSaved(bdRate) {
  if (bdRate == null) return "no BD-rate, since the curves have no PSNR in common";
  const percents = 100 * Math.abs(bdRate);
  if (percents < LEAST_PERCENT) return "the same quality at the same bits";
  return `the same quality at ${decimals(percents, 1)} % ${bdRate < 0 ? "fewer" : "more"} bits`;
}

/**
 * The headline of a model's page: the result of its training as a sentence.
 * @param {(Validation & { epoch: number }) | null} best
 * @param {string} [state] The job's state.
 * @param {"loss" | "psnr"} [leader] What makes a snapshot the best one.
 */
export function verdict(best, state = "running", leader = "loss") {
  if (best?.["val/l1"] == null)
    return NOTHING_YET[state] ?? "The training ended before a snapshot was validated.";
  const [before, after, gained] = [best["val/psnr_input"], best["val/psnr"], gainOf(best)];
  if (before == null || after == null || gained == null)
    return "Validation inputs equal their originals: no gain is possible.";
  const scores = fromTo(before, after);
  if (gained >= LEAST_GAIN)
    return `${gain(gained)} over the input (${scores} dB): ${LEADS[leader]}, at epoch ${epoch(best.epoch)}`;
  return `Not better than the input${state === "done" ? "" : " yet"} (${scores} dB)`;
}
