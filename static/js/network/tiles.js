// Tiles of a picture, as models/tiles.py cuts them: they include the receptive field around the
// part that is kept, so that the result equals that of the whole picture.

/** @import { Size } from "../base/client_types.js" */

/**
 * @typedef {{ before: number, behind: number, step: number }} Reach Rows or columns that an output
 *   depends on before and behind its place; tiles begin at multiples of `step`.
 * @typedef {{ start: number, end: number, first: number, last: number }} Part A part of a side:
 *   `start` to `end` is input, `first` to `last` is kept.
 */

/** The length of a tile's sides in pixels, which bounds the memory. */
const SIDE = 256;

/** The most pixels of a picture that cannot be cut into tiles. */
export const MOST_WHOLE = 2048 ** 2;

/**
 * The parts of a side, at most `most` long, that keep each place once: as few as possible and of
 * equal length. `most` must be longer than what two of them share.
 * @param {number} size
 * @param {number} most
 * @param {Reach} reach
 * @returns {Part[]}
 */
export function partsOf(size, most, { before, behind, step }) {
  if (size <= most) return [{ start: 0, end: size, first: 0, last: size }];
  const front = upTo(before, step);
  const overlap = front + upTo(behind, step);
  const longest = Math.floor(most / step) * step;
  const number = Math.ceil((size - overlap) / (longest - overlap));
  const length = upTo((size + (number - 1) * overlap) / number, step);
  const last = Math.floor((size - length) / step) * step;
  const places = Array.from({ length: number }, (_, place) => place * (length - overlap));
  const starts = [...new Set(places.map((place) => Math.min(place, last)))];
  const borders = [0, ...starts.slice(1).map((start) => start + front), size];
  return starts.map((start, index) => ({
    start,
    end: index === starts.length - 1 ? size : start + length,
    first: borders[index],
    last: borders[index + 1],
  }));
}

/**
 * The smallest multiple of `step` that is not less than a value.
 * @param {number} value
 * @param {number} step
 */
const upTo = (value, step) => Math.ceil(value / step) * step;

/**
 * The tiles of a picture, row by row; one tile if the receptive field is unknown.
 * @param {Size} size
 * @param {[Reach, Reach] | null} reaches In rows and columns.
 * @returns {{ rows: Part, columns: Part }[]}
 */
export function tilesOf({ width, height }, reaches) {
  const [rows, columns] = [height, width].map((side, axis) => {
    if (!reaches) return [{ start: 0, end: side, first: 0, last: side }];
    const { before, behind, step } = reaches[axis];
    // Twice the overlap: about half of a side is kept, however large the receptive field.
    const most = Math.max(SIDE, 2 * (upTo(before, step) + upTo(behind, step)), 2 * step);
    return partsOf(side, most, reaches[axis]);
  });
  return rows.flatMap((row) => columns.map((column) => ({ rows: row, columns: column })));
}
