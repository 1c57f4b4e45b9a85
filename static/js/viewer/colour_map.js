// Perceptually uniform colour maps: equal steps of the number are equal distances in OKLab (Björn
// Ottosson, "A perceptual color space for image processing", 2020,
// https://bottosson.github.io/posts/oklab/). A map is 256 pixels in a canvas's format: 0xAABBGGRR.

/** @typedef {[number, number, number]} Triple Such as L, a and b of OKLab. */

/** Points of a curve that are computed to find even ones. */
const FINE = 4096;

/**
 * From almost black through violet and red to pale yellow: the lightness always increases, and the
 * hue goes along the warm side.
 */
export const SEQUENTIAL = mapOf(
  evenly(256, (t) => polar(0.12 + 0.85 * t, 0.06 + 0.115 * Math.sin(Math.PI * t), 275 + 190 * t)),
);

/**
 * Zero is the entry 128. Blue below, orange above; colours near zero are the lightest. The entry 0
 * equals the entry 1.
 */
export const DIVERGING = mapOf([...arm(255).reverse(), ...arm(45).slice(1)]);

/**
 * One side of the diverging map, from zero to its end.
 * @param {number} hue
 */
function arm(hue) {
  const steps = evenly(128, (t) =>
    polar(0.97 - 0.57 * t, 0.14 * Math.sin(0.75 * Math.PI * t), hue),
  );
  return hue === 255 ? [...steps, steps[steps.length - 1]] : steps;
}

/**
 * @param {number} lightness
 * @param {number} chroma
 * @param {number} hue Degrees.
 * @returns {Triple} L, a and b.
 */
function polar(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

/**
 * Points of a curve with equal distances between neighbours.
 * @param {number} count
 * @param {(t: number) => Triple} curve From t = 0 to 1.
 * @returns {Triple[]}
 */
function evenly(count, curve) {
  const points = Array.from({ length: FINE + 1 }, (_, index) => curve(index / FINE));
  const lengths = [0];
  for (let index = 1; index <= FINE; index += 1) {
    const step = points[index].map((value, axis) => value - points[index - 1][axis]);
    lengths.push(lengths[index - 1] + Math.hypot(...step));
  }
  let at = 0;
  return Array.from({ length: count }, (_, index) => {
    const length = (lengths[FINE] * index) / (count - 1);
    while (at < FINE && lengths[at] < length) at += 1;
    return points[at];
  });
}

/**
 * @param {Triple[]} colours L, a and b.
 * @returns {Uint32Array}
 */
function mapOf(colours) {
  return Uint32Array.from(colours, (colour) => {
    const [red, green, blue] = srgb(colour);
    return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

/**
 * Convert from OKLab.
 * @param {Triple} colour L, a and b.
 * @returns {number[]} Red, green and blue in 0 to 255.
 */
function srgb([lightness, a, b]) {
  const [l, m, s] = [
    lightness + 0.3963377774 * a + 0.2158037573 * b,
    lightness - 0.1055613458 * a - 0.0638541728 * b,
    lightness - 0.0894841775 * a - 1.291485548 * b,
  ].map((root) => root ** 3);
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) =>
    Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055)),
  );
}

/**
 * Red, green and blue of a map's entry.
 * @param {number} pixel
 */
export const channelsOf = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];

/**
 * The colours of grey values that have one range, on a scale with another range.
 * @param {Uint32Array} colours
 * @param {[low: number, high: number]} range Of the grey values 0 to 255.
 * @param {[from: number, to: number]} scale
 * @returns {Uint32Array}
 */
export function onScale(colours, [low, high], [from, to]) {
  if (low === from && high === to) return colours;
  const span = to - from || 1;
  return Uint32Array.from({ length: 256 }, (_, gray) => {
    const value = low + ((high - low) * gray) / 255;
    const index = Math.round((255 * (value - from)) / span);
    return colours[Math.max(0, Math.min(255, index))];
  });
}

/**
 * The map as a CSS gradient from left to right.
 * @param {Uint32Array} colours
 * @param {number} [stops]
 */
export function gradient(colours, stops = 32) {
  const parts = Array.from(
    { length: stops + 1 },
    (_, index) => `rgb(${channelsOf(colours[Math.round((255 * index) / stops)]).join(" ")})`,
  );
  return `linear-gradient(to right, ${parts.join(", ")})`;
}
