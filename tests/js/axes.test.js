// What a chart's axes show: ranges that never have no size, and ticks of a logarithm within less than a power of ten.
import assert from "node:assert/strict";
import { test } from "node:test";

import { extentOf, logTicks, nearest, paddedRange, placeWords } from "../../static/js/charts/axes.js";
import { factsOfRecord, messageOf } from "../../static/js/runs/record.js";

test("numbers that differ by their rounding alone have a range", () => {
  for (const [low, high] of [[0.0238, 0.0238], [0.1 + 0.2, 0.3], [0, 0], [-5, -5]]) {
    const [from, to] = paddedRange(Math.min(low, high), Math.max(low, high));
    assert.ok(to - from > 1e-3 * Math.abs(high), `${low} ${high}: ${from} to ${to}`);
  }
  assert.deepEqual(paddedRange(null, null), [0, 1]);
});

test("a logarithm has several ticks within its range, also within less than a power of ten", () => {
  for (const [low, high] of [[0.0215, 0.0245], [0.02, 0.1], [1e-6, 1e-3], [1e-9, 10]]) {
    const ticks = logTicks(low, high);
    assert.ok(ticks.length >= 2 && ticks.length <= 12, `${low} ${high}: ${ticks}`);
    assert.ok(ticks.every((tick) => tick >= low && tick <= high * 1.0001));
  }
});

test("one x for all charts holds the points of each, and is never of no size", () => {
  const line = (...step) => ({ step });
  assert.deepEqual(extentOf([line(2, 516), line(0, 500), line()], "step"), [0, 516]);
  assert.deepEqual(extentOf([line(7)], "step"), [6.5, 7.5]);
  assert.deepEqual(extentOf([], "step"), [0, 1]);
});

test("the nearest point that is known", () => {
  assert.equal(nearest([1, undefined, undefined, 2], 1), 0);
  assert.equal(nearest([undefined, undefined], 1), null);
  assert.equal(placeWords(1234, "step"), "1,234");
  assert.equal(placeWords(90, "time"), "1:30 min");
});

test("a run's messages and its record in words", () => {
  assert.equal(messageOf({ type: "state", state: "error", reason: "Lost." }), "error: Lost.");
  assert.equal(messageOf({ type: "snapshot", name: "epoch-1997", epoch: 1997 }), "Snapshot epoch-1997 after epoch 1,997.");
  assert.equal(messageOf({ type: "sample" }), null);
  assert.deepEqual(factsOfRecord({ facts: {}, spec: { seed: 3 } }), [["Seed", "3"]]);
});
