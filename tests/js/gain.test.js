// The gain over the input as a curve.
import assert from "node:assert/strict";
import { test } from "node:test";

import { withGain } from "../../static/js/charts/curves.js";

test("the gain is the PSNR above that of the input, at the steps of both", () => {
  const line = (/** @type {number[]} */ step, /** @type {number[]} */ value) => ({
    step,
    epoch: step,
    time: step,
    value,
  });
  const series = withGain({
    "val/psnr": line([0, 5, 9], [30, 31, 32]),
    "val/psnr_input": line([0, 9], [30, 30]),
  });
  assert.deepEqual(series["val/gain"], line([0, 9], [0, 2]));
  assert.deepEqual(series["val/gain_input"].value, [0, 0]);
  assert.deepEqual(withGain({}), {});
});

test("filters are levels next to the gain", () => {
  const at = (/** @type {number[]} */ value) => ({
    step: [0, 5],
    epoch: [0, 1],
    time: [0, 9],
    value,
  });
  const series = { "val/psnr": at([30, 31]), "val/psnr_input": at([30, 30]) };
  const { "val/gain_of_bm3d": bm3d } = withGain(series, { bm3d: 0.3 });
  assert.deepEqual(bm3d, at([0.3, 0.3]));
});
