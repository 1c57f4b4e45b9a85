// The pictures that the form of a test names, next to it.
import { element, find, findAll, findOptional } from "../base/dom.js";

/** @type {[name: string, label: string][]} */
const FIELDS = [
  ["image", "Image"],
  ["pair", "Input of the pair"],
  ["target", "Ground truth"],
];
const PAUSE_MS = 300;

/**
 * Show the chosen image and ground truth, or the chosen pair.
 * @param {HTMLElement} inputs The fields.
 * @param {HTMLElement} holder
 */
export function chosenPictures(inputs, holder) {
  const empty = find(holder, ".empty-part");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let shown = "";

  function show() {
    const chosen = FIELDS.flatMap(([name, label]) => {
      const url = urlOf(inputs, name);
      return url ? [{ label, url }] : [];
    });
    const key = JSON.stringify(chosen);
    if (key === shown) return;
    shown = key;
    empty.hidden = chosen.length > 0;
    for (const old of findAll(holder, "figure")) old.remove();
    holder.append(...chosen.map(figure));
  }
  const showSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE_MS);
  };
  for (const type of ["input", "change"]) inputs.addEventListener(type, showSoon);
  addEventListener("pageshow", showSoon); // The browser may have restored earlier values.
  showSoon();
}

/**
 * The picture of a field, empty if it has none.
 * @param {HTMLElement} inputs
 * @param {string} name
 */
function urlOf(inputs, name) {
  const field = findOptional(inputs, `[name="${name}"]:enabled`, HTMLInputElement);
  const text = field?.value.trim() ?? "";
  if (!text || /^https?:/i.test(text)) return "";
  if (name !== "pair") return `/files/picture?path=${encodeURIComponent(text)}`;
  const picture = findOptional(inputs, ".pair-list :checked ~ img", HTMLImageElement);
  return picture?.src ?? "";
}

/** @param {{ label: string, url: string }} chosen */
function figure({ label, url }) {
  const caption = element("figcaption", {}, label);
  const picture = element("img", { src: url, alt: label });
  picture.addEventListener("load", () => {
    caption.textContent = `${label}, ${picture.naturalWidth}×${picture.naturalHeight}`;
  });
  picture.addEventListener("error", () => {
    picture.remove();
    caption.textContent = `${label}: no preview. The form checks the file.`;
  });
  return element("figure", {}, picture, caption);
}
