// What the viewer paints where: the boxes of its stage, their pictures and labels, and the divider.
import { SEQUENTIAL } from "./colour_map.js";
import { differenceOf, errorOf, qpOf } from "./stage.js";
import { clamp, fit, place, tiles, visible } from "./view.js";

/** @import { Box } from "../base/types.js" */
/** @import { Size } from "../base/client_types.js" */
/** @import { StagePart, Surface } from "./stage.js" */
/** @import { ViewerState } from "./viewer.js" */

/**
 * @typedef {{ text: string, box: Box, end?: boolean }} Tag `end` for the right end of the box.
 *
 * @typedef {object} Layout
 * @property {Box[]} boxes
 * @property {StagePart[]} parts
 * @property {Tag[]} tags
 * @property {number} [divider] Its place; undefined without a divider.
 * @property {{ left: number, right: number }} [ends]
 *
 * @typedef {[surface: Surface, label: string]} LabelledSurface
 */

/**
 * The boxes of the stage and what is painted into them.
 * @param {ViewerState} state
 * @param {Surface[]} loaded
 * @param {Size} size
 * @returns {Layout}
 */
export function layout(state, loaded, size) {
  const { pictures, left, right, gain, mode, space, qp } = state;
  const [leftLabel, rightLabel] = [pictures[left].label, pictures[right].label];
  const box = { ...space, left: 0, top: 0 };
  /** @type {(picture: LabelledSurface) => Layout} */
  const single = ([surface, text]) => ({
    boxes: [box],
    parts: [{ surface, box }],
    tags: [{ text, box }],
  });
  if (mode === "side") {
    const boxes = tiles(space, size, loaded.length);
    return {
      boxes,
      parts: loaded.map((surface, index) => ({ surface, box: boxes[index] })),
      tags: boxes.map((tile, index) => ({ text: pictures[index].label, box: tile })),
    };
  }
  if (mode === "blink")
    return single(state.flipped ? [loaded[right], rightLabel] : [loaded[left], leftLabel]);
  if (mode === "difference") {
    const surface = cached(state, `${left} ${right} ${gain}`, () =>
      differenceOf(loaded[left], loaded[right], gain),
    );
    return single([surface, `|${leftLabel} − ${rightLabel}| ×${gain}`]);
  }
  if (mode === "qp" && qp) {
    const surface = cached(state, "qp", () => qpOf(loaded[0], qp, SEQUENTIAL));
    return single([surface, `QP of ${pictures[0].label.toLowerCase()}`]);
  }
  /** @type {LabelledSurface[]} */
  let compared = [
    [loaded[left], leftLabel],
    [loaded[right], rightLabel],
  ];
  if (mode === "error") {
    const indices = [left, right].filter((index) => index !== state.truth);
    compared = indices.map((index) => errorPicture(state, loaded, index));
    if (compared.length === 1) return single(compared[0]);
  }
  const [[first, firstText], [second, secondText]] = compared;
  const ends = visible(place(viewIn(state, size, box), size, box, devicePixelRatio), box);
  const divider = ends.left + state.cut * (ends.right - ends.left);
  return {
    boxes: [box],
    parts: [
      { surface: first, box, to: divider },
      { surface: second, box, from: divider },
    ],
    tags: [
      { text: firstText, box },
      { text: secondText, box, end: true },
    ],
    divider,
    ends,
  };
}

/**
 * @param {ViewerState} state
 * @param {Surface[]} loaded
 * @param {number} index
 * @returns {LabelledSurface}
 */
function errorPicture(state, loaded, index) {
  const { truth, top, pictures } = state;
  const surface = cached(state, `error ${index} ${top}`, () =>
    errorOf(loaded[index], loaded[truth], top, SEQUENTIAL),
  );
  return [surface, `Error of ${pictures[index].label.toLowerCase()}`];
}

/**
 * The shared view, limited to a box; the whole picture until a user zooms.
 * @param {ViewerState} state
 * @param {Size} size
 * @param {Size} box
 */
export const viewIn = (state, size, box) =>
  state.view ? clamp(state.view, size, box, devicePixelRatio) : fit(size, box, devicePixelRatio);

/** Each computed picture needs as much memory as an original. */
const MAX_CACHED = 4;

/**
 * A computed picture from the cache, which keeps the last few.
 * @param {ViewerState} state
 * @param {string} key
 * @param {() => Surface} compute
 */
function cached({ cache }, key, compute) {
  const surface = cache.get(key) ?? compute();
  cache.delete(key);
  cache.set(key, surface);
  const [oldest] = cache.keys();
  if (cache.size > MAX_CACHED) cache.delete(oldest);
  return surface;
}
