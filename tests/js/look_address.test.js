// The look of the charts in the address: what is written is read again; invalid parts are ignored.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lookOf, withLook } from "../../static/js/charts/look_address.js";
import { withGain } from "../../static/js/charts/curves.js";

test("a look is read as it was written, with other parts of the address", () => {
  const query = withLook("?at=3", { x: "time", log: true, smooth: 0.4, zoom: [1.5, 20] });
  assert.equal(query, "at=3&axis=time&log=1&smooth=0.4&range=1.5%2C20");
  assert.deepEqual(lookOf(query), { x: "time", log: true, smooth: 0.4, zoom: [1.5, 20] });
  assert.equal(withLook(query, { x: "step", log: false, smooth: 0, zoom: null }), "at=3");
});

test("invalid parts of a look are ignored", () => {
  assert.deepEqual(lookOf("?axis=x&smooth=2&range=5,1"), {});
  assert.deepEqual(lookOf("?smooth=&range=,"), { smooth: 0 });
});

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
