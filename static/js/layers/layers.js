// The layers of a network, one card each: name, statistics, pictures of all channels and weights.
import { channelView } from "./channel.js";
import { definitions, element, svg } from "../base/dom.js";
import { count, counted, percent, small } from "../base/format.js";
import { kernelsView } from "./kernels.js";
import { channelMaps, scaleChoice } from "./maps.js";

/** @import { Histogram, LayerWeights, Statistics } from "../base/types.js" */
/** @import { Layer } from "../base/client_types.js" */
/** @import { LayerSources } from "./channel.js" */
/** @import { MapSizes } from "./maps.js" */

/**
 * The count that a histogram's height stands for: its highest bar. A bar far above all others is
 * cut, so that the others can be seen.
 * @param {number[]} counts
 */
export function histogramTop(counts) {
  const [first, second] = [...counts].sort((a, b) => b - a);
  return second && first > 4 * second ? 1.25 * second : Math.max(first, 1);
}

/**
 * The outline of a histogram in a box, as an SVG path.
 * @param {number[]} counts
 * @param {number} width
 * @param {number} height
 */
export function histogramPath(counts, width, height) {
  const top = histogramTop(counts);
  const step = width / counts.length;
  const bars = counts.map((value, index) => {
    const y = Math.max(0, height - (height * value) / top).toFixed(1);
    return `L${(index * step).toFixed(1)},${y}L${((index + 1) * step).toFixed(1)},${y}`;
  });
  return `M0,${height}${bars.join("")}L${width},${height}Z`;
}

/**
 * @param {Histogram} histogram
 * @param {string} label
 */
function histogramBox({ counts, edges }, label) {
  const drawing = svg("svg", {
    viewBox: "0 0 160 40",
    class: "histogram",
    role: "img",
    "aria-label": label,
  });
  drawing.append(svg("path", { d: histogramPath(counts, 160, 40) }));
  const most = Math.max(...counts);
  const total = counts.reduce((sum, value) => sum + value, 0);
  const title = "The highest bar is cut off. It contains this share of all values.";
  const cut =
    most > histogramTop(counts) ? element("span", { title }, `▲ ${percent(most / total)}`) : null;
  const range = element(
    "span",
    { class: "range" },
    element("span", {}, small(edges[0])),
    cut,
    element("span", {}, small(edges[edges.length - 1])),
  );
  return element("div", { class: "histogram-box" }, drawing, range);
}

/**
 * @param {Statistics} values
 * @param {string} label Of the histogram.
 * @param {...HTMLElement} above
 */
function statistics(values, label, ...above) {
  const numbers = definitions([
    ["mean", small(values.mean)],
    ["std", small(values.std)],
    ["min", small(values.min)],
    ["max", small(values.max)],
    ["zeros", percent(values.zero_share)],
  ]);
  const warning = values.not_finite
    ? element(
        "p",
        { class: "wrong" },
        `! ${count(values.not_finite)} values are not finite; they are shown as zero.`,
      )
    : null;
  return [
    element("div", {}, ...above, element("dl", {}, ...numbers), warning),
    histogramBox(values.histogram, label),
  ];
}

/** @param {Layer} layer */
function head({ index, name, layer_type, parameters, shape, field }) {
  const facts = [
    parameters ? counted(parameters, "parameter") : null,
    `output ${shape.join("×")}`,
    field ? `receptive field ${field.join("×")}` : null,
  ];
  return element(
    "header",
    {},
    element("h3", {}, `${index} ${name}`),
    element("span", { class: "quiet" }, layer_type),
    element("span", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
  );
}

/**
 * Create the cards of layers in a holder.
 * @param {HTMLElement} holder
 * @param {HTMLElement} look Gets the choice of the colours' scale.
 * @param {LayerSources} sources
 * @returns {{ show: (layer: Layer) => void, clear: () => void }} `show` adds a layer, or replaces
 *   the one with the same index.
 */
export function layerCards(holder, look, { input, fetchChannel = null }) {
  /** @type {Map<number, ReturnType<typeof card>>} */
  const cards = new Map();
  const isSmall = () => holder.classList.contains("layers-live");
  const sizes = { tall: () => (isSmall() ? 264 : 420), least: () => (isSmall() ? 24 : 60) };
  const dialog = channelView({
    input,
    fetchChannel,
    onClose: (layer, channel) => cards.get(layer.index)?.focus(channel),
  });
  return {
    show: (layer) => {
      if (!layer.pages) return; // From an earlier version, which had a single picture.
      if (!cards.size) {
        holder.replaceChildren();
        look.replaceChildren(scaleChoice());
      }
      let shown = cards.get(layer.index);
      if (!shown) {
        shown = card(sizes, dialog.show);
        cards.set(layer.index, shown);
        holder.append(shown.element);
      }
      shown.show(layer);
      dialog.layerAdded(layer);
    },
    clear: () => {
      cards.clear();
      holder.replaceChildren();
      look.replaceChildren();
    },
  };
}

/**
 * @param {MapSizes} sizes
 * @param {(layer: Layer, channel: number) => void} open
 */
function card(sizes, open) {
  const about = element("div", { class: "layer-numbers" });
  const channels = channelMaps(sizes, open);
  const holder = element("article", { class: "layer" }, about, channels.element);
  /** @type {ReturnType<typeof weightsView> | null} */
  let weights = null;
  return {
    element: holder,
    focus: channels.focus,
    /** @param {Layer} layer */
    show: (layer) => {
      holder.dataset.layer = layer.name;
      about.replaceChildren(
        ...statistics(layer, `Histogram of the activations of ${layer.name}`, head(layer)),
      );
      channels.show(layer);
      if (!layer.weights) return;
      if (!weights) {
        weights = weightsView();
        holder.append(weights.element);
      }
      weights.show(layer, layer.weights);
    },
  };
}

/** Create the folded part with a layer's weights. */
function weightsView() {
  const title = element("summary", {});
  const about = element("div", { class: "layer-numbers" });
  const pictures = kernelsView();
  return {
    element: element("details", {}, title, about, pictures.element),
    /**
     * @param {Layer} layer
     * @param {LayerWeights} weights
     */
    show: (layer, weights) => {
      title.textContent = `Weights ${weights.shape.join("×")}`;
      about.replaceChildren(...statistics(weights, `Histogram of the weights of ${layer.name}`));
      pictures.show(layer, weights);
    },
  };
}
