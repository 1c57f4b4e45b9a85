// Ticks of charts: at least two on each axis, at any zoom, in charts of any size, with texts that differ.
import assert from "node:assert/strict";
import { test } from "node:test";

import { axesOf, scaleOf } from "../../static/js/charts/axes.js";
import { styleOf } from "../../static/js/charts/styles.js";
import { evenTicks, logTicks, logTickTexts, tickText } from "../../static/js/charts/ticks.js";
import { part } from "./parts.js";

/** @import { AxisName } from "../../static/js/base/client_types.js" */

/**
 * The texts of the ticks of an axis, for a range over some pixels.
 * @param {any} axis
 * @param {number} low
 * @param {number} high
 * @param {number} pixels
 * @returns {string[]}
 */
function textsOf(axis, low, high, pixels) {
  // uPlot passes a step and its pixels.
  const ticks = axis.splits(null, 0, low, high, (high - low) / 10, pixels / 10);
  for (const tick of ticks) assert.ok(tick >= low * 0.999999 && tick <= high * 1.000001);
  return axis.values(null, axis.filter(null, ticks));
}

/**
 * @param {string[]} texts
 * @param {string} where
 * @param {number} most
 */
function check(texts, where, most) {
  assert.ok(texts.length >= 2 && texts.length <= most, `${where}: ${texts}`);
  assert.equal(new Set(texts).size, texts.length, `${where}: ${texts}`);
}

const axes = (/** @type {AxisName} */ x, key = "train/l1", log = false) =>
  axesOf([{ key, style: styleOf(key) }], part({ x }), log);

test("the x axis has two ticks or more at any zoom", () => {
  for (const x of /** @type {AxisName[]} */ (["step", "epoch", "time"]))
    for (const [low, end] of [
      [0, 2e6],
      [6.01, 1e5],
      [43_271.3, 1e5],
    ])
      for (let range = end; range > 1e-6 * end; range *= 0.9)
        for (const pixels of [180, 420, 1340])
          check(textsOf(axes(x)[0], low, low + range, pixels), `${x} ${low} + ${range}`, 23);
});

test("whole steps have no ticks between them", () => {
  assert.deepEqual(textsOf(axes("step")[0], 3.2, 5.4, 400), ["4", "5"]);
  assert.deepEqual(textsOf(axes("step")[0], 3.2, 4.6, 400), ["3.5", "4.0", "4.5"]);
});

test("the y axis has two ticks or more at any zoom, log too, whatever it shows", () => {
  for (const log of [false, true])
    for (const key of ["train/l1", "hardware/memory", "hardware/cpu", "data_wait", "val/psnr"])
      for (const value of [1e-9, 0.023, 0.37, 98.6, 7.316e9])
        for (let range = 20 * value; range > 1e-6 * value; range *= 0.8) {
          const ends = /** @type {any} */ (scaleOf([{ key, style: styleOf(key) }], log));
          const [low, high] = ends.range(null, value, value + range);
          for (const pixels of [90, 170, 700])
            check(
              textsOf(axes("step", key, log)[1], low, high, pixels),
              `${key} ${low} ${high}`,
              24,
            );
        }
});

test("a logarithmic axis has several ticks, also in less than a power of ten", () => {
  for (const [low, high] of [
    [0.0215, 0.0245],
    [0.02, 0.1],
    [1e-6, 1e-3],
    [1e-9, 10],
  ]) {
    const ticks = logTicks(low, high);
    assert.ok(ticks.length >= 2 && ticks.length <= 13, `${low} ${high}: ${ticks}`);
    assert.ok(ticks.every((tick) => tick >= low && tick <= high * 1.0001));
  }
  assert.deepEqual(logTicks(1e-6, 1e-3, 5), [1e-6, 1e-5, 1e-4, 1e-3]);
  assert.deepEqual(evenTicks(0.1, 0.3).length, 5);
});

test("ticks have as many digits as their distance needs", () => {
  assert.deepEqual(
    [20.788, 20.79, 20.792].map((tick) => tickText(tick, 0.002)),
    ["20.788", "20.790", "20.792"],
  );
  assert.deepEqual(
    [-0.1, 0, 0.1 + 0.2].map((tick) => tickText(tick, 0.1)),
    ["−0.1", "0", "0.3"],
  );
  assert.deepEqual(
    [1e6, 1.05e6, 1.1e6].map((tick) => tickText(tick, 5e4)),
    ["1.00e+6", "1.05e+6", "1.10e+6"],
  );
  assert.equal(tickText(1500, 500), "1,500");
  assert.equal(tickText(0.0005, 0.0005), "0.0005");
  assert.equal(tickText(3.5e-4, 5e-5), "3.5e−4");
  assert.deepEqual(logTickTexts(logTicks(0.023811, 0.023829)), [
    "0.023815",
    "0.023820",
    "0.023825",
  ]);
  assert.deepEqual(logTickTexts([1e-4, 1e-3, 1e-2]), ["0.0001", "0.001", "0.01"]);
});
