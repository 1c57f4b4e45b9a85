// The QPs of macroblocks over a picture.
import assert from "node:assert/strict";
import { test } from "node:test";

import { qpAt, qpRange, tinted } from "../../static/js/viewer/qp_map.js";

const map = { values: [30, 40, 31, 51], columns: 2, left: 5, top: 3 };

test("a pixel has the QP of its macroblock, from the place of the picture in the first one", () => {
  assert.equal(qpAt(map, { x: 10, y: 12 }), 30);
  assert.equal(qpAt(map, { x: 11, y: 12 }), 40);
  assert.equal(qpAt(map, { x: 10, y: 13 }), 31);
  assert.equal(qpAt(map, { x: 26, y: 28 }), 51);
});

test("the colours range from the least to the greatest QP, and over at least 8 of them", () => {
  assert.deepEqual(qpRange(map), { low: 30, high: 51 });
  assert.deepEqual(qpRange({ ...map, values: [37, 37] }), { low: 33, high: 41 });
  const large = new Array(480 * 270).fill(30); // A frame of 7680x4320.
  assert.deepEqual(qpRange({ ...map, values: large }), { low: 26, high: 34 });
});

test("colours are mixed with the gray picture, and end exactly with their macroblock", () => {
  const colours = Uint32Array.from({ length: 256 }, (_, index) => (0xff000000 | index) >>> 0);
  const values = tinted(new Uint8Array(4 * 12).fill(100), 12, map, colours);
  assert.deepEqual([...values.slice(0, 4)], [40, 40, 40, 255]);
  assert.deepEqual([...values.slice(40, 44)], [40, 40, 40, 255]);
  assert.deepEqual([...values.slice(44, 48)], [113, 40, 40, 255]);
});
