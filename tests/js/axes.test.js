// Axes of charts: their ranges are never empty.
import assert from "node:assert/strict";
import { test } from "node:test";

import { extentOf, nearest, paddedRange, wideEnough, xText } from "../../static/js/charts/axes.js";
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

test("the range of x contains all points of all charts and is never empty", () => {
  /** @param {...number} step */
  const line = (...step) => part({ step });
  assert.deepEqual(extentOf([line(2, 516), line(0, 500), line()], "step"), [0, 516]);
  assert.deepEqual(extentOf([line(7)], "step"), [6, 8]);
  assert.deepEqual(extentOf([line(0)], "step"), [0, 1]);
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

test("zooming in ends where ticks would no longer differ", () => {
  const extent = /** @type {[number, number]} */ ([0, 500]);
  assert.deepEqual(wideEnough([100, 300], extent), [100, 300]);
  assert.deepEqual(wideEnough([100, 100 + 1e-9], extent), [100, 100.0005]);
});
