// Tiles of a picture for a network in the browser, and its values in planes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { meter, ratesText } from "../../static/js/network/frames.js";
import { keep, restore, valuesOf } from "../../static/js/network/restore.js";
import { partsOf, tilesOf } from "../../static/js/network/tiles.js";

test("the parts of a side keep each place once, with the reach around it", () => {
  for (const size of [1, 7, 64, 97, 300])
    for (const reach of [
      { before: 0, behind: 0, step: 1 },
      { before: 4, behind: 3, step: 1 },
      { before: 5, behind: 6, step: 4 },
    ]) {
      const parts = partsOf(size, 32, reach);
      assert.equal(parts[0].first, 0);
      assert.equal(parts.at(-1)?.last, size);
      for (const [index, { start, end, first, last }] of parts.entries()) {
        assert.equal(start % reach.step, 0);
        assert.ok(end <= size && first < last);
        assert.ok(end - start < 32 + reach.step);
        if (index > 0) {
          assert.equal(first, parts[index - 1].last);
          assert.ok(first - start >= reach.before);
        }
        if (end < size) assert.ok(end - last >= reach.behind);
      }
    }
});

test("a network with a large or an unknown receptive field gets large tiles", () => {
  const size = { width: 5000, height: 200 };
  const wide = { before: 200, behind: 200, step: 1 };
  assert.equal(tilesOf(size, null).length, 1);
  const tiles = tilesOf(size, [wide, wide]);
  const kept = tiles.map(({ columns }) => columns.last - columns.first);
  assert.ok(tiles.length > 2 && Math.min(...kept) >= 350, String(kept));
});

const RED = [255, 0, 0, 255];
const WHOLE = { start: 0, end: 1, first: 0, last: 1 };

test("planes have RGB or the server's Y, and then the QP", () => {
  const picture = { data: RED, width: 1, height: 1 };
  const values = (/** @type {number} */ planes) =>
    [...valuesOf(picture, WHOLE, WHOLE, planes, 51)].map((value) => Math.round(255 * value));
  assert.deepEqual(values(3), [255, 0, 0]);
  assert.deepEqual(values(4), [255, 0, 0, 255]);
  assert.deepEqual(values(1), [76]);
  assert.deepEqual(values(2), [76, 255]);
});

test("restored values are rounded and limited, and gray is repeated", () => {
  const picture = { data: new Uint8ClampedArray(4), width: 1 };
  keep(picture, [-0.5, 0.5, 1.5], WHOLE, WHOLE);
  assert.deepEqual([...picture.data], [0, 128, 255, 255]);
  keep(picture, [0.2], WHOLE, WHOLE);
  assert.deepEqual([...picture.data], [51, 51, 51, 255]);
});

test("a picture that is too large to be restored whole is refused with its size", async () => {
  const picture = { data: [], width: 3000, height: 2000 };
  const network = { planes: 3, run: () => assert.fail("it ran") };
  await assert.rejects(
    restore(picture, network, { reaches: null, qp: 0, signal: new AbortController().signal }),
    /at most 4,194,304 pixels here. This one has 6,000,000/,
  );
});

test("rates of the last seconds say how many frames are restored", () => {
  const [shown, restored] = [meter(), meter()];
  assert.equal(ratesText(restored.rate(), shown.rate()), "");
  for (let time = 0; time <= 10_000; time += 40) shown.add(time, time / 40);
  for (let time = 0; time <= 10_000; time += 250) restored.add(time);
  assert.equal(
    ratesText(restored.rate(), shown.rate()),
    "4 of 25 frames/s are restored, the others are skipped.",
  );
  assert.equal(ratesText(shown.rate(), shown.rate()), "25 of 25 frames/s.");
  restored.clear();
  for (const time of [0, 20_000]) restored.add(time);
  assert.equal(restored.rate(), 0.05);
});
