// Points of curves: from GET scalars, extended by live events; and the part that a chart shows.

/** @import { HardwareEvent, JobEvent } from "../base/types.js" */
/** @import { AxisName, Scalars } from "../base/client_types.js" */
/** @import { Series } from "../base/types.js" */
/** @import { SeriesByKey } from "../base/client_types.js" */

/**
 * @typedef {(number | undefined)[]} Column
 * @typedef {{ step: number, epoch: number, time: number }} Place
 *
 * @typedef {object} Curves
 * @property {SeriesByKey} series
 * @property {number} step The newest step of the training.
 * @property {number} epochsPerStep
 */

const MAX_POINTS = 4000;

/**
 * Curves from the server's points.
 * @param {SeriesByKey} [series]
 * @returns {Curves}
 */
export function curvesOf(series = {}) {
  const ends = Object.values(series)
    .filter(({ step }) => step.length)
    .map(({ step, epoch }) => ({ step: step[step.length - 1], epoch: epoch[epoch.length - 1] }));
  const step = Math.max(0, ...ends.map((end) => end.step));
  const end = ends.find((candidate) => candidate.step > 0);
  return { series, step, epochsPerStep: end ? end.epoch / end.step : 0 };
}

/**
 * Add the points of new events. After a resume, new points replace those of the same steps.
 * @param {Curves} curves Changed in place.
 * @param {JobEvent[]} events
 * @returns {Curves}
 */
export function addEvents(curves, events) {
  for (const event of events) {
    switch (event.type) {
      case "progress":
        if (event.unit === "steps") curves.step = event.done;
        break;
      case "hardware":
        addPoint(curves, hardwareScalars(event), {
          step: curves.step,
          epoch: curves.step * curves.epochsPerStep,
          time: event.time,
        });
        break;
      case "resumed":
        for (const line of Object.values(curves.series)) cutFrom(line, event.step + 1);
        curves.step = event.step;
        break;
      case "scalars":
        addPoint(curves, event.scalars, event);
        curves.step = event.step;
        if (event.step) curves.epochsPerStep = event.epoch / event.step;
    }
  }
  return curves;
}

/**
 * @param {Curves} curves
 * @param {Scalars} scalars
 * @param {Place} place
 */
function addPoint({ series }, scalars, { step, epoch, time }) {
  for (const [key, value] of Object.entries(scalars)) {
    if (value == null) continue;
    const line = (series[key] ??= { step: [], epoch: [], time: [], value: [] });
    // A step that is logged again replaces its point; the hardware has several points per step.
    if (!key.startsWith("hardware/")) cutFrom(line, step);
    line.step.push(step);
    line.epoch.push(epoch);
    line.time.push(time);
    line.value.push(value);
    // Limits the memory of a page that is open for days.
    if (line.step.length > MAX_POINTS) series[key] = thin(line, MAX_POINTS / 2);
  }
}

/**
 * Curves with the gain over the input, `val/gain`, that of the input itself, which is 0, and those of
 * filters, `val/gain_of_NAME`.
 * @param {SeriesByKey} series
 * @param {Record<string, number>} filters The gains of filters in dB, by name.
 * @returns {SeriesByKey}
 */
export function withGain(series, filters = {}) {
  const [after, before] = [series["val/psnr"], series["val/psnr_input"]];
  if (!after || !before) return series;
  const inputs = new Map(before.step.map((step, index) => [step, before.value[index]]));
  const kept = after.step.flatMap((step, index) => (inputs.has(step) ? [index] : []));
  const at = (/** @type {number[]} */ column) => kept.map((index) => column[index]);
  const place = { step: at(after.step), epoch: at(after.epoch), time: at(after.time) };
  const value = kept.map((index) => after.value[index] - (inputs.get(after.step[index]) ?? NaN));
  const level = (/** @type {number} */ gain) => ({ ...place, value: value.map(() => gain) });
  const lines = Object.entries(filters).map(([name, gain]) => [`val/gain_of_${name}`, level(gain)]);
  return {
    ...series,
    "val/gain": { ...place, value },
    "val/gain_input": level(0),
    ...Object.fromEntries(lines),
  };
}

/**
 * Remove the points from a step on.
 * @param {Series} line
 * @param {number} step
 */
function cutFrom(line, step) {
  let kept = line.step.length;
  while (kept > 0 && line.step[kept - 1] >= step) kept -= 1;
  for (const column of Object.values(line)) column.length = kept;
}

/**
 * The curves of a `hardware` event, like app/catalog/log_index.py: loads in percent of all cores or
 * of a GPU, memory in bytes.
 * @param {HardwareEvent} event
 * @returns {Scalars}
 */
function hardwareScalars({ cpu, cores, rss, gpus }) {
  /** @type {Scalars} */
  const scalars = { "hardware/cpu": cpu / (cores || 1), "hardware/memory": rss };
  gpus.forEach((gpu, number) => {
    scalars[`hardware/gpu${number}`] = gpu.utilisation ?? null;
    scalars[`hardware/gpu${number}_memory`] = gpu.memory_used ?? null;
  });
  return scalars;
}

/**
 * Reduce a curve to about `most` points: the smallest and the largest of each bucket, and the first
 * and the last of all.
 * @param {Series} line
 * @param {number} most
 * @returns {Series}
 */
export function thin(line, most) {
  const size = Math.ceil(line.step.length / (most / 2));
  const last = line.step.length - 1;
  const kept = new Set([0]);
  for (let begin = 0; begin < line.step.length; begin += size) {
    let low = begin;
    let high = begin;
    for (let index = begin; index < Math.min(begin + size, line.step.length); index += 1) {
      if (line.value[index] < line.value[low]) low = index;
      if (line.value[index] > line.value[high]) high = index;
    }
    kept.add(Math.min(low, high)).add(Math.max(low, high));
  }
  const indices = [...kept.add(last)];
  const columns = Object.entries(line).map(([name, column]) => [
    name,
    indices.map((index) => column[index]),
  ]);
  return /** @type {Series} */ (Object.fromEntries(columns));
}

/**
 * The start of the earliest curve, in seconds since the epoch; Infinity without points.
 * @param {SeriesByKey} series
 */
export const startOf = (series) =>
  Math.min(...Object.values(series).map(({ time }) => time[0] ?? Infinity));

/**
 * Curves with times relative to a start, so that trainings of different days can be compared.
 * @param {SeriesByKey} series
 * @param {number} start
 * @returns {SeriesByKey}
 */
export function sinceStart(series, start) {
  return Object.fromEntries(
    Object.entries(series).map(([key, line]) => [
      key,
      { ...line, time: line.time.map((time) => time - start) },
    ]),
  );
}

/**
 * The keys of a chart's list. "val/gain_of_*" stands for those of all filters.
 * @param {SeriesByKey} series
 * @param {string[]} patterns
 * @returns {string[]}
 */
export function keysIn(series, patterns) {
  return patterns.flatMap((pattern) => {
    if (!pattern.includes("*")) return [pattern];
    const expression = new RegExp(`^${pattern.replace("*", "[a-z\\d]+")}$`);
    return Object.keys(series)
      .filter((key) => expression.test(key))
      .sort();
  });
}

/**
 * Curves in uPlot's format: [x, y1, y2, …] over all values of x; undefined where a curve has no
 * point.
 * @param {SeriesByKey} series
 * @param {string[]} keys
 * @param {AxisName} [x]
 * @returns {[number[], ...Column[]]}
 */
export function align(series, keys, x = "step") {
  const xs = [...new Set(keys.flatMap((key) => series[key]?.[x] ?? []))].sort((a, b) => a - b);
  const columns = keys.map((key) => {
    const line = series[key];
    const values = new Map(line ? line[x].map((place, index) => [place, line.value[index]]) : []);
    return xs.map((place) => values.get(place));
  });
  return [xs, ...columns];
}

/**
 * An exponential moving average. Like TensorBoard's, it is not biased to its first values.
 * @param {Column} column
 * @param {number} weight 0 (no smoothing) to below 1.
 * @returns {Column}
 */
export function smoothed(column, weight) {
  let average = 0;
  let seen = 0;
  return column.map((value) => {
    if (value == null || !Number.isFinite(value)) return value;
    seen += 1;
    average = average * weight + (1 - weight) * value;
    return average / (1 - weight ** seen);
  });
}

/**
 * The steps [first, last] that contain what is between two values of x. The curve with the most
 * points decides: all curves are of the same run.
 * @param {SeriesByKey} series
 * @param {AxisName} x
 * @param {number} from
 * @param {number} to
 * @returns {[number, number] | null} null without points.
 */
export function stepsBetween(series, x, from, to) {
  if (x === "step") return [Math.max(Math.floor(from), 0), Math.max(Math.ceil(to), 0)];
  const line = longest(Object.values(series));
  if (!line?.step.length) return null;
  const after = line[x].findIndex((place) => place >= to);
  const before = line[x].findLastIndex((place) => place <= from);
  return [line.step[Math.max(before, 0)], line.step[after < 0 ? line.step.length - 1 : after]];
}

/**
 * The first of the curves with the most points; null if there are no curves.
 * @param {Series[]} lines
 * @returns {Series | null}
 */
export const longest = (lines) =>
  lines.reduce(
    (most, line) => (most && most.step.length >= line.step.length ? most : line),
    /** @type {Series | null} */ (null),
  );

/**
 * A table of columns as CSV.
 * @param {string[]} names
 * @param {ArrayLike<number | null | undefined>[]} columns
 */
export function csv(names, columns) {
  const quoted = (/** @type {string} */ name) =>
    /[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
  const rows = Array.from(columns[0], (_, row) => columns.map((column) => column[row] ?? ""));
  return [names.map(quoted), ...rows].map((cells) => `${cells.join(",")}\n`).join("");
}

/**
 * The events after a sequence number: a replay and the live stream may overlap.
 * @template {{ seq: number }} E
 * @param {E[]} events
 * @param {number} seq
 * @returns {E[]}
 */
export const newEvents = (events, seq) => events.filter((event) => event.seq > seq);
