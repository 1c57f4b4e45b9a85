// Arithmetic of the viewer. Boxes count CSS pixels; `ratio` is the number of screen pixels per CSS
// pixel. Without DOM: node runs the tests.

/** @import { Box } from "../base/types.js" */
/** @import { Point, Size } from "../base/client_types.js" */

/**
 * @typedef {object} View The point (x, y) of the picture is in the middle of its box.
 * @property {number} scale
 * @property {number} x
 * @property {number} y
 *
 * @typedef {{ x: number, y: number, width: number, height: number }} Area
 */

/** The largest scale. */
const MOST = 64;

/**
 * The view of the whole picture. It is enlarged by whole screen pixels, so that all pixels look
 * alike.
 * @param {Size} size Of the picture.
 * @param {Size} box
 * @param {number} ratio
 * @returns {View}
 */
export function fit(size, box, ratio) {
  const scale = Math.min(box.width / size.width, box.height / size.height);
  const even = Math.floor(scale * ratio) / ratio;
  return { scale: even >= 1 ? even : scale, x: size.width / 2, y: size.height / 2 };
}

/**
 * Limit a view: the picture fills its box, or is in the middle of it.
 * @param {View} view
 * @param {Size} size
 * @param {Size} box
 * @param {number} ratio
 * @returns {View}
 */
export function clamp(view, size, box, ratio) {
  const least = Math.min(1, fit(size, box, ratio).scale);
  const scale = Math.min(Math.max(view.scale, least), MOST);
  return {
    scale,
    x: within(view.x, box.width / scale, size.width),
    y: within(view.y, box.height / scale, size.height),
  };
}

/**
 * @param {number} middle
 * @param {number} shown
 * @param {number} length
 */
function within(middle, shown, length) {
  return shown >= length ? length / 2 : Math.min(Math.max(middle, shown / 2), length - shown / 2);
}

/**
 * Zoom to a scale about a point of the box: the pixel under it stays there.
 * @param {View} view
 * @param {number} scale
 * @param {Point} point
 * @param {Size} size
 * @param {Size} box
 * @param {number} ratio
 */
export function zoomTo(view, scale, point, size, box, ratio) {
  const next = Math.min(scale, MOST);
  const by = 1 / view.scale - 1 / next;
  const x = view.x + (point.x - box.width / 2) * by;
  const y = view.y + (point.y - box.height / 2) * by;
  return clamp({ scale: next, x, y }, size, box, ratio);
}

/**
 * The next power of two above (+1) or below (-1) a scale.
 * @param {number} scale
 * @param {number} direction
 */
export function step(scale, direction) {
  const power = Math.log2(scale);
  return 2 ** (direction > 0 ? Math.floor(power + 1e-6) + 1 : Math.ceil(power - 1e-6) - 1);
}

/**
 * Move the picture by CSS pixels.
 * @param {View} view
 * @param {number} dx
 * @param {number} dy
 * @param {Size} size
 * @param {Size} box
 * @param {number} ratio
 */
export function pan(view, dx, dy, size, box, ratio) {
  const x = view.x - dx / view.scale;
  const y = view.y - dy / view.scale;
  return clamp({ ...view, x, y }, size, box, ratio);
}

/**
 * The place of the whole picture in its box. It begins at whole screen pixels.
 * @param {View} view
 * @param {Size} size
 * @param {Size} box
 * @param {number} ratio
 * @returns {Box}
 */
export function place(view, size, box, ratio) {
  const snap = (/** @type {number} */ value) => Math.round(value * ratio) / ratio;
  return {
    left: snap(box.width / 2 - view.x * view.scale),
    top: snap(box.height / 2 - view.y * view.scale),
    width: size.width * view.scale,
    height: size.height * view.scale,
  };
}

/**
 * The left and right end of the visible part of a placed picture.
 * @param {Pick<Box, "left" | "width">} placed
 * @param {Pick<Size, "width">} box
 */
export const visible = (placed, box) => ({
  left: Math.max(placed.left, 0),
  right: Math.min(placed.left + placed.width, box.width),
});

/**
 * The pixel of the picture at a point of the box; null outside the picture.
 * @param {Point} point
 * @param {Box} placed
 * @param {Size} size
 * @returns {Point | null}
 */
export function pixelAt(point, placed, size) {
  const x = Math.floor(((point.x - placed.left) / placed.width) * size.width);
  const y = Math.floor(((point.y - placed.top) / placed.height) * size.height);
  return x >= 0 && y >= 0 && x < size.width && y < size.height ? { x, y } : null;
}

/**
 * Boxes for pictures of one size in a stage: next to each other or below each other, whichever
 * shows them larger.
 * @param {Size} stage
 * @param {Size} size
 * @param {number} count
 * @returns {Box[]}
 */
export function tiles(stage, size, count) {
  const across = { width: stage.width / count, height: stage.height };
  const down = { width: stage.width, height: stage.height / count };
  const scaleIn = (/** @type {Size} */ box) =>
    Math.min(box.width / size.width, box.height / size.height);
  const box = scaleIn(across) >= scaleIn(down) ? across : down;
  return Array.from({ length: count }, (_, index) => ({
    ...box,
    left: box === across ? Math.round(index * box.width) : 0,
    top: box === down ? Math.round(index * box.height) : 0,
  }));
}

/**
 * |a - b| × gain.
 * @param {ArrayLike<number>} a RGBA values.
 * @param {ArrayLike<number>} b
 * @param {number} gain
 */
export function difference(a, b, gain) {
  const values = new Uint8ClampedArray(a.length);
  for (let at = 0; at < a.length; at += 1)
    values[at] = at % 4 === 3 ? 255 : Math.abs(a[at] - b[at]) * gain;
  return values;
}

/**
 * The mean absolute error of red, green and blue of each pixel, in colours, as RGBA values.
 * @param {ArrayLike<number>} a RGBA values.
 * @param {ArrayLike<number>} b
 * @param {number} top The error from which on the last colour is used.
 * @param {Uint32Array} colours
 */
export function errorMap(a, b, top, colours) {
  const pixels = new Uint32Array(a.length / 4);
  for (let pixel = 0, at = 0; at < a.length; pixel += 1, at += 4) {
    const sum =
      Math.abs(a[at] - b[at]) + Math.abs(a[at + 1] - b[at + 1]) + Math.abs(a[at + 2] - b[at + 2]);
    pixels[pixel] = colours[Math.min(Math.round((sum * 85) / top), 255)];
  }
  return new Uint8ClampedArray(pixels.buffer);
}

/** Pixels around the visible ones, which smoothing may use. */
const AROUND = 2;

/**
 * The visible part of a placed picture, in whole pixels.
 * @param {Box} placed
 * @param {Size} size
 * @param {Size} box
 * @param {number} from Left end of the visible part of the box.
 * @param {number} to
 * @returns {{ source: Area, target: Area } | null} In pixels of the picture, and in the box.
 */
export function clip(placed, size, box, from, to) {
  const across = span(from - placed.left, to - placed.left, placed.width, size.width);
  const down = span(-placed.top, box.height - placed.top, placed.height, size.height);
  if (!across || !down) return null;
  const [scaleX, scaleY] = [placed.width / size.width, placed.height / size.height];
  return {
    source: { x: across.first, y: down.first, width: across.count, height: down.count },
    target: {
      x: placed.left + across.first * scaleX,
      y: placed.top + down.first * scaleY,
      width: across.count * scaleX,
      height: down.count * scaleY,
    },
  };
}

/**
 * The pixels between two places of a length.
 * @param {number} from
 * @param {number} to
 * @param {number} shown The length as it is shown.
 * @param {number} length In pixels.
 */
function span(from, to, shown, length) {
  const first = Math.max(Math.floor((from / shown) * length) - AROUND, 0);
  const last = Math.min(Math.ceil((to / shown) * length) + AROUND, length);
  return last > first ? { first, count: last - first } : null;
}
