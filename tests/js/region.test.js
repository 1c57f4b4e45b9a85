import assert from "node:assert/strict";
import test from "node:test";
import { locate, rectangle } from "../../static/js/forms/region.js";

test("a drag in any direction gives a region inside the picture", () => {
  const [near, far] = [
    { x: 0.25, y: 0.5 },
    { x: 0.75, y: 1.4 },
  ];
  const region = { left: 40, top: 60, width: 80, height: 60 };
  assert.deepEqual(rectangle(near, far, 160, 120), region);
  assert.deepEqual(rectangle(far, near, 160, 120), region);
});

test("a region is not smaller than the server accepts, unless the picture is", () => {
  const corner = { x: 1, y: 0 };
  assert.deepEqual(rectangle(corner, corner, 160, 120), {
    left: 144,
    top: 0,
    width: 16,
    height: 16,
  });
  assert.deepEqual(rectangle(corner, corner, 10, 120).width, 10);
});

test("numbers of pairs count through all datasets", () => {
  /** @type {[string, number][]} */
  const datasets = [
    ["a", 3],
    ["empty", 0],
    ["b", 2],
  ];
  assert.deepEqual(locate(datasets, 2), { dataset: "a", number: 2 });
  assert.deepEqual(locate(datasets, 3), { dataset: "b", number: 0 });
  assert.equal(locate(datasets, 5), null);
});
