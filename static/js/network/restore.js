// A picture through a network: its values in planes, tile by tile, and back into pixels.
import { count } from "../base/format.js";
import { MOST_WHOLE, tilesOf } from "./tiles.js";

/** @import { Network } from "./network.js" */
/** @import { Part, Reach } from "./tiles.js" */

/**
 * @typedef {{ data: ArrayLike<number>, width: number, height: number }} Pixels RGBA.
 *
 * @typedef {object} Settings
 * @property {[Reach, Reach] | null} reaches Of the network in rows and columns; null if unknown.
 * @property {number} qp Of the picture; 0 if unknown. Other networks ignore it.
 * @property {AbortSignal} signal Ends the work between two tiles.
 * @property {(done: number, total: number) => void} [progress] Called after each tile.
 */

const MOST_QP = 51;
const OPAQUE = 255;
/** Y of BT.601 from R, G and B, in parts of 65536: as the server rounds it (jobs/media/images.py). */
const LUMA = [19595, 38470, 7471];

/**
 * Restore a picture. Throws if it is too large to be restored whole, and the network needs that.
 * @param {Pixels} picture
 * @param {Pick<Network, "planes" | "run">} network
 * @param {Settings} settings
 * @returns {Promise<ImageData>}
 */
export async function restore(picture, network, { reaches, qp, signal, progress }) {
  const { width, height } = picture;
  if (!reaches && width * height > MOST_WHOLE)
    throw new Error(
      "The server does not know the receptive field of this network, so a picture cannot be cut " +
        `into tiles, and may have at most ${count(MOST_WHOLE)} pixels here. This one has ` +
        `${count(width * height)}. Use Test one.`,
    );
  const restored = new ImageData(width, height);
  const tiles = tilesOf(picture, reaches);
  for (const [index, { rows, columns }] of tiles.entries()) {
    const output = await network.run({
      values: valuesOf(picture, rows, columns, network.planes, qp),
      width: columns.end - columns.start,
      height: rows.end - rows.start,
    });
    signal.throwIfAborted();
    keep(restored, output, rows, columns);
    progress?.(index + 1, tiles.length);
  }
  return restored;
}

/**
 * The planes of a part of a picture, 0 to 1: RGB or Y, then QP / 51 for a network that takes it.
 * @param {Pixels} picture
 * @param {Part} rows
 * @param {Part} columns
 * @param {number} planes
 * @param {number} qp
 * @returns {Float32Array<ArrayBuffer>}
 */
export function valuesOf({ data, width }, rows, columns, planes, qp) {
  const area = (rows.end - rows.start) * (columns.end - columns.start);
  const values = new Float32Array(planes * area);
  const colours = planes <= 2 ? 1 : 3;
  let to = 0;
  for (let row = rows.start; row < rows.end; row += 1)
    for (let column = columns.start; column < columns.end; column += 1, to += 1) {
      const from = 4 * (row * width + column);
      if (colours === 1) values[to] = lumaAt(data, from) / 255;
      else
        for (let plane = 0; plane < 3; plane += 1)
          values[plane * area + to] = data[from + plane] / 255;
    }
  if (planes > colours) values.fill(qp / MOST_QP, colours * area);
  return values;
}

/**
 * @param {ArrayLike<number>} data
 * @param {number} at
 */
const lumaAt = (data, at) =>
  (LUMA[0] * data[at] + LUMA[1] * data[at + 1] + LUMA[2] * data[at + 2] + 32768) >> 16;

/**
 * Write the kept part of a restored tile into the picture, rounded and limited to 0 to 255.
 * @param {{ data: Uint8ClampedArray, width: number }} picture
 * @param {ArrayLike<number>} output Planes of the tile: three, or one for gray.
 * @param {Part} rows
 * @param {Part} columns
 */
export function keep({ data, width }, output, rows, columns) {
  const wide = columns.end - columns.start;
  const area = (rows.end - rows.start) * wide;
  const next = output.length > area ? area : 0; // Gray is repeated.
  for (let row = rows.first; row < rows.last; row += 1)
    for (let column = columns.first; column < columns.last; column += 1) {
      const from = (row - rows.start) * wide + column - columns.start;
      const to = 4 * (row * width + column);
      for (let plane = 0; plane < 3; plane += 1)
        data[to + plane] = 255 * output[plane * next + from];
      data[to + 3] = OPAQUE;
    }
}
