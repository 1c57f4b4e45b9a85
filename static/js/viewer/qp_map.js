// The QPs of a picture's macroblocks, as colours over the picture.
import { context2d, element } from "../base/dom.js";

/** @import { Point } from "../base/client_types.js" */

/** Rows and columns of a macroblock, in pixels. */
const BLOCK = 16;
/** The smallest range of the colours: small differences of QP must not look like large ones. */
const LEAST_RANGE = 8;
/** The share of the colours in the mixture with the gray picture. */
const OPACITY = 0.6;

/**
 * @typedef {object} QpMap
 * @property {number[]} values The QP of each macroblock, row by row.
 * @property {number} columns
 * @property {number} left The place of the picture in the first macroblock, in pixels.
 * @property {number} top
 *
 * @typedef {object} QpMapSource
 * @property {string | null} url A gray image with a pixel per macroblock; null if unknown.
 * @property {number} left The place of the picture in its frame, in pixels.
 * @property {number} top
 */

/**
 * @param {QpMapSource} source
 * @returns {Promise<QpMap | null>} null if the QPs are unknown.
 */
export async function loadQpMap({ url, left, top }) {
  if (!url) return null;
  const image = element("img", { src: url });
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  const context = context2d(Object.assign(document.createElement("canvas"), { width, height }));
  context.drawImage(image, 0, 0);
  const values = [...context.getImageData(0, 0, width, height).data].filter(
    (_, index) => index % 4 === 0,
  );
  return { values, columns: width, left: left % BLOCK, top: top % BLOCK };
}

/**
 * The QP at a pixel of the picture.
 * @param {QpMap} map
 * @param {Point} pixel
 */
export function qpAt({ values, columns, left, top }, { x, y }) {
  return values[Math.floor((top + y) / BLOCK) * columns + Math.floor((left + x) / BLOCK)];
}

/**
 * The QPs of the first and the last colour.
 * @param {QpMap} map
 */
export function qpRange({ values }) {
  const [least, most] = values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  const wider = Math.max(0, Math.ceil((LEAST_RANGE - (most - least)) / 2));
  return { low: least - wider, high: most + wider };
}

/**
 * A picture in gray, mixed with the colours of its QPs, as RGBA values.
 * @param {ArrayLike<number>} rgba
 * @param {number} width Of the picture.
 * @param {QpMap} map
 * @param {Uint32Array} colours 256 colours in a canvas's format, 0xAABBGGRR.
 */
export function tinted(rgba, width, map, colours) {
  const { low, high } = qpRange(map);
  const values = new Uint8ClampedArray(rgba.length);
  for (let pixel = 0, at = 0; at < rgba.length; pixel += 1, at += 4) {
    const qp = qpAt(map, { x: pixel % width, y: Math.floor(pixel / width) });
    const colour = colours[Math.round((255 * (qp - low)) / (high - low))];
    const gray = (rgba[at] + 2 * rgba[at + 1] + rgba[at + 2]) / 4;
    for (let channel = 0; channel < 3; channel += 1)
      values[at + channel] = (1 - OPACITY) * gray + OPACITY * ((colour >>> (8 * channel)) & 255);
    values[at + 3] = 255;
  }
  return values;
}
