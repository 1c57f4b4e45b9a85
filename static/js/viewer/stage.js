// Drawing of the viewer: pictures as surfaces of one size, painted into the boxes of a canvas.
import { context2d } from "../base/dom.js";
import { tinted } from "./qp_map.js";
import { clip, difference, errorMap, place } from "./view.js";

/** @import { Box } from "../base/types.js" */
/** @import { Point, Size } from "../base/client_types.js" */
/** @import { QpMap } from "./qp_map.js" */
/** @import { View } from "./view.js" */

/**
 * @typedef {HTMLCanvasElement} Surface
 *
 * @typedef {object} StagePart
 * @property {Surface} surface
 * @property {Box} box
 * @property {number} [from] Cuts the picture to a part of the box's width, as `to`.
 * @property {number} [to]
 */

/**
 * Pictures on surfaces of the largest one's size, so that their pixels correspond.
 * @param {HTMLImageElement[]} images
 * @returns {Surface[]}
 */
export function surfaces(images) {
  const width = Math.max(...images.map((image) => image.naturalWidth));
  const height = Math.max(...images.map((image) => image.naturalHeight));
  return images.map((image) => {
    const context = blank(width, height);
    context.drawImage(image, 0, 0, width, height);
    return context.canvas;
  });
}

/**
 * An empty surface.
 * @param {Size} size
 * @returns {Surface}
 */
export const emptySurface = ({ width, height }) => blank(width, height).canvas;

/**
 * Draw the shown frame of a video onto a surface.
 * @param {Surface} surface
 * @param {HTMLVideoElement} video
 */
export function drawFrame(surface, video) {
  context2d(surface).drawImage(video, 0, 0, surface.width, surface.height);
  values.delete(surface);
}

/**
 * Draw pixels onto a surface of their size.
 * @param {Surface} surface
 * @param {ImageData} pixels
 */
export function drawPixels(surface, pixels) {
  context2d(surface).putImageData(pixels, 0, 0);
  values.delete(surface);
}

/**
 * The enlarged difference of two surfaces.
 * @param {Surface} a
 * @param {Surface} b
 * @param {number} gain
 * @returns {Surface}
 */
export const differenceOf = (a, b, gain) =>
  surfaceOf(a, difference(valuesOf(a), valuesOf(b), gain));

/**
 * The error of a surface in colours.
 * @param {Surface} a
 * @param {Surface} truth
 * @param {number} top The error from which on the last colour is used.
 * @param {Uint32Array} colours
 * @returns {Surface}
 */
export const errorOf = (a, truth, top, colours) =>
  surfaceOf(a, errorMap(valuesOf(a), valuesOf(truth), top, colours));

/**
 * A surface with the colours of its QPs.
 * @param {Surface} a
 * @param {QpMap} map
 * @param {Uint32Array} colours
 * @returns {Surface}
 */
export const qpOf = (a, map, colours) => surfaceOf(a, tinted(valuesOf(a), a.width, map, colours));

/**
 * Red, green and blue of a pixel.
 * @param {Surface} surface
 * @param {Point} point
 * @returns {number[]}
 */
export function pixelValue(surface, { x, y }) {
  const at = 4 * (y * surface.width + x);
  return [...valuesOf(surface).slice(at, at + 3)];
}

/**
 * Paint the parts of a stage.
 * @param {HTMLCanvasElement} canvas
 * @param {StagePart[]} parts
 * @param {View} view
 * @param {number} ratio Screen pixels per CSS pixel.
 */
export function paint(canvas, parts, view, ratio) {
  const context = context2d(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  // Enlarged pixels are squares; a reduced picture needs smoothing to be correct.
  context.imageSmoothingEnabled = view.scale * ratio < 1;
  for (const { surface, box, from = 0, to = box.width } of parts) {
    const visible = clip(place(view, surface, box, ratio), surface, box, from, to);
    if (!visible) continue;
    const { source, target } = visible;
    context.save();
    context.beginPath();
    context.rect(box.left + from, box.top, to - from, box.height);
    context.clip();
    context.drawImage(
      surface,
      source.x,
      source.y,
      source.width,
      source.height,
      box.left + target.x,
      box.top + target.y,
      target.width,
      target.height,
    );
    context.restore();
  }
}

/**
 * @param {Surface} like A surface of the same size.
 * @param {Uint8ClampedArray<ArrayBuffer>} values RGBA.
 */
function surfaceOf(like, values) {
  const context = blank(like.width, like.height);
  context.putImageData(new ImageData(values, like.width, like.height), 0, 0);
  return context.canvas;
}

/**
 * The context of a new surface.
 * @param {number} width
 * @param {number} height
 */
function blank(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = context2d(canvas);
  context.imageSmoothingEnabled = false;
  return context;
}

/** @type {WeakMap<Surface, Uint8ClampedArray>} */
const values = new WeakMap();

/**
 * The RGBA values of a surface. They are read once: reading may need a copy from the GPU.
 * @param {Surface} surface
 * @returns {Uint8ClampedArray}
 */
function valuesOf(surface) {
  let known = values.get(surface);
  if (!known) {
    known = context2d(surface).getImageData(0, 0, surface.width, surface.height).data;
    values.set(surface, known);
  }
  return known;
}
