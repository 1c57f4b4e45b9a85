// Arithmetic and texts of the pictures of layers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { tileBox } from "../../static/js/layers/atlas.js";
import { enlargement } from "../../static/js/layers/panes.js";
import { kernelAt } from "../../static/js/layers/kernels.js";
import { histogramPath, histogramTop } from "../../static/js/layers/layers.js";
import { arrange, channelsText, channelText } from "../../static/js/layers/maps.js";

test("tiles are as large as the box allows", () => {
  const page = { count: 64, width: 320, height: 192 };
  const { columns, width, height, gap } = arrange(page, 1300, 420, 60);
  assert.ok(columns * (width + gap) - gap <= 1300);
  assert.ok(Math.ceil(64 / columns) * (height + gap) < 520, "about the requested height");
  assert.ok(arrange(page, 320, 420, 60).width >= 60, "not too small to click");
  assert.equal(arrange({ ...page, count: 3 }, 1300, 420, 60).columns, 3, "few are in one row");
  assert.equal(
    arrange({ count: 1, width: 50, height: 50 }, 1300, 420, 60).width,
    300,
    "enlarged by a whole factor",
  );
  assert.equal(arrange({ ...page, count: 1 }, 200, 420, 60).columns, 1);
});

test("the box of a tile in a page", () => {
  assert.deepEqual(tileBox({ columns: 8, width: 10, height: 6 }, 17), {
    left: 10,
    top: 12,
    width: 10,
    height: 6,
  });
});

test("the output and the input channel of a kernel", () => {
  assert.deepEqual(kernelAt({ outputs: [64, 6], inputs: [0, 3], columns: 6 }, 8), {
    output: 66,
    input: 1,
  });
  assert.deepEqual(kernelAt({ outputs: [0, 64], inputs: [0, 1], columns: 8 }, 20), {
    output: 20,
    input: 0,
  });
  assert.deepEqual(kernelAt({ outputs: [0, 1], inputs: [64, 32], columns: 6 }, 20), {
    output: 0,
    input: 84,
  });
});

test("dead channels are counted and listed", () => {
  const layer = {
    shape: [4, 2, 2],
    channels: { low: [0, -1, 0, 0], high: [0, 1, 2, 0], dead: [0, 3] },
  };
  assert.equal(channelsText(layer), "4 channels, of which 2 are dead (zero everywhere): 0, 3.");
  assert.equal(channelText(layer, 3), "Channel 3: dead, zero everywhere");
  assert.equal(channelText(layer, 1), "Channel 1: −1 to 1");
});

test("a bar far above all others is cut", () => {
  assert.equal(histogramTop([90, 8, 4]), 10);
  assert.equal(histogramTop([20, 8, 4]), 20);
  assert.equal(histogramTop([20, 0, 0]), 20, "a single bar is not cut");
  assert.equal(histogramTop([0, 0]), 1);
});

test("the highest bar of a histogram fills its box", () => {
  assert.equal(histogramPath([0, 4], 10, 20), "M0,20L0.0,20.0L5.0,20.0L5.0,0.0L10.0,0.0L10,20Z");
});

test("a picture is enlarged by a whole factor, and never reduced", () => {
  assert.equal(enlargement({ width: 320, height: 192 }, { width: 650, height: 414 }), 2);
  assert.equal(enlargement({ width: 1920, height: 1080 }, { width: 650, height: 414 }), 1);
});
