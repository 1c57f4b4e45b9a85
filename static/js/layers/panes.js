// The panes of the dialog of a channel: the channel and the input, at full size, scrolled together.
import { coloursOn } from "./scale.js";
import { context2d, element } from "../base/dom.js";
import { small } from "../base/format.js";

/** @import { Box, LayersRegion } from "../base/types.js" */
/** @import { Size } from "../base/client_types.js" */
/** @import { GrayPicture } from "./atlas.js" */
/** @import { Parts } from "./channel.js" */
/** @import { ChannelScale } from "./scale.js" */

/**
 * @typedef {object} Pane
 * @property {HTMLElement} element
 * @property {HTMLElement} box
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} marks
 * @property {HTMLElement} caption
 * @property {number} scale
 *
 * @typedef {object} Drawing
 * @property {GrayPicture} gray The channel.
 * @property {HTMLImageElement | null} picture The input.
 * @property {Box | LayersRegion | null | undefined} part
 * @property {[number, number, number]} shape Of the layer.
 * @property {ChannelScale} scale
 * @property {number} low
 * @property {number} high
 */

/**
 * The factor that enlarges a picture to fill a box: a whole number, at least 1.
 * @param {Size} picture
 * @param {Size} box
 */
export function enlargement({ width, height }, box) {
  return Math.max(1, Math.floor(Math.min(box.width / width, box.height / height)));
}

/**
 * @param {string} title
 * @returns {Pane}
 */
export function pane(title) {
  const canvas = element("canvas", { role: "img" });
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const box = element("div", { class: "pane" }, element("div", { class: "sheet" }, canvas, marks));
  const caption = element("figcaption", {}, title);
  return { element: element("figure", {}, caption, box), canvas, marks, box, caption, scale: 1 };
}

/**
 * Draw the channel and the input. Pictures that are larger than their boxes scroll together.
 * @param {Parts} parts
 * @param {Drawing} drawing
 */
export function draw({ map, input, readout }, { gray, picture, part, shape, scale, low, high }) {
  const full = { width: shape[2], height: shape[1] };
  const inputSize = picture && {
    width: part?.width ?? picture.naturalWidth,
    height: part?.height ?? picture.naturalHeight,
  };
  const box = { width: map.element.clientWidth, height: 0.46 * innerHeight };
  const factor = enlargement(inputSize ?? full, box);
  // A value of the map that covers several pixels of the input is as large as these.
  map.scale = Math.max(1, Math.round(factor * ((inputSize ?? full).width / full.width)));
  const pixels = new ImageData(gray.width, gray.height);
  const colours = coloursOn(scale, [low, high]);
  new Uint32Array(pixels.data.buffer).set(Uint32Array.from(gray.values, (value) => colours[value]));
  fill(map, gray, full, (context) => context.putImageData(pixels, 0, 0));
  map.canvas.setAttribute("aria-label", "The channel");
  const preview = gray.width < full.width ? `, preview from ${gray.width}×${gray.height}` : "";
  const size = `${full.width}×${full.height}`;
  map.caption.textContent = `Channel, ${size}${preview}${timesText(map.scale)}`;
  input.element.hidden = !inputSize;
  if (picture && inputSize) {
    input.scale = factor;
    fill(input, inputSize, inputSize, (context) =>
      context.drawImage(picture, -(part?.left ?? 0), -(part?.top ?? 0)),
    );
    input.canvas.setAttribute("aria-label", "The input");
    const region = `${part ? "the middle " : ""}${inputSize.width}×${inputSize.height}`;
    input.caption.textContent = `Input, ${region}${timesText(factor)}`;
  }
  const hint = "Point at the channel to read its values.";
  readout.textContent = hint;
  map.canvas.onpointerleave = () => (readout.textContent = hint);
  map.canvas.onpointermove = ({ offsetX, offsetY }) => {
    const x = Math.floor((offsetX / map.canvas.clientWidth) * gray.width);
    const y = Math.floor((offsetY / map.canvas.clientHeight) * gray.height);
    if (x < 0 || y < 0 || x >= gray.width || y >= gray.height) return;
    const column = Math.floor((x * full.width) / gray.width);
    const row = Math.floor((y * full.height) / gray.height);
    const value = low + ((high - low) * gray.values[y * gray.width + x]) / 255;
    readout.textContent = `x ${column}, y ${row}: about ${small(value)}`;
  };
}

/** @param {number} factor */
const timesText = (factor) => (factor > 1 ? `, ×${factor}` : "");

/**
 * Paint a pane.
 * @param {Pane} pane
 * @param {Size} size Of the canvas.
 * @param {Size} full The size that the pane's scale enlarges.
 * @param {(context: CanvasRenderingContext2D) => void} paint
 */
function fill({ canvas, box, marks, scale }, { width, height }, full, paint) {
  canvas.width = width;
  canvas.height = height;
  paint(context2d(canvas));
  for (const { style } of [canvas, marks]) {
    style.width = `${full.width * scale}px`;
    style.height = `${full.height * scale}px`;
  }
  const isLarger = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  box.classList.toggle("larger", isLarger);
  if (isLarger) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}

/**
 * @param {HTMLElement} first
 * @param {HTMLElement} second
 */
export function scrollTogether(first, second) {
  for (const [from, to] of [
    [first, second],
    [second, first],
  ]) {
    from.addEventListener("scroll", () => {
      if (to.scrollLeft !== from.scrollLeft) to.scrollLeft = from.scrollLeft;
      if (to.scrollTop !== from.scrollTop) to.scrollTop = from.scrollTop;
    });
  }
}
