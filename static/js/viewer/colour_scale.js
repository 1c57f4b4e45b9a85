// Legends of colour maps: a bar with labels.
import { gradient } from "./colour_map.js";
import { element } from "../base/dom.js";

/**
 * Create the legend of a colour map.
 * @param {Uint32Array} colours
 * @param {...(string | number)} labels From the lowest to the highest value.
 */
export function colourScale(colours, ...labels) {
  const bar = element("i", {});
  bar.style.background = gradient(colours);
  const texts = labels.map((label) => element("span", {}, label));
  return element(
    "span",
    { class: "colour-scale" },
    bar,
    element("span", { class: "colour-scale-labels" }, ...texts),
  );
}
