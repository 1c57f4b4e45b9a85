// The line below the viewer: the values of all pictures at the pointer.
import { element, setText } from "../base/dom.js";
import { viewIn } from "./layout.js";
import { qpAt } from "./qp_map.js";
import { pixelValue } from "./stage.js";
import { pixelAt, place } from "./view.js";

/** @import { Point, Size } from "../base/client_types.js" */
/** @import { Surface } from "./stage.js" */
/** @import { ViewerState } from "./viewer.js" */
/** @import { Picture } from "./viewer_controls.js" */

/** @typedef {ReturnType<typeof pixelLine>} PixelLine */

const HINT = "Point at the picture to read its pixels.";
const KEYS =
  "Ctrl + wheel zooms, after a click also the wheel alone; drag moves; ? lists the keys.";

/**
 * Create the line of pixel values. Its elements stay: it changes with every move of the pointer.
 * @param {Picture[]} pictures
 */
export function pixelLine(pictures) {
  const hint = element("span", {}, HINT, element("span", { class: "keys" }, ` ${KEYS}`));
  const where = element("span", { class: "where", hidden: true });
  const values = pictures.map(({ label }) => {
    const swatch = element("i", {});
    const number = element("b", {});
    const holder = element("span", { hidden: true }, swatch, `${label} `, number);
    return { swatch, number, holder };
  });
  const holders = values.map(({ holder }) => holder);
  const qp = element("span", { class: "qp", hidden: true });
  return {
    holder: element("p", { class: "pixels" }, hint, where, ...holders, qp),
    hint,
    where,
    values,
    qp,
  };
}

/**
 * Show the values of all pictures at the pointer.
 * @param {ViewerState} state
 * @param {PixelLine} line
 * @param {Surface[]} loaded
 * @param {Size} size
 */
export function showPixels(state, { hint, where, values, qp }, loaded, size) {
  const pixel = pointedPixel(state, size);
  hint.hidden = Boolean(pixel);
  where.hidden = !pixel;
  for (const { holder } of values) holder.hidden = !pixel;
  qp.hidden = !pixel || !state.qp;
  if (!pixel) return;
  setText(where, `x ${pixel.x}, y ${pixel.y}`);
  for (const [index, surface] of loaded.entries()) {
    const rgb = pixelValue(surface, pixel);
    setText(values[index].number, rgb.join(" "));
    values[index].swatch.style.background = `rgb(${rgb.join(" ")})`;
  }
  if (state.qp) setText(qp, `QP ${qpAt(state.qp, pixel)}`);
}

/**
 * The pixel at the pointer; null without one.
 * @param {ViewerState} state
 * @param {Size} size
 * @returns {Point | null}
 */
function pointedPixel(state, size) {
  const { point, boxes } = state;
  if (!point) return null;
  const box = boxes.find(
    ({ left, top, width, height }) =>
      point.x >= left && point.x < left + width && point.y >= top && point.y < top + height,
  );
  if (!box) return null;
  const placed = place(viewIn(state, size, box), size, box, devicePixelRatio);
  return pixelAt({ x: point.x - box.left, y: point.y - box.top }, placed, size);
}
