// Arithmetic of the viewer.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clamp,
  difference,
  errorMap,
  fit,
  pan,
  pixelAt,
  place,
  step,
  tiles,
  visible,
  zoomTo,
} from "../../static/js/viewer/view.js";

const size = { width: 352, height: 288 };
const box = { width: 1000, height: 600 };

test("a picture fits its box, enlarged by whole screen pixels", () => {
  assert.deepEqual(fit(size, box, 1), { scale: 2, x: 176, y: 144 });
  assert.equal(fit(size, { width: 1000, height: 720 }, 2).scale, 2.5);
  assert.equal(fit({ width: 4000, height: 1200 }, box, 1).scale, 0.25);
});

test("zooming keeps the pixel under the cursor", () => {
  const before = { scale: 4, x: 176, y: 144 };
  const point = { x: 700, y: 200 };
  const after = zoomTo(before, 8, point, size, box, 1);
  /** @param {typeof before} view */
  const pixelOf = (view) => pixelAt(point, place(view, size, box, 1), size);
  assert.equal(after.scale, 8);
  assert.deepEqual(pixelOf(after), pixelOf(before));
});

test("the picture always fills its box, or is in the middle of it", () => {
  assert.deepEqual(pan({ scale: 4, x: 176, y: 144 }, 1e6, -1e6, size, box, 1), {
    scale: 4,
    x: 125,
    y: 213,
  });
  assert.deepEqual(clamp({ scale: 2, x: 0, y: 999 }, size, box, 1), { scale: 2, x: 176, y: 144 });
  assert.equal(clamp({ scale: 1e-9, x: 0, y: 0 }, size, box, 1).scale, 1);
  assert.equal(clamp({ scale: 1e9, x: 0, y: 0 }, size, box, 1).scale, 64);
});

test("zoom steps are powers of two", () => {
  assert.deepEqual([step(1, 1), step(3, 1), step(0.7, 1)], [2, 4, 1]);
  assert.deepEqual([step(2, -1), step(3, -1), step(0.7, -1)], [1, 2, 0.5]);
});

test("the pixel at a point, and none outside the picture", () => {
  const placed = place(fit(size, box, 1), size, box, 1);
  assert.deepEqual(placed, { left: 148, top: 12, width: 704, height: 576 });
  assert.deepEqual(pixelAt({ x: 148, y: 12 }, placed, size), { x: 0, y: 0 });
  assert.deepEqual(pixelAt({ x: 851.9, y: 587.9 }, placed, size), { x: 351, y: 287 });
  assert.equal(pixelAt({ x: 147, y: 20 }, placed, size), null);
  assert.equal(pixelAt({ x: 852, y: 20 }, placed, size), null);
  assert.deepEqual(visible(placed, box), { left: 148, right: 852 });
  assert.deepEqual(visible({ left: -50, width: 2000 }, box), { left: 0, right: 1000 });
});

test("pictures are next to or below each other, whichever shows them larger", () => {
  assert.deepEqual(
    tiles(box, size, 2).map(({ left, top }) => [left, top]),
    [
      [0, 0],
      [500, 0],
    ],
  );
  assert.deepEqual(
    tiles({ width: 360, height: 600 }, size, 2).map(({ left, top }) => [left, top]),
    [
      [0, 0],
      [0, 300],
    ],
  );
});

test("the difference is enlarged, limited to white, and opaque", () => {
  assert.deepEqual([...difference([10, 20, 30, 255], [12, 20, 0, 255], 8)], [16, 0, 240, 255]);
  assert.deepEqual([...difference([0, 0, 0, 0], [255, 40, 1, 9], 16)], [255, 255, 16, 255]);
});

test("an error is the mean of red, green and blue; larger errors get the last colour", () => {
  const colours = Uint32Array.from({ length: 256 }, (_, index) => (0xff000000 | index) >>> 0);
  const a = [0, 0, 0, 255, 4, 8, 12, 255, 200, 200, 200, 255];
  const b = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255];
  const map = errorMap(a, b, 16, colours);
  assert.deepEqual([map[0], map[4], map[8]], [0, 128, 255]);
  assert.deepEqual([map[3], map[7], map[11]], [255, 255, 255]);
});
