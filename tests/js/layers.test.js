import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf } from "../../static/js/layers/atlas.js";
import { enlargement } from "../../static/js/layers/channel.js";
import { kernelAt } from "../../static/js/layers/kernels.js";
import { heightOf } from "../../static/js/layers/layers.js";
import { arrange, numberOf, wordsOf } from "../../static/js/layers/maps.js";

test("channels are as large as all of them together have room", () => {
  const page = { count: 64, width: 320, height: 192 };
  const { columns, width, height, gap } = arrange(page, 1300, 420, 60);
  assert.ok(columns * (width + gap) - gap <= 1300);
  assert.ok(Math.ceil(64 / columns) * (height + gap) < 520, "about as high as was asked for");
  assert.ok(arrange(page, 320, 420, 60).width >= 60, "never too small to be hit");
  assert.equal(arrange({ ...page, count: 3 }, 1300, 420, 60).columns, 3, "few stand in one row");
  assert.equal(arrange({ count: 1, width: 50, height: 50 }, 1300, 420, 60).width, 300, "enlarged by whole pixels");
  assert.equal(arrange({ ...page, count: 1 }, 200, 420, 60).columns, 1);
});

test("a tile of a page is found", () => {
  assert.deepEqual(boxOf({ columns: 8, width: 10, height: 6 }, 17), { left: 10, top: 12, width: 10, height: 6 });
});

test("a kernel belongs to an output and an input channel", () => {
  assert.deepEqual(kernelAt({ outputs: [64, 6], inputs: [0, 3], columns: 6 }, 8), { output: 66, input: 1 });
  assert.deepEqual(kernelAt({ outputs: [0, 64], inputs: [0, 1], columns: 8 }, 20), { output: 20, input: 0 });
  assert.deepEqual(kernelAt({ outputs: [0, 1], inputs: [64, 32], columns: 6 }, 20), { output: 0, input: 84 });
});

test("dead channels are counted and named", () => {
  const layer = { shape: [4, 2, 2], channels: { low: [0, -1, 0, 0], high: [0, 1, 2, 0], dead: [0, 3] } };
  assert.equal(numberOf(layer), "4 channels, of which 2 are dead (zero everywhere): 0, 3.");
  assert.equal(wordsOf(layer, 3), "Channel 3: dead, zero everywhere");
  assert.equal(wordsOf(layer, 1), "Channel 1: -1 to 1");
});

test("one bar far above all others does not hide them", () => {
  assert.equal(heightOf([90, 8, 4]), 10);
  assert.equal(heightOf([20, 8, 4]), 20);
  assert.equal(heightOf([20, 0, 0]), 20, "alone, it is shown whole");
  assert.equal(heightOf([0, 0]), 1);
});

test("a picture is enlarged by whole pixels, and never made smaller", () => {
  assert.equal(enlargement({ width: 320, height: 192 }, { width: 650, height: 414 }), 2);
  assert.equal(enlargement({ width: 1920, height: 1080 }, { width: 650, height: 414 }), 1);
});
