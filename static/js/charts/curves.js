// The points of curves: from GET scalars, then grown by live events; and what of them a chart shows.

const MOST_POINTS = 4000;

/** Curves {key: {step, epoch, time, value}} as the server gives them, with where the training stands. */
export function curvesOf(series = {}) {
  const ends = Object.values(series).filter((line) => line.step.length);
  const step = Math.max(0, ...ends.map((line) => line.step.at(-1)));
  const last = ends.find((line) => line.step.at(-1) > 0);
  return { series, step, epochAStep: last ? last.epoch.at(-1) / last.step.at(-1) : 0 };
}

/** Put in what new events say, by step; what a resumed run does anew takes the place of what was done before. */
export function addEvents(curves, events) {
  for (const event of events) {
    if (event.type === "progress" && event.unit === "steps") curves.step = event.done;
    if (event.type === "hardware") addPoint(curves, hardwareScalars(event), { step: curves.step, epoch: curves.step * curves.epochAStep, time: event.time });
    if (event.type === "resumed") {
      for (const line of Object.values(curves.series)) cutFrom(line, event.step + 1);
      curves.step = event.step;
    }
    if (event.type !== "scalars") continue;
    addPoint(curves, event.scalars, event);
    curves.step = event.step;
    if (event.step) curves.epochAStep = event.epoch / event.step;
  }
  return curves;
}

function addPoint({ series }, scalars, { step, epoch, time }) {
  for (const [key, value] of Object.entries(scalars)) {
    if (value == null) continue;
    const line = (series[key] ??= { step: [], epoch: [], time: [], value: [] });
    // A step that is logged again replaces its point; of the machine there are several readings a step.
    if (!key.startsWith("hardware/")) cutFrom(line, step);
    line.step.push(step);
    line.epoch.push(epoch);
    line.time.push(time);
    line.value.push(value);
    // A page that is left open for days does not grow.
    if (line.step.length > MOST_POINTS) series[key] = thin(line, MOST_POINTS / 2);
  }
}

function cutFrom(line, step) {
  let kept = line.step.length;
  while (kept > 0 && line.step[kept - 1] >= step) kept -= 1;
  for (const column of Object.values(line)) column.length = kept;
}

/** The curves of a `hardware` event: loads in percent of all cores or of a GPU, memory in bytes. As app/catalog/log_index.py has them. */
function hardwareScalars({ cpu, cores, rss, gpus }) {
  const told = { "hardware/cpu": cpu / (cores || 1), "hardware/memory": rss };
  gpus.forEach((gpu, number) => {
    told[`hardware/gpu${number}`] = gpu.utilisation;
    told[`hardware/gpu${number}_memory`] = gpu.memory_used;
  });
  return told;
}

/** About `most` points: the smallest and the largest of each bucket, the first and the last of all. */
export function thin(line, most) {
  const size = Math.ceil(line.step.length / (most / 2));
  const end = line.step.length - 1;
  const kept = new Set([0]);
  for (let begin = 0; begin < line.step.length; begin += size) {
    let low = begin;
    let high = begin;
    for (let at = begin; at < Math.min(begin + size, line.step.length); at += 1) {
      if (line.value[at] < line.value[low]) low = at;
      if (line.value[at] > line.value[high]) high = at;
    }
    kept.add(Math.min(low, high)).add(Math.max(low, high));
  }
  const places = [...kept.add(end)];
  return Object.fromEntries(Object.entries(line).map(([name, column]) => [name, places.map((at) => column[at])]));
}

/** When the first of some curves begins, in seconds since the epoch. */
export const startOf = (series) => Math.min(...Object.values(series).map(({ time }) => time[0] ?? Infinity));

/** Curves with times in seconds since a start: those of trainings of different days lie over one another. */
export function sinceStart(series, start) {
  return Object.fromEntries(Object.entries(series).map(([key, line]) => [key, { ...line, time: line.time.map((at) => at - start) }]));
}

/** The keys that a chart's list means: "hardware/gpu*" stands for those of every GPU. */
export function keysIn(series, listed) {
  return listed.flatMap((key) => {
    if (!key.includes("*")) return [key];
    const form = new RegExp(`^${key.replace("*", "\\d+")}$`);
    return Object.keys(series).filter((one) => form.test(one)).sort();
  });
}

/** uPlot's form of some series: [x, y1, y2, …] over all x ("step", "epoch" or "time"), undefined where a series has no point. */
export function align(series, keys, x = "step") {
  const all = [...new Set(keys.flatMap((key) => series[key]?.[x] ?? []))].sort((a, b) => a - b);
  const columns = keys.map((key) => {
    const line = series[key];
    const values = new Map(line ? line[x].map((at, index) => [at, line.value[index]]) : []);
    return all.map((at) => values.get(at));
  });
  return [all, ...columns];
}

/** A running average of a column, 0 (as it is) to below 1; without a bias to its first values, as TensorBoard has it. */
export function smoothed(column, weight) {
  let last = 0;
  let seen = 0;
  return column.map((value) => {
    if (value == null || !Number.isFinite(value)) return value;
    seen += 1;
    last = last * weight + (1 - weight) * value;
    return last / (1 - weight ** seen);
  });
}

/** The steps [first, last] that hold what lies between two values of x: by the curve with the most points, as the others lie beside it. */
export function stepsBetween(series, x, from, to) {
  if (x === "step") return [Math.max(Math.floor(from), 0), Math.max(Math.ceil(to), 0)];
  const line = Object.values(series).reduce((most, one) => (most && most.step.length >= one.step.length ? most : one), null);
  if (!line?.step.length) return null;
  const after = line[x].findIndex((at) => at >= to);
  const before = line[x].findLastIndex((at) => at <= from);
  return [line.step[Math.max(before, 0)], line.step[after < 0 ? line.step.length - 1 : after]];
}

/** A table of columns as CSV. */
export function csv(names, columns) {
  const cell = (value) => (value == null ? "" : String(value));
  const quoted = (name) => (/[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
  return `${[names.map(quoted), ...columns[0].map((_, row) => columns.map((column) => cell(column[row])))].map((cells) => cells.join(",")).join("\n")}\n`;
}

/** The events that were not seen before; a replay and the live stream may overlap. */
export function unseen(events, seq) {
  return events.filter((event) => event.seq > seq);
}
