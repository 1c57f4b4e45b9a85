// The texts and bars of a histogram.
import assert from "node:assert/strict";
import { test } from "node:test";

import { edgeText, gainsOf, heightOf } from "../../static/js/charts/bars.js";

test("edges have as many decimals as tell each from the next", () => {
  assert.equal(edgeText(0.015, 0.005), "0.015 dB");
  assert.equal(edgeText(-0.2, 0.1), "−0.20 dB");
  assert.equal(edgeText(31.5, 0.5), "31.50 dB");
});

test("the bar of one image among many can be seen, and that of none cannot", () => {
  assert.equal(heightOf(1, 1000), 3);
  assert.equal(heightOf(0, 1000), 0);
  assert.equal(heightOf(500, 1000), heightOf(1000, 1000) / 2);
});

test("the first and last bar are open, for infinite gains", () => {
  const edges = [-0.2, -0.1, 0, 0.1];
  assert.deepEqual(gainsOf(edges, 0), { high: -0.1 });
  assert.deepEqual(gainsOf(edges, 1), { low: -0.1, high: 0 });
  assert.deepEqual(gainsOf(edges, 2), { low: 0 });
});
