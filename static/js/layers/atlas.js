// The pictures of a page of tiles, side by side in 8 bits: their grey values, and their colours.
import { at } from "../base/address.js";

/** A picture, loaded. Rejects where it is not there. */
export async function loaded(source) {
  const image = new Image();
  image.src = at(source);
  await image.decode();
  return image;
}

/** What of a page ({columns, width, height}) its tile `place` takes. */
export function boxOf({ columns, width, height }, place) {
  return { left: (place % columns) * width, top: Math.floor(place / columns) * height, width, height };
}

let scratch = null;

/** One for all: what is painted in it is done with before the next one begins. */
function sheet(width, height) {
  scratch ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  scratch.canvas.width = width;
  scratch.canvas.height = height;
  return scratch;
}

/** The grey values of a part of a gray picture; of all of it where no part is named. */
export function grayOf(image, { left = 0, top = 0, width = image.naturalWidth, height = image.naturalHeight } = {}) {
  const context = sheet(width, height);
  context.drawImage(image, -left, -top);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  return { width, height, values: Uint8Array.from(pixels, (pixel) => pixel & 255) };
}

/** A page in colours, on a canvas that is good until the next call; `coloursOf(place)` is the table of a tile. */
export function coloured(image, page, coloursOf) {
  const context = sheet(image.naturalWidth, image.naturalHeight);
  context.drawImage(image, 0, 0);
  const whole = context.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
  const pixels = new Uint32Array(whole.data.buffer);
  for (let place = 0; place < page.count; place += 1) {
    const { left, top, width, height } = boxOf(page, place);
    const colours = coloursOf(place);
    for (let row = top; row < top + height; row += 1) {
      const start = row * whole.width + left;
      for (let at = start; at < start + width; at += 1) pixels[at] = colours[pixels[at] & 255];
    }
  }
  context.putImageData(whole, 0, 0);
  return context.canvas;
}

/** A page in colours of so many tiles in a row as `arranged` says, on a canvas of whole screen pixels. */
export function paint(canvas, painted, page, { columns, width, height, gap }, ratio) {
  const rows = Math.ceil(page.count / columns);
  const real = (pixels) => Math.round(pixels * ratio);
  canvas.width = real(columns * (width + gap) - gap);
  canvas.height = real(rows * (height + gap) - gap);
  const context = canvas.getContext("2d");
  // Neutral grey between tiles, and nothing behind the last one.
  context.fillStyle = "#808080";
  const left = page.count % columns;
  context.fillRect(0, 0, canvas.width, real((left ? rows - 1 : rows) * (height + gap) - gap));
  if (left) context.fillRect(0, real((rows - 1) * (height + gap) - gap), real(left * (width + gap) - gap), canvas.height);
  context.imageSmoothingEnabled = real(width) < page.width;
  context.imageSmoothingQuality = "high";
  for (let place = 0; place < page.count; place += 1) {
    const from = boxOf(page, place);
    const [left, top] = [(place % columns) * (width + gap), Math.floor(place / columns) * (height + gap)];
    context.drawImage(painted, from.left, from.top, from.width, from.height, real(left), real(top), real(left + width) - real(left), real(top + height) - real(top));
  }
}
