// The model's page: curves of resumed runs, snapshots, and facts in words.
import assert from "node:assert/strict";
import { test } from "node:test";

import { factsOf, hardwareWords } from "../../static/js/runs/facts.js";
import { addEvents, curvesOf } from "../../static/js/charts/curves.js";
import { withShown } from "../../static/js/runs/samples.js";
import { bestOf, withSnapshot } from "../../static/js/runs/snapshots.js";

test("what a resumed run does anew takes the place of what was done before", () => {
  const point = (step, value) => ({ type: "scalars", step, epoch: step, time: step, scalars: { a: value } });
  const curves = addEvents(curvesOf(), [point(2, 9), point(4, 8), point(6, 7), { type: "resumed", step: 4 }, point(5, 6)]);
  const { series } = curves;
  assert.deepEqual([series.a.step, series.a.value, series.a.epoch.length], [[2, 4, 5], [9, 8, 6], 3]);
  addEvents(curves, [{ type: "resumed", step: 0 }]);
  assert.deepEqual(series.a, { step: [], epoch: [], time: [], value: [] });
});

test("snapshots come and go, and the best has the lowest validation", () => {
  const event = (name, step, l1, removed) => ({ name, step, epoch: step, size: 1, scalars: l1 == null ? {} : { "val/l1": l1 }, removed });
  let snapshots = withSnapshot([], event("epoch-0001", 1, 0.3));
  snapshots = withSnapshot(snapshots, event("epoch-0002", 2, 0.1));
  snapshots = withSnapshot(snapshots, event("step-000003", 3, null, ["epoch-0001"]));
  assert.deepEqual(snapshots.map((one) => one.snapshot), ["epoch-0002", "step-000003"]);
  assert.equal(bestOf(snapshots).snapshot, "epoch-0002");
  assert.equal(bestOf([snapshots[1]]), null);
});

test("facts in words", () => {
  const summary = { parameters: 8129, receptive_field: [13, 13], multiply_adds: 8032, device: "AMD EPYC, 2 threads", precision: "bfloat16" };
  assert.deepEqual(Object.fromEntries(factsOf(summary, null)), {
    Parameters: "8,129",
    "Receptive field": "13×13 px",
    "Multiply-adds": "8,032 a pixel",
    "Computed by": "AMD EPYC, 2 threads, bfloat16",
  });
  const gpu = { utilisation: 97, memory_used: 12.1e9, temperature: 61 };
  assert.equal(hardwareWords({ cpu: 180, cores: 2, rss: 1.2e9, gpus: [gpu] }), "GPU 97 %, 12.1 GB, 61 °C · CPU 1.8 of 2 cores · 1.2 GB of memory");
});

test("samples through time: what a resumed run shows takes the place of what the lost one showed", () => {
  const sample = (step, index) => ({ type: "sample", step, index, epoch: step });
  const events = [sample(0, 0), sample(0, 1), sample(5, 0), sample(9, 0), { type: "resumed", step: 5 }, sample(8, 0), { type: "state" }];
  const showings = events.reduce(withShown, []);
  assert.deepEqual(showings.map(({ step, samples }) => [step, samples.size]), [[0, 2], [5, 1], [8, 1]]);
});
