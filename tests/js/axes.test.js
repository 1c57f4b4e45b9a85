// Axes of charts: their ranges are never empty, and a logarithmic axis always has ticks.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  extentOf,
  logTicks,
  logTickTexts,
  nearest,
  paddedRange,
  tickSpace,
  tickText,
  xText,
} from "../../static/js/charts/axes.js";
import { part } from "./parts.js";

test("values that differ only by rounding have a range", () => {
  for (const [low, high] of [
    [0.0238, 0.0238],
    [0.1 + 0.2, 0.3],
    [0, 0],
    [-5, -5],
  ]) {
    const [from, to] = paddedRange(Math.min(low, high), Math.max(low, high));
    assert.ok(to - from > 1e-3 * Math.abs(high), `${low} ${high}: ${from} to ${to}`);
  }
  assert.deepEqual(paddedRange(null, null), [0, 1]);
});

test("a logarithmic axis has several ticks, also in less than a power of ten", () => {
  for (const [low, high] of [
    [0.0215, 0.0245],
    [0.02, 0.1],
    [1e-6, 1e-3],
    [1e-9, 10],
  ]) {
    const ticks = logTicks(low, high);
    assert.ok(ticks.length >= 2 && ticks.length <= 12, `${low} ${high}: ${ticks}`);
    assert.ok(ticks.every((tick) => tick >= low && tick <= high * 1.0001));
  }
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

test("the range of x contains all points of all charts and is never empty", () => {
  /** @param {...number} step */
  const line = (...step) => part({ step });
  assert.deepEqual(extentOf([line(2, 516), line(0, 500), line()], "step"), [0, 516]);
  assert.deepEqual(extentOf([line(7)], "step"), [6.5, 7.5]);
  assert.deepEqual(extentOf([], "step"), [0, 1]);
});

test("the nearest point with a value", () => {
  assert.equal(nearest([1, undefined, undefined, 2], 1), 0);
  assert.equal(nearest([undefined, undefined], 1), null);
});

test("values of the x axis as text", () => {
  assert.equal(xText(1234, "step"), "1,234");
  assert.equal(xText(0.666, "epoch"), "0.67");
  assert.equal(xText(90, "time"), "1:30 min");
  assert.equal(xText(null, "step"), "–");
});

test("a point in an epoch is named after the epoch", () => {
  assert.deepEqual(
    [0.25, 1, 1.09, 12.7].map((value) => xText(value, "epoch")),
    ["0.25", "1", "1", "12"],
  );
});

test("small charts have closer ticks, at least two of them wherever their values begin", () => {
  assert.equal(tickSpace(400, 30, 5), 30);
  const [length, low] = [80, 0.81459];
  for (let range = 1e-5; range < 1; range *= 1.07) {
    const least = (range * tickSpace(length, 30, 5)) / length;
    const unit = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((factor) => factor * unit).find((each) => each >= least) ?? 0;
    const ticks = Math.floor((low + range) / step) - Math.ceil(low / step) + 1;
    assert.ok(ticks >= 2, `${ticks} from ${low} to ${low + range}`);
  }
});
