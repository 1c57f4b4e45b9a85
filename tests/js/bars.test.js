// The texts of a histogram.
import assert from "node:assert/strict";
import { test } from "node:test";

import { edgeText } from "../../static/js/charts/bars.js";

test("edges have as many decimals as tell each from the next", () => {
  assert.equal(edgeText(0.015, 0.005), "0.015 dB");
  assert.equal(edgeText(-0.2, 0.1), "−0.20 dB");
  assert.equal(edgeText(31.5, 0.5), "31.50 dB");
});
