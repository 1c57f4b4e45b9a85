// Pictures that are replaced without flicker: new ones are shown when they are loaded.
import { findAll } from "./dom.js";

/** @type {WeakMap<Element, Element[]>} The newest elements by holder. */
const latest = new WeakMap();

/**
 * Replace a holder's children when the pictures in the new ones are loaded. If there are several
 * calls, the last one wins.
 * @param {Element} holder
 * @param {Element[]} elements
 */
export async function replaceWhenLoaded(holder, elements) {
  latest.set(holder, elements);
  const pictures = elements.flatMap((child) =>
    findAll(child, "img:not([loading=lazy])", HTMLImageElement),
  );
  await Promise.allSettled(pictures.map((picture) => picture.decode()));
  if (latest.get(holder) === elements) holder.replaceChildren(...elements);
}
