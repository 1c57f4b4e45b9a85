// The page of a model: resumed runs, snapshots, messages, and facts as text.
import assert from "node:assert/strict";
import { test } from "node:test";

import { factsOf, hardwareDetails } from "../../static/js/runs/facts.js";
import { addEvents, curvesOf } from "../../static/js/charts/curves.js";
import { eventText, recordFacts } from "../../static/js/runs/record.js";
import { complete, withSample } from "../../static/js/runs/samples.js";
import { bestOf, marksOf, resumedAt, withSnapshot } from "../../static/js/runs/snapshots.js";
import { part } from "./parts.js";

/** @import { JobEvent, JobSummary } from "../../static/js/base/types.js" */
/** @import { SampleSet } from "../../static/js/runs/samples.js" */

test("the points of a resumed run replace those after its snapshot", () => {
  /** @param {number} step @param {number} value */
  const point = (step, value) =>
    part({ type: "scalars", step, epoch: step, time: step, scalars: { a: value } });
  const curves = addEvents(curvesOf(), [
    point(2, 9),
    point(4, 8),
    point(6, 7),
    part({ type: "resumed", step: 4 }),
    point(5, 6),
  ]);
  const { series } = curves;
  assert.deepEqual(
    [series.a.step, series.a.value, series.a.epoch.length],
    [[2, 4, 5], [9, 8, 6], 3],
  );
  addEvents(curves, [part({ type: "resumed", step: 0 })]);
  assert.deepEqual(series.a, { step: [], epoch: [], time: [], value: [] });
});

test("snapshots are added and removed, and the best has the lowest validation loss", () => {
  /** @type {(name: string, step: number, l1: number | null, removed?: string[]) => any} */
  const event = (name, step, l1, removed) => ({
    name,
    step,
    epoch: step,
    size: 1,
    scalars: l1 == null ? {} : { "val/l1": l1 },
    removed,
  });
  let snapshots = withSnapshot([], event("epoch-0001", 1, 0.3));
  snapshots = withSnapshot(snapshots, event("epoch-0002", 2, 0.1));
  snapshots = withSnapshot(snapshots, event("step-000003", 3, null, ["epoch-0001"]));
  const names = snapshots.map(({ snapshot }) => snapshot);
  assert.deepEqual(names, ["epoch-0002", "step-000003"]);
  assert.equal(bestOf(snapshots)?.snapshot, "epoch-0002");
  assert.equal(bestOf([snapshots[1]]), null);
  assert.deepEqual(
    resumedAt(snapshots, 2).map(({ step }) => step),
    [3, 2],
  );
});

test("the facts of a training as text", () => {
  /** @type {JobSummary} */
  const summary = {
    parameters: 8129,
    receptive_field: [13, 13],
    multiply_adds: 8032,
    device: "AMD EPYC, 2 threads",
    precision: "bfloat16",
    step_times: "Gradients in 1.9 ms as a CUDA graph, in 3.1 ms kernel by kernel",
  };
  assert.deepEqual(Object.fromEntries(factsOf(summary, null)), {
    Parameters: "8,129",
    "Receptive field": "13×13 px",
    "Multiply-adds": "8,032 per pixel",
    Device: "AMD EPYC, 2 threads, bfloat16",
    Step: "Gradients in 1.9 ms as a CUDA graph, in 3.1 ms kernel by kernel",
  });
  const gpu = { utilisation: 97, memory_used: 12.1e9, temperature: 61 };
  assert.equal(
    hardwareDetails({ cpu: 180, cores: 2, rss: 1.2e9, memory_total: 4e9, gpus: [gpu] }),
    "GPU 97 %, 12.1 GB, 61 °C · CPU 1.8 of 2 cores · 1.2 GB of memory",
  );
});

test("messages of events", () => {
  assert.equal(eventText(part({ type: "state", state: "error", reason: "Lost." })), "error: Lost.");
  assert.equal(
    eventText(part({ type: "snapshot", name: "epoch-1997", epoch: 1997 })),
    "Snapshot epoch-1997 after epoch 1,997.",
  );
  assert.equal(eventText(part({ type: "sample" })), null);
});

test("the facts of a record as text", () => {
  assert.deepEqual(recordFacts({ facts: {}, spec: { seed: 3 } }), [["Seed", "3"]]);
});

test("the samples of a resumed run replace those after its snapshot", () => {
  /** @param {number} step @param {number} index */
  const sample = (step, index) => part({ type: "sample", step, index, epoch: step });
  const events = [
    sample(0, 0),
    sample(0, 1),
    sample(5, 0),
    sample(9, 0),
    part({ type: "resumed", step: 5 }),
    sample(8, 0),
    part({ type: "state" }),
  ];
  /** @type {SampleSet[]} */
  const sets = events.reduce(withSample, []);
  assert.deepEqual(
    sets.map(({ step, samples }) => [step, samples.size]),
    [
      [0, 2],
      [5, 1],
      [8, 1],
    ],
  );
});

test("the snapshots with the lowest loss and the highest PSNR are marked", () => {
  /** @param {string} name @param {number} loss @param {number} psnr */
  const snapshot = (name, loss, psnr) => part({ snapshot: name, "val/l1": loss, "val/psnr": psnr });
  const [first, second] = [snapshot("a", 0.2, 30.1), snapshot("b", 0.1, 30.0)];
  assert.deepEqual(
    [...marksOf([first, second])],
    [
      ["a", "highest PSNR"],
      ["b", "lowest loss"],
    ],
  );
  assert.equal(bestOf([first, second])?.snapshot, "b");
  assert.equal(bestOf([first, second], "psnr")?.snapshot, "a");
  assert.equal(bestOf([snapshot("a", 0.2, 30.0), second], "psnr")?.snapshot, "b");
  assert.deepEqual([...marksOf([snapshot("a", 0.2, 30.0), second])], [["b", "best"]]);
  assert.deepEqual([...marksOf([part({ snapshot: "c" })])], []);
});

test("a set is complete with all samples of the training, whatever is pinned", () => {
  /** @param {number} step @param {number} index */
  const sample = (step, index) =>
    part({ type: "sample", step, index, epoch: step, pinned: index >= 100 });
  const first = [sample(0, 100), sample(0, 101), sample(0, 0), sample(0, 1)];
  const steps = (/** @type {JobEvent[]} */ events) =>
    complete(events.reduce(withSample, [])).map(({ step }) => step);
  assert.deepEqual(steps([...first, sample(5, 0)]), [0]);
  assert.deepEqual(steps([...first, sample(5, 0), sample(5, 1)]), [0, 5]);
  assert.deepEqual(steps([...first, sample(5, 100), sample(5, 101)]), [0]);
});
