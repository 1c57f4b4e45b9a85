// The points of curves: from GET scalars, then grown by live events.

/** Series {key: {step, epoch, time, value}} with the `scalars` events put in, by step; what a resumed run does anew goes. */
export function addEvents(series, events) {
  for (const event of events) {
    if (event.type === "resumed") cutAfter(series, event.step);
    if (event.type !== "scalars") continue;
    for (const [key, value] of Object.entries(event.scalars)) {
      if (value == null) continue;
      const line = (series[key] ??= { step: [], epoch: [], time: [], value: [] });
      const at = place(line.step, event.step);
      const replaced = line.step[at] === event.step ? 1 : 0;
      line.step.splice(at, replaced, event.step);
      line.epoch.splice(at, replaced, event.epoch);
      line.time.splice(at, replaced, event.time);
      line.value.splice(at, replaced, value);
    }
  }
  return series;
}

function cutAfter(series, step) {
  for (const line of Object.values(series)) {
    const kept = place(line.step, step + 1);
    for (const column of Object.values(line)) column.length = kept;
  }
}

function place(steps, step) {
  let at = steps.length;
  while (at > 0 && steps[at - 1] >= step) at -= 1;
  return at;
}

/** uPlot's form of some series: [x, y1, y2, …] over all steps, undefined where a series has no point. */
export function align(series, keys) {
  const steps = [...new Set(keys.flatMap((key) => series[key]?.step ?? []))].sort((a, b) => a - b);
  const columns = keys.map((key) => {
    const line = series[key] ?? { step: [], value: [] };
    const values = new Map(line.step.map((step, index) => [step, line.value[index]]));
    return steps.map((step) => values.get(step));
  });
  return [steps, ...columns];
}

/** The events that were not seen before; a replay and the live stream may overlap. */
export function unseen(events, seq) {
  return events.filter((event) => event.seq > seq);
}
