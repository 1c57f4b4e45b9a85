// One layer of a network: what it is, its numbers, and pictures of all its channels.
import { element, svg } from "./dom.js";
import { count, percent, small } from "./format.js";

/** The outline of a histogram in a box of the given size, as an SVG path. */
export function histogramPath(counts, width, height) {
  const most = Math.max(...counts, 1);
  const step = width / counts.length;
  const tops = counts.map((value, index) => {
    const y = height - (height * value) / most;
    return `L${(index * step).toFixed(1)},${y.toFixed(1)}L${((index + 1) * step).toFixed(1)},${y.toFixed(1)}`;
  });
  return `M0,${height}${tops.join("")}L${width},${height}Z`;
}

function histogram({ counts, edges }, words) {
  const drawing = svg("svg", { viewBox: "0 0 160 40", class: "histogram", role: "img", "aria-label": words });
  drawing.append(svg("path", { d: histogramPath(counts, 160, 40) }));
  const range = element("span", { class: "range" }, element("span", {}, small(edges[0])), element("span", {}, small(edges.at(-1))));
  return element("div", { class: "histogram-box" }, drawing, range);
}

function picture(source, words) {
  return element("a", { href: source, target: "_blank", title: "Open at full size" }, element("img", { src: source, alt: words, loading: "eager" }));
}

function numbers(of) {
  return `mean ${small(of.mean)} · std ${small(of.std)} · min ${small(of.min)} · max ${small(of.max)} · zeros ${percent(of.zero_share)}`;
}

/** A picture that a training draws anew now and then: not the one that the browser has kept. */
const asOf = (source, { step }) => (step == null ? source : `${source}?step=${step}`);

/** The card of a `layer` event. */
export function layerCard(layer) {
  const { weights } = layer;
  const [low, high] = layer.picture_range;
  return element(
    "article",
    { class: "layer", "data-layer": layer.name },
    element(
      "header",
      {},
      element("h3", {}, `${layer.index} ${layer.name}`),
      element("span", { class: "quiet" }, layer.layer_type),
      element("span", { class: "quiet" }, `${layer.parameters ? `${count(layer.parameters)} parameters · ` : ""}${layer.shape.join("×")}`),
    ),
    element("div", { class: "layer-numbers" }, element("p", {}, numbers(layer)), histogram(layer.histogram, `Histogram of the activations of ${layer.name}`)),
    element("figure", { class: "activations" }, picture(asOf(layer.picture, layer), `All ${layer.shape[0]} channels of ${layer.name}`), element("figcaption", {}, `${layer.shape[0]} channel${layer.shape[0] === 1 ? "" : "s"}, black ${small(low)}, white ${small(high)}`)),
    weights &&
      element(
        "details",
        {},
        element("summary", {}, `Weights ${weights.shape.join("×")}`),
        element("div", { class: "layer-numbers" }, element("p", {}, numbers(weights)), histogram(weights.histogram, `Histogram of the weights of ${layer.name}`)),
        element("figure", { class: "activations" }, picture(asOf(weights.picture, layer), `Weights of ${layer.name}`)),
      ),
  );
}
