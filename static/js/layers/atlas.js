// Pages of tiles: pictures with 8 bits per pixel that contain tiles in rows; as grey values and in
// colours.
import { withRoot } from "../base/address.js";
import { context2d } from "../base/dom.js";

/** @import { Box, TilePage } from "../base/types.js" */
/** @import { Size } from "../base/client_types.js" */

/**
 * @typedef {Size & { values: Uint8Array }} GrayPicture
 *
 * @typedef {object} Arrangement How tiles are shown, in CSS pixels.
 * @property {number} columns Tiles in a row.
 * @property {number} width Of a tile.
 * @property {number} height Of a tile.
 * @property {number} gap
 */

/**
 * Load a picture. Rejects if that fails.
 * @param {string} url
 * @returns {Promise<HTMLImageElement>}
 */
export async function loadImage(url) {
  const image = new Image();
  image.src = withRoot(url);
  await image.decode();
  return image;
}

/**
 * The box of a tile in a page.
 * @param {Pick<TilePage, "columns" | "width" | "height">} page
 * @param {number} index Of the tile in the page.
 * @returns {Box}
 */
export function tileBox({ columns, width, height }, index) {
  return {
    left: (index % columns) * width,
    top: Math.floor(index / columns) * height,
    width,
    height,
  };
}

/** @type {CanvasRenderingContext2D | null} */
let scratch = null;

/**
 * The context of a canvas that all functions share: its content is valid until the next call.
 * @param {number} width
 * @param {number} height
 */
function scratchContext(width, height) {
  scratch ??= context2d(document.createElement("canvas"), { willReadFrequently: true });
  scratch.canvas.width = width;
  scratch.canvas.height = height;
  return scratch;
}

/**
 * The grey values of a gray picture, or of a part of it.
 * @param {HTMLImageElement} image
 * @param {Partial<Box>} [part]
 * @returns {GrayPicture}
 */
export function grayValues(
  image,
  { left = 0, top = 0, width = image.naturalWidth, height = image.naturalHeight } = {},
) {
  const context = scratchContext(width, height);
  context.drawImage(image, -left, -top);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  return { width, height, values: Uint8Array.from(pixels, (pixel) => pixel & 255) };
}

/**
 * A page in colours, on a canvas that is valid until the next call.
 * @param {HTMLImageElement} image
 * @param {TilePage} page
 * @param {(index: number) => Uint32Array} coloursOf The colours of a tile, by grey value.
 * @returns {HTMLCanvasElement}
 */
export function colouredPage(image, page, coloursOf) {
  const context = scratchContext(image.naturalWidth, image.naturalHeight);
  context.drawImage(image, 0, 0);
  const picture = context.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let index = 0; index < page.count; index += 1) {
    const { left, top, width, height } = tileBox(page, index);
    const colours = coloursOf(index);
    for (let row = top; row < top + height; row += 1) {
      const start = row * picture.width + left;
      for (let at = start; at < start + width; at += 1) pixels[at] = colours[pixels[at] & 255];
    }
  }
  context.putImageData(picture, 0, 0);
  return context.canvas;
}

/**
 * Paint the tiles of a coloured page in another arrangement.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} coloured From `colouredPage`.
 * @param {TilePage} page
 * @param {Arrangement} arrangement
 * @param {number} ratio Screen pixels per CSS pixel: tiles begin at whole screen pixels.
 */
export function paintTiles(canvas, coloured, page, { columns, width, height, gap }, ratio) {
  const rows = Math.ceil(page.count / columns);
  const screen = (/** @type {number} */ pixels) => Math.round(pixels * ratio);
  canvas.width = screen(columns * (width + gap) - gap);
  canvas.height = screen(rows * (height + gap) - gap);
  const context = context2d(canvas);
  // Neutral grey between the tiles, but not after the last one.
  context.fillStyle = "#808080";
  const inLastRow = page.count % columns;
  const fullRows = inLastRow ? rows - 1 : rows;
  context.fillRect(0, 0, canvas.width, screen(fullRows * (height + gap) - gap));
  if (inLastRow) {
    const top = screen(fullRows * (height + gap) - gap);
    context.fillRect(0, top, screen(inLastRow * (width + gap) - gap), canvas.height);
  }
  context.imageSmoothingEnabled = screen(width) < page.width;
  context.imageSmoothingQuality = "high";
  for (let index = 0; index < page.count; index += 1) {
    const from = tileBox(page, index);
    const left = (index % columns) * (width + gap);
    const top = Math.floor(index / columns) * (height + gap);
    context.drawImage(
      coloured,
      from.left,
      from.top,
      from.width,
      from.height,
      screen(left),
      screen(top),
      screen(left + width) - screen(left),
      screen(top + height) - screen(top),
    );
  }
}
