// Formats, sparklines and curves.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import {
  ago,
  bitsSaved,
  bytes,
  count,
  counted,
  decibel,
  epoch,
  finePercent,
  gain,
  hardwareText,
  improvement,
  loss,
  milliseconds,
  progressText,
  seconds,
  similarity,
  similarityGain,
  small,
  timeLeft,
  verdict,
} from "../../static/js/base/format.js";
import { withLoss } from "../../static/js/charts/sparkline.js";
import {
  addEvents,
  align,
  csv,
  curvesOf,
  keysIn,
  newEvents,
  smoothed,
  stepsBetween,
  thin,
} from "../../static/js/charts/curves.js";
import { part } from "./parts.js";

/** @import { Losses } from "../../static/js/base/types.js" */

/** @type {Record<string, (...values: any[]) => string>} */
const FORMATS = {
  loss,
  similarity,
  similarity_gain: similarityGain,
  epoch,
  decibel,
  gain,
  improvement,
  count,
  small,
  seconds,
  milliseconds,
  size: bytes,
  progress: progressText,
  time_left: timeLeft,
  ago,
  hardware: hardwareText,
  bits_saved: bitsSaved,
  verdict,
};
const CASES = JSON.parse(
  await readFile(new URL("../support/formatting.json", import.meta.url), "utf8"),
);

for (const [name, cases] of Object.entries(CASES))
  test(`${name} has the same format as on the server`, () => {
    for (const values of cases) assert.equal(FORMATS[name](...values.slice(0, -1)), values.at(-1));
  });

test("progress as text", () => {
  assert.equal(
    progressText({ done: 48, total: 1204, unit: "pairs", rate: 130.4, eta: 8.9 }),
    "48 of 1,204 pairs · 130 pairs/s · about 10 s left",
  );
  const pairs = { train: 1043, val: 5 };
  assert.equal(
    progressText({ done: 1048, total: 1204, unit: "pairs", rate: 0, eta: null, pairs }),
    "1,048 of 1,204 pairs · 1,043 to train, 5 to validate",
  );
  assert.equal(
    progressText({ done: 4, total: null, unit: "steps", rate: 0, eta: null }),
    "4 steps",
  );
});

test("counts and small shares as text", () => {
  assert.equal(counted(1, "channel"), "1 channel");
  assert.equal(counted(1204, "entry", "entries"), "1,204 entries");
  assert.deepEqual([0.042, 0.5].map(finePercent), ["4.2 %", "50 %"]);
});

test("a sparkline is thinned as on the server", () => {
  /** @type {Losses} */
  let losses = { seen: 0, every: 1, values: [] };
  for (let seen = 1; seen <= 300; seen += 1) losses = withLoss(losses, seen);
  assert.deepEqual([losses.seen, losses.every], [300, 8]);
  assert.deepEqual(losses.values.slice(0, 3), [8, 16, 24]);
  assert.equal(losses.values.at(-1), 296);
});

/** @param {number} step @param {number} value */
const scalars = (step, value) =>
  part({
    type: "scalars",
    seq: 0,
    step,
    epoch: step / 10,
    time: 100 + step,
    scalars: { a: value, b: null },
  });

test("a step that is logged again replaces its point", () => {
  const { series } = addEvents(curvesOf(), [
    scalars(1, 5),
    scalars(3, 6),
    scalars(3, 8),
    part({ type: "state" }),
  ]);
  assert.deepEqual(
    [series.a.step, series.a.value],
    [
      [1, 3],
      [5, 8],
    ],
  );
  assert.equal(series.b, undefined);
});

test("hardware is shown at the newest step", () => {
  const reading = part({
    type: "hardware",
    time: 7,
    cpu: 150,
    cores: 2,
    rss: 1e9,
    gpus: [{ utilisation: 97, memory_used: 5e9 }],
  });
  const { series } = addEvents(curvesOf(), [
    scalars(10, 1),
    part({ type: "progress", unit: "steps", done: 12 }),
    reading,
    reading,
  ]);
  assert.deepEqual(
    [series["hardware/cpu"].step, series["hardware/cpu"].value],
    [
      [12, 12],
      [75, 75],
    ],
  );
  assert.ok(Math.abs(series["hardware/cpu"].epoch[0] - 1.2) < 1e-9);
  assert.deepEqual(keysIn(series, ["hardware/cpu", "hardware/gpu*", "hardware/gpu*_memory"]), [
    "hardware/cpu",
    "hardware/gpu0",
    "hardware/gpu0_memory",
  ]);
});

test("the curves of an open page do not grow without limit, and keep their extremes", () => {
  const curves = curvesOf();
  for (let step = 1; step <= 20_000; step += 1)
    addEvents(curves, [scalars(step, step === 77 ? -9 : step === 4321 ? 9 : 1)]);
  const { a } = curves.series;
  assert.ok(a.step.length <= 4000);
  assert.ok(a.value.includes(-9) && a.value.includes(9));
  assert.equal(a.step.at(-1), 20_000);
  assert.deepEqual(thin(part({ step: [1, 2, 3, 4], value: [1, 5, 0, 1] }), 2), {
    step: [1, 2, 3, 4],
    value: [1, 5, 0, 1],
  });
  assert.deepEqual(
    thin(part({ step: [1, 2, 3, 4, 5], value: [1, 5, 0, 1, 1] }), 2).step,
    [1, 2, 3, 5],
  );
});

test("smoothing is not biased to the first values, and keeps gaps", () => {
  assert.deepEqual(
    smoothed([2, undefined, 2], 0.9).map((value) => value && Number(value.toFixed(6))),
    [2, undefined, 2],
  );
  assert.deepEqual(smoothed([1, 3], 0), [1, 3]);
});

test("the steps of a range of x, also between two points of a coarse curve", () => {
  const { series } = addEvents(curvesOf(), [
    scalars(10, 1),
    scalars(20, 1),
    scalars(30, 1),
    scalars(40, 1),
  ]);
  series.sparse = { step: [0, 1000], epoch: [0, 100], time: [100, 1100], value: [1, 2] };
  assert.deepEqual(stepsBetween(series, "step", 14.2, 15.7), [14, 16]);
  assert.deepEqual(stepsBetween(series, "epoch", 1.9, 2.1), [10, 30]);
  assert.deepEqual(stepsBetween(series, "epoch", 2.1, 2.2), [20, 30]);
  assert.deepEqual(stepsBetween(series, "time", 139, 200), [30, 40]);
  assert.equal(stepsBetween({}, "time", 50, 60), null);
});

test("a table as CSV", () => {
  assert.equal(
    csv(
      ["step", 'a "b", c'],
      [
        [1, 2],
        [0.5, undefined],
      ],
    ),
    'step,"a ""b"", c"\n1,0.5\n2,\n',
  );
});

test("curves with different steps share an x axis", () => {
  const series = part({ a: { step: [1, 2], value: [5, 6] }, b: { step: [2, 4], value: [7, 8] } });
  assert.deepEqual(align(series, ["a", "b", "c"]), [
    [1, 2, 4],
    [5, 6, undefined],
    [undefined, 7, 8],
    [undefined, undefined, undefined],
  ]);
});

test("events up to a sequence number are dropped", () => {
  assert.deepEqual(newEvents([{ seq: 3 }, { seq: 4 }], 3), [{ seq: 4 }]);
});
