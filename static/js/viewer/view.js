// The arithmetic of the viewer. A view is {scale, x, y}: the point (x, y) of the picture lies in the middle of its box.
// Sizes and boxes are {width, height}; a box counts CSS pixels, `ratio` is the number of screen pixels in one of them.

export const MOST = 64;

/** The whole picture in the box; enlarged by whole screen pixels only, so that all its pixels look alike. */
export function fit(size, box, ratio) {
  const scale = Math.min(box.width / size.width, box.height / size.height);
  const even = Math.floor(scale * ratio) / ratio;
  return { scale: even >= 1 ? even : scale, x: size.width / 2, y: size.height / 2 };
}

/** The view, held to where there is something to see: the picture fills the box, or lies in its middle. */
export function clamp(view, size, box, ratio) {
  const least = Math.min(1, fit(size, box, ratio).scale);
  const scale = Math.min(Math.max(view.scale, least), MOST);
  return { scale, x: within(view.x, box.width / scale, size.width), y: within(view.y, box.height / scale, size.height) };
}

function within(middle, shown, length) {
  return shown >= length ? length / 2 : Math.min(Math.max(middle, shown / 2), length - shown / 2);
}

/** Zoom to a scale about a point of the box: what lies under it stays there. */
export function zoomTo(view, scale, point, size, box, ratio) {
  const next = Math.min(scale, MOST);
  const by = 1 / view.scale - 1 / next;
  return clamp({ scale: next, x: view.x + (point.x - box.width / 2) * by, y: view.y + (point.y - box.height / 2) * by }, size, box, ratio);
}

/** The next power of two above (+1) or below (-1) a scale. */
export function step(scale, direction) {
  const power = Math.log2(scale);
  return 2 ** (direction > 0 ? Math.floor(power + 1e-6) + 1 : Math.ceil(power - 1e-6) - 1);
}

/** Move the picture by CSS pixels. */
export function pan(view, dx, dy, size, box, ratio) {
  return clamp({ ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale }, size, box, ratio);
}

/** Where the whole picture lies in its box, on whole screen pixels. */
export function place(view, size, box, ratio) {
  const snap = (value) => Math.round(value * ratio) / ratio;
  return {
    left: snap(box.width / 2 - view.x * view.scale),
    top: snap(box.height / 2 - view.y * view.scale),
    width: size.width * view.scale,
    height: size.height * view.scale,
  };
}

/** The left and right end of what can be seen of a placed picture. */
export function visible(placed, box) {
  return { left: Math.max(placed.left, 0), right: Math.min(placed.left + placed.width, box.width) };
}

/** The picture's pixel under a point of the box, null beside the picture. */
export function pixelAt(point, placed, size) {
  const x = Math.floor(((point.x - placed.left) / placed.width) * size.width);
  const y = Math.floor(((point.y - placed.top) / placed.height) * size.height);
  return x >= 0 && y >= 0 && x < size.width && y < size.height ? { x, y } : null;
}

/** Boxes for `count` pictures in a stage: beside each other or below, whichever shows them larger. */
export function tiles(stage, size, count) {
  const across = { width: stage.width / count, height: stage.height };
  const down = { width: stage.width, height: stage.height / count };
  const room = (box) => Math.min(box.width / size.width, box.height / size.height);
  const box = room(across) >= room(down) ? across : down;
  return Array.from({ length: count }, (_, index) => ({ ...box, left: box === across ? Math.round(index * box.width) : 0, top: box === down ? Math.round(index * box.height) : 0 }));
}

/** |a - b| × gain of two pictures' RGBA values. */
export function difference(a, b, gain) {
  const values = new Uint8ClampedArray(a.length);
  for (let at = 0; at < a.length; at += 1) values[at] = at % 4 === 3 ? 255 : Math.abs(a[at] - b[at]) * gain;
  return values;
}

/** The mean absolute error of each pixel's red, green and blue, as RGBA in the colours of a table: the last one from `top` on. */
export function errorMap(a, b, top, colours) {
  const pixels = new Uint32Array(a.length / 4);
  for (let pixel = 0, at = 0; at < a.length; pixel += 1, at += 4) {
    const sum = Math.abs(a[at] - b[at]) + Math.abs(a[at + 1] - b[at + 1]) + Math.abs(a[at + 2] - b[at + 2]);
    pixels[pixel] = colours[Math.min(Math.round((sum * 85) / top), 255)];
  }
  return new Uint8ClampedArray(pixels.buffer);
}

const AROUND = 2;

/** What is seen of a placed picture between `from` and `to` of its box: {source, target}, both {x, y, width, height}. The source
 * is of whole pixels, with some around it that smoothing may want. */
export function seen(placed, size, box, from, to) {
  const across = span(from - placed.left, to - placed.left, placed.width, size.width);
  const down = span(-placed.top, box.height - placed.top, placed.height, size.height);
  if (!across || !down) return null;
  const [by, high] = [placed.width / size.width, placed.height / size.height];
  return {
    source: { x: across.first, y: down.first, width: across.count, height: down.count },
    target: { x: placed.left + across.first * by, y: placed.top + down.first * high, width: across.count * by, height: down.count * high },
  };
}

/** The pixels of a length that lie between two places of it as it is shown. */
function span(from, to, shown, length) {
  const first = Math.max(Math.floor((from / shown) * length) - AROUND, 0);
  const last = Math.min(Math.ceil((to / shown) * length) + AROUND, length);
  return last > first ? { first, count: last - first } : null;
}
