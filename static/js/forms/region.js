// The arithmetic of pinned regions. Without DOM: node runs the tests.

/** @typedef {{ left: number, top: number, width: number, height: number }} Rectangle In pixels. */
/** @typedef {{ x: number, y: number }} Point As shares of a picture, 0 to 1. */

/** Pixels; the server refuses smaller regions. */
const LEAST_SIDE = 16;

/**
 * The rectangle between two corners, inside the picture and of at least 16 pixels a side, if the
 * picture has them.
 * @param {Point} from
 * @param {Point} to
 * @param {number} width Of the picture.
 * @param {number} height
 * @returns {Rectangle}
 */
export function rectangle(from, to, width, height) {
  const [left, right] = span(from.x * width, to.x * width, width);
  const [top, bottom] = span(from.y * height, to.y * height, height);
  return { left, top, width: right - left, height: bottom - top };
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} size
 */
function span(from, to, size) {
  const inside = (/** @type {number} */ at) => Math.min(Math.max(Math.round(at), 0), size);
  const [low, high] = [inside(Math.min(from, to)), inside(Math.max(from, to))];
  const end = Math.min(Math.max(high, low + LEAST_SIDE), size);
  return [Math.max(Math.min(low, end - LEAST_SIDE), 0), end];
}

/**
 * The dataset of a validation pair, whose number counts through all datasets in order.
 * @param {[id: string, pairs: number][]} datasets
 * @param {number} number
 * @returns {{ dataset: string, number: number } | null} With the number in that dataset.
 */
export function locate(datasets, number) {
  let left = number;
  for (const [dataset, pairs] of datasets) {
    if (left < pairs) return { dataset, number: left };
    left -= pairs;
  }
  return null;
}
