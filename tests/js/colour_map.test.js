// Colour maps are perceptually uniform.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  channelsOf,
  DIVERGING,
  gradient,
  onScale,
  SEQUENTIAL,
} from "../../static/js/viewer/colour_map.js";

/**
 * Convert red, green and blue in 0 to 255 to [L, a, b], with Ottosson's forward matrices, which the
 * module does not use.
 * @param {number[]} rgb
 */
function oklab(rgb) {
  const [r, g, b] = rgb
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const [l, m, s] = [
    0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
    0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
    0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
  ].map(Math.cbrt);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** @param {Uint32Array} map */
const points = (map) => Array.from(map, (pixel) => oklab(channelsOf(pixel)));
/** @param {number[]} a @param {number[]} b */
const distance = (a, b) => Math.hypot(...a.map((value, axis) => value - b[axis]));

/**
 * Distances of entries that are `apart`: between neighbours, rounding to 8 bits would dominate.
 * @param {number[][]} colours
 */
function distances(colours, apart = 16) {
  return colours.slice(apart).map((colour, index) => distance(colour, colours[index]));
}

/** @param {number[][]} colours */
function assertEven(colours) {
  const steps = distances(colours);
  const mean = steps.reduce((sum, value) => sum + value, 0) / steps.length;
  assert.ok(
    Math.max(...steps) / mean < 1.05 && Math.min(...steps) / mean > 0.93,
    `${Math.min(...steps)} ${mean} ${Math.max(...steps)}`,
  );
}

test("equal steps of a number are equal steps in OKLab", () => {
  assertEven(points(SEQUENTIAL));
  assertEven(points(DIVERGING).slice(1, 129));
  assertEven(points(DIVERGING).slice(128));
});

test("larger numbers are lighter; in a diverging map, numbers nearer to zero", () => {
  /** @param {number[][]} colours */
  const rises = (colours) =>
    colours.every(([lightness], index) => index === 0 || lightness > colours[index - 1][0]);
  assert.ok(rises(points(SEQUENTIAL)));
  assert.ok(rises(points(DIVERGING).slice(1, 129)));
  assert.ok(rises(points(DIVERGING).slice(128).reverse()));
  assert.ok(distance(oklab(channelsOf(DIVERGING[128])), [0.97, 0, 0]) < 0.01, "zero has no hue");
});

test("a map uses the full range of lightness", () => {
  const lightness = points(SEQUENTIAL).map(([value]) => value);
  assert.ok(lightness[0] < 0.15 && lightness[255] > 0.95);
});

test("grey values on a scale that is wider than their range", () => {
  assert.equal(onScale(SEQUENTIAL, [0, 1], [0, 1]), SEQUENTIAL);
  const shared = onScale(SEQUENTIAL, [0, 1], [-1, 1]);
  assert.equal(shared[0], SEQUENTIAL[128]);
  assert.equal(shared[255], SEQUENTIAL[255]);
  assert.equal(onScale(SEQUENTIAL, [3, 3], [3, 3])[0], SEQUENTIAL[0], "a constant");
});

test("a map as a CSS gradient", () => {
  assert.match(
    gradient(DIVERGING, 2),
    /^linear-gradient\(to right, rgb\(\d+ \d+ \d+\), rgb\(\d+ \d+ \d+\), rgb/,
  );
});
