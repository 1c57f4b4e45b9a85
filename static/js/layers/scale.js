// The colours of a layer's channels: values of both signs on a diverging scale with zero in its
// middle, others on a sequential one.
import { DIVERGING, onScale, SEQUENTIAL } from "../viewer/colour_map.js";
import { colourScale } from "../viewer/colour_scale.js";
import { small } from "../base/format.js";

/**
 * @typedef {[low: number, high: number]} ValueRange
 *
 * @typedef {object} ChannelScale
 * @property {Uint32Array} map
 * @property {ValueRange} ends The values of the first and the last colour.
 */

/** Below this share of the largest value, negative values are overshoot, as in a restored image. */
const OVERSHOOT = 0.05;

/**
 * The scale for values of a layer.
 * @param {{ min: number, max: number }} layer
 * @param {ValueRange} range Of the values that are shown.
 * @returns {ChannelScale}
 */
export function scaleFor({ min, max }, [low, high]) {
  if (-min <= OVERSHOOT * max) return { map: SEQUENTIAL, ends: [low, high] };
  const reach = Math.max(-low, high, 0);
  return { map: DIVERGING, ends: [-reach, reach] };
}

/**
 * The colours of the grey values 0 to 255 that stand for a range.
 * @param {ChannelScale} scale
 * @param {ValueRange} range
 */
export const coloursOn = ({ map, ends }, range) => onScale(map, range, ends);

/**
 * The legend of a scale.
 * @param {ChannelScale} scale
 */
export function legend({ map, ends: [from, to] }) {
  if (map === SEQUENTIAL) return colourScale(map, small(from), small(to));
  return colourScale(map, small(from), "0", small(to));
}

/**
 * The legend of scales that differ by channel. A diverging one ends at the same distance from zero
 * on both sides, so its ends are not the channel's minimum and maximum.
 * @param {{ min: number, max: number }} layer
 */
export function ownLegend(layer) {
  const { map } = scaleFor(layer, [layer.min, layer.max]);
  if (map === SEQUENTIAL) return colourScale(map, "min", "max of each channel");
  return colourScale(map, "−max |x|", "0", "max |x| of each channel");
}
