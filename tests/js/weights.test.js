// Histograms of weights: in rows of a common range, and removed when a run resumes before them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { rowsOf, withWeights } from "../../static/js/runs/weights.js";
import { part } from "./parts.js";

/** @import { WeightsEvent } from "../../static/js/base/types.js" */

test("a histogram in rows of a wider range keeps all of its values", () => {
  const rows = rowsOf({ low: 0, high: 1, counts: [1, 3] }, -1, 1);
  assert.ok(Math.abs(rows.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  assert.ok(rows.slice(0, 24).every((share) => share === 0));
  assert.ok(Math.abs(rows[47] - (3 / 4) * (1 / 12)) < 1e-9);
  const single = rowsOf({ low: 2, high: 2, counts: [0, 9] }, 2, 2);
  assert.equal(Math.max(...single), 1);
});

test("a resumed run removes the histograms of later steps", () => {
  const at = (/** @type {number} */ step) => part({ type: "weights", step, layers: [] });
  /** @type {WeightsEvent[]} */
  let sets = [];
  for (const event of [at(0), at(5), at(9), part({ type: "resumed", step: 5 }), at(7)])
    sets = withWeights(sets, event);
  assert.deepEqual(
    sets.map(({ step }) => step),
    [0, 5, 7],
  );
});
