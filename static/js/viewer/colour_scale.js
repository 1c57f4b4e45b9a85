// What colours stand for: a bar of them between numbers.
import { gradient } from "./colour_map.js";
import { element } from "../base/dom.js";

/** The scale of a table of colours; `words` stand along it, from its lowest to its highest. */
export function colourScale(colours, ...words) {
  const bar = element("i", {});
  bar.style.background = gradient(colours);
  const said = element("span", { class: "colour-scale-words" }, ...words.map((one) => element("span", {}, one)));
  return element("span", { class: "colour-scale" }, bar, said);
}
