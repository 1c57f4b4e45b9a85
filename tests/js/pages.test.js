// The pure parts of the pages, run by node.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, decibel, gain, progressWords, seconds, small, verdict } from "../../static/js/format.js";
import { histogramPath } from "../../static/js/layers.js";
import { addEvents, align, unseen } from "../../static/js/series.js";

test("numbers carry units and a sensible number of digits", () => {
  assert.equal(decibel(32.414), "32.41 dB");
  assert.equal(gain(-0.2), "−0.20 dB");
  assert.equal(small(0.018249), "0.0182");
  assert.equal(small(1.2e-7), "1.2e-7");
  assert.equal(bytes(16_625_664), "16.6 MB");
  assert.equal(seconds(41.2), "41 s");
  assert.equal(seconds(3671), "1:01 h");
  assert.equal(decibel(null), "–");
});

test("progress in words", () => {
  assert.equal(progressWords({ done: 48, total: 1204, unit: "pairs", rate: 130.4, eta: 8.9 }), "48 of 1,204 pairs · 130 pairs/s · 9 s left");
  const pairs = { train: 1043, val: 5 };
  assert.equal(progressWords({ done: 1048, total: 1204, unit: "pairs", rate: 0, eta: null, pairs }), "1,048 of 1,204 pairs · 1,043 to train, 5 to validate");
  assert.equal(progressWords({ done: 4, total: null, unit: "steps", rate: 0, eta: null }), "4 steps");
});

test("the verdict says plainly when there is no gain", () => {
  const best = { "val/psnr": 32.72, "val/psnr_input": 32.41, epoch: 14 };
  assert.equal(verdict(best), "+0.31 dB over its input (32.41 → 32.72), best at epoch 14");
  assert.match(verdict({ ...best, "val/psnr": 32.4 }), /^Not better than its input yet/);
  assert.match(verdict(undefined), /^Nothing validated yet/);
});

test("a step that is logged again replaces its point", () => {
  const event = (step, value) => ({ type: "scalars", step, epoch: step, time: step, scalars: { a: value, b: null } });
  const series = addEvents({}, [event(1, 5), event(3, 6), event(2, 7), event(3, 8), { type: "state" }]);
  assert.deepEqual(series.a.step, [1, 2, 3]);
  assert.deepEqual(series.a.value, [5, 7, 8]);
  assert.equal(series.b, undefined);
});

test("series of different steps share one axis", () => {
  const series = { a: { step: [1, 2], value: [5, 6] }, b: { step: [2, 4], value: [7, 8] } };
  assert.deepEqual(align(series, ["a", "b", "c"]), [
    [1, 2, 4],
    [5, 6, undefined],
    [undefined, 7, 8],
    [undefined, undefined, undefined],
  ]);
});

test("events that were seen are dropped", () => {
  assert.deepEqual(unseen([{ seq: 3 }, { seq: 4 }], 3), [{ seq: 4 }]);
});

test("a histogram's outline is as high as its box", () => {
  assert.equal(histogramPath([0, 4], 10, 20), "M0,20L0.0,20.0L5.0,20.0L5.0,0.0L10.0,0.0L10,20Z");
});
