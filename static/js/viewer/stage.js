// What the viewer draws: pictures as surfaces of one size, painted into the boxes of one canvas.
import { difference, errorMap, place, seen } from "./view.js";

/** The loaded pictures on canvases of the largest one's size, so that a pixel of one lies over that of another. */
export function surfaces(images) {
  const width = Math.max(...images.map((image) => image.naturalWidth));
  const height = Math.max(...images.map((image) => image.naturalHeight));
  return images.map((image) => {
    const { canvas, context } = blank(width, height);
    context.drawImage(image, 0, 0, width, height);
    return canvas;
  });
}

export function differenceOf(a, b, gain) {
  const { canvas, context } = blank(a.width, a.height);
  context.putImageData(new ImageData(difference(values(a), values(b), gain), a.width, a.height), 0, 0);
  return canvas;
}

/** How far a is from the truth, in the colours of `colours`: the last one stands for `top` and all above. */
export function errorOf(a, truth, top, colours) {
  const { canvas, context } = blank(a.width, a.height);
  context.putImageData(new ImageData(errorMap(values(a), values(truth), top, colours), a.width, a.height), 0, 0);
  return canvas;
}

/** [red, green, blue] of a surface's pixel. */
export function valueAt(surface, { x, y }) {
  const at = 4 * (y * surface.width + x);
  return [...values(surface).slice(at, at + 3)];
}

/** Paint [{surface, box, from, to}]; `from` and `to` cut a picture to a part of its box's width. */
export function paint(canvas, parts, view, ratio) {
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  // Enlarged pixels are squares; a picture made smaller would be false without smoothing.
  context.imageSmoothingEnabled = view.scale * ratio < 1;
  for (const { surface, box, from = 0, to = box.width } of parts) {
    const part = seen(place(view, surface, box, ratio), surface, box, from, to);
    if (!part) continue;
    const { source, target } = part;
    context.save();
    context.beginPath();
    context.rect(box.left + from, box.top, to - from, box.height);
    context.clip();
    context.drawImage(surface, source.x, source.y, source.width, source.height, box.left + target.x, box.top + target.y, target.width, target.height);
    context.restore();
  }
}

function blank(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  return { canvas, context };
}

const read = new WeakMap();

/** A surface's RGBA values; they are read once, as that may mean a way to the graphics card and back. */
function values(surface) {
  if (!read.has(surface)) read.set(surface, surface.getContext("2d").getImageData(0, 0, surface.width, surface.height).data);
  return read.get(surface);
}
