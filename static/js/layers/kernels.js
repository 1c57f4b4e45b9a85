// The weights of a layer as pictures, with zero in the middle of the colour scale: one column per
// output channel, one row per input channel.
import { colouredPage, grayValues, loadImage, paintTiles } from "./atlas.js";
import { DIVERGING } from "../viewer/colour_map.js";
import { colourScale } from "../viewer/colour_scale.js";
import { element } from "../base/dom.js";
import { count, small } from "../base/format.js";
import { pictureUrl } from "./maps.js";
import { pager } from "../base/pager.js";

/** @import { KernelPage, LayerWeights } from "../base/types.js" */
/** @import { Layer } from "../base/client_types.js" */
/** @import { Arrangement, GrayPicture } from "./atlas.js" */

/**
 * @typedef {object} DrawnKernels
 * @property {KernelPage} page
 * @property {HTMLImageElement} image
 * @property {GrayPicture} gray
 * @property {number} reach The largest absolute weight.
 * @property {Arrangement & { scale: number }} arrangement
 */

const GAP = 1;
/** Pixels per weight. */
const [LEAST, MOST] = [2, 12];
/** The largest side of the picture, in CSS pixels. */
const SIDE = 560;
/** The grey value of zero. */
const ZERO = 128;

/**
 * The output and the input channel of a kernel.
 * @param {Pick<KernelPage, "outputs" | "inputs" | "columns">} page
 * @param {number} index Of the kernel in the page.
 */
export function kernelAt({ outputs, inputs, columns }, index) {
  if (inputs[1] === 1) return { output: outputs[0] + index, input: inputs[0] };
  if (outputs[1] === 1) return { output: outputs[0], input: inputs[0] + index };
  return { output: outputs[0] + (index % columns), input: inputs[0] + Math.floor(index / columns) };
}

/**
 * Create the view of a layer's weights. It loads pictures when it is first visible.
 * @returns {{ element: HTMLElement, show: (layer: Layer, weights: LayerWeights) => void }}
 */
export function kernelsView() {
  const canvas = element("canvas", { role: "img" });
  const scroll = element(
    "div",
    { class: "kernels", tabindex: 0, role: "group", "aria-label": "Weights" },
    canvas,
  );
  const scale = element("span", { class: "maps-scale" });
  const readout = element("p", { class: "readout quiet" });
  const pages = pager((page) => {
    current = page;
    if (shown) show(shown.layer, shown.weights);
  });
  const holder = element(
    "div",
    { class: "maps-box" },
    scroll,
    element("div", { class: "maps-tools" }, readout, pages.element, scale),
  );
  /** @type {{ layer: Layer, weights: LayerWeights } | null} */
  let shown = null;
  let current = 0;
  /** @type {DrawnKernels | null} */
  let drawn = null;
  let latest = 0;

  /**
   * @param {Layer} layer
   * @param {LayerWeights} weights
   */
  async function show(layer, weights) {
    shown = { layer, weights };
    const { shape, min, max } = weights;
    current = Math.min(current, weights.pages.length - 1);
    const page = weights.pages[current];
    const outputs = `outputs ${rangeText(page.outputs)} of ${count(shape[0])}`;
    const inputs = `inputs ${rangeText(page.inputs)} of ${count(shape[1])}`;
    pages.show(current, weights.pages.length, `${outputs}, ${inputs}`);
    canvas.setAttribute(
      "aria-label",
      `Weights of ${layer.name}, ${count(page.count)} kernels of ${page.height}×${page.width}`,
    );
    if (!scroll.clientWidth) return;
    const turn = ++latest;
    try {
      const image = await loadImage(pictureUrl(layer, page));
      if (turn !== latest) return;
      const reach = Math.max(Math.abs(min), Math.abs(max));
      draw({ page, image, gray: grayValues(image), reach });
    } catch {
      if (turn === latest)
        readout.textContent = "The picture could not be loaded. Reload the page.";
    }
  }

  /** @param {Omit<DrawnKernels, "arrangement">} kernels */
  function draw(kernels) {
    const { page, image, reach } = kernels;
    const rows = Math.ceil(page.count / page.columns);
    /**
     * The largest scale at which kernels fit.
     * @param {number} side
     * @param {number} number
     * @param {number} pixels
     */
    const fitting = (side, number, pixels) =>
      Math.floor(((Math.min(side, SIDE) + GAP) / number - GAP) / pixels);
    const largest = Math.min(
      MOST,
      fitting(scroll.clientWidth, page.columns, page.width),
      fitting(SIDE, rows, page.height),
    );
    const factor = Math.max(LEAST, largest);
    const arrangement = {
      columns: page.columns,
      width: page.width * factor,
      height: page.height * factor,
      gap: GAP,
      scale: factor,
    };
    drawn = { ...kernels, arrangement };
    const coloured = colouredPage(image, page, () => DIVERGING);
    paintTiles(canvas, coloured, page, arrangement, devicePixelRatio);
    canvas.style.width = `${canvas.width / devicePixelRatio}px`;
    scale.replaceChildren(colourScale(DIVERGING, small(-reach), "0", small(reach)));
    readout.textContent = hintOf(page);
  }

  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    if (drawn) readout.textContent = weightText(drawn, offsetX, offsetY) ?? hintOf(drawn.page);
  });
  canvas.addEventListener("pointerleave", () => {
    if (drawn) readout.textContent = hintOf(drawn.page);
  });
  new ResizeObserver(() => {
    if (drawn) draw(drawn);
    else if (shown) show(shown.layer, shown.weights);
  }).observe(scroll);
  return { element: holder, show };
}

/** @param {KernelPage} page */
const hintOf = ({ inputs, outputs }) =>
  inputs[1] === 1 || outputs[1] === 1
    ? "One square per kernel."
    : "One column per output channel, one row per input channel.";

/** @param {[first: number, count: number]} range */
const rangeText = ([first, number]) => `${first}–${first + number - 1}`;

/**
 * The weight at a point of the canvas as text; null between kernels.
 * @param {DrawnKernels} drawn
 * @param {number} x
 * @param {number} y
 */
function weightText({ page, gray, reach, arrangement }, x, y) {
  const { width, height, scale } = arrangement;
  const column = Math.floor(x / (width + GAP));
  const row = Math.floor(y / (height + GAP));
  const right = Math.floor((x - column * (width + GAP)) / scale);
  const down = Math.floor((y - row * (height + GAP)) / scale);
  const index = row * page.columns + column;
  const isInKernel = x >= 0 && y >= 0 && right < page.width && down < page.height;
  if (!isInKernel || column >= page.columns || index >= page.count) return null;
  const { output, input } = kernelAt(page, index);
  const at = (row * page.height + down) * gray.width + column * page.width + right;
  const weight = ((gray.values[at] - ZERO) / (ZERO - 1)) * reach;
  return `Output ${output}, input ${input}, row ${down}, column ${right}: about ${small(weight)}`;
}
