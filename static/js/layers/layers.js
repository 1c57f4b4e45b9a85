// The layers of a network, a card each: what it is, its numbers, and pictures of all its channels and weights.
import { channelView } from "./channel.js";
import { element, svg } from "../base/dom.js";
import { count, percent, small } from "../base/format.js";
import { kernels } from "./kernels.js";
import { maps, rangeChoice } from "./maps.js";

/** How high a histogram is: as its highest bar, unless that is far above all others. Then it is cut, which is said beside it. */
export function heightOf(counts) {
  const [first, second] = [...counts].sort((a, b) => b - a);
  return second && first > 4 * second ? 1.25 * second : Math.max(first, 1);
}

/** The outline of a histogram in a box of the given size, as an SVG path. */
export function histogramPath(counts, width, height) {
  const most = heightOf(counts);
  const step = width / counts.length;
  const tops = counts.map((value, index) => {
    const y = Math.max(0, height - (height * value) / most);
    return `L${(index * step).toFixed(1)},${y.toFixed(1)}L${((index + 1) * step).toFixed(1)},${y.toFixed(1)}`;
  });
  return `M0,${height}${tops.join("")}L${width},${height}Z`;
}

function histogram({ counts, edges }, words) {
  const drawing = svg("svg", { viewBox: "0 0 160 40", class: "histogram", role: "img", "aria-label": words });
  drawing.append(svg("path", { d: histogramPath(counts, 160, 40) }));
  const [most, all] = [Math.max(...counts), counts.reduce((sum, value) => sum + value, 0)];
  const cut = most > heightOf(counts) ? element("span", {}, `▲ ${percent(most / all)}`) : null;
  if (cut) cut.title = "The highest bar is cut off: it has so many of all values.";
  const range = element("span", { class: "range" }, element("span", {}, small(edges[0])), cut, element("span", {}, small(edges.at(-1))));
  return element("div", { class: "histogram-box" }, drawing, range);
}

function numbers(of) {
  const facts = [["mean", small(of.mean)], ["std", small(of.std)], ["min", small(of.min)], ["max", small(of.max)], ["zeros", percent(of.zero_share)]];
  const broken = of.not_finite ? [element("p", { class: "wrong" }, `! ${count(of.not_finite)} values are no finite numbers; they are shown as zero.`)] : [];
  return [element("dl", {}, ...facts.map(([name, words]) => element("div", {}, element("dt", {}, name), element("dd", {}, words)))), ...broken];
}

const plural = (many, word) => `${count(many)} ${word}${many === 1 ? "" : "s"}`;

function head({ index, name, layer_type, parameters, shape, field }) {
  const facts = [parameters ? plural(parameters, "parameter") : null, `output ${shape.join("×")}`, field ? `sees ${field.join("×")}` : null];
  return [element("h3", {}, `${index} ${name}`), element("span", { class: "quiet" }, layer_type), element("span", { class: "quiet" }, facts.filter(Boolean).join(" · "))];
}

function statistics(of, words, ...above) {
  return [element("div", {}, ...above, ...numbers(of)), histogram(of.histogram, words)];
}

/** The cards in a holder: {show(layer), clear()}. A layer (a `layer` event, with `version`: what is put behind the addresses of
 * its pictures) takes the place of an earlier one of its index. `input()` is {url, part} of what went in, and `ask(layer,
 * channel)` gets all of a channel; null where only what the card has can be shown. */
export function layerCards(holder, look, { input, ask = null }) {
  const cards = new Map();
  const small = () => holder.classList.contains("layers-live");
  const size = { tall: () => (small() ? 264 : 420), least: () => (small() ? 24 : 60) };
  const open = channelView({ input, ask, back: (layer, channel) => cards.get(layer.index)?.focus(channel) });
  return {
    show: (layer) => {
      if (!layer.pages) return; // Of an earlier version, which had one picture for all.
      if (!cards.size) {
        holder.replaceChildren();
        look.replaceChildren(rangeChoice());
      }
      if (!cards.has(layer.index)) {
        const made = card(size, open.show);
        cards.set(layer.index, made);
        holder.append(made.element);
      }
      cards.get(layer.index).show(layer);
      open.seen(layer);
    },
    clear: () => {
      cards.clear();
      holder.replaceChildren();
      look.replaceChildren();
    },
  };
}

function card(size, open) {
  const about = element("div", { class: "layer-numbers" });
  const channels = maps(size, open);
  const whole = element("article", { class: "layer" }, about, channels.element);
  let weights = null;
  return {
    element: whole,
    focus: channels.focus,
    show: (layer) => {
      whole.dataset.layer = layer.name;
      about.replaceChildren(...statistics(layer, `Histogram of the activations of ${layer.name}`, element("header", {}, ...head(layer))));
      channels.show(layer);
      if (!layer.weights) return;
      if (!weights) {
        weights = weightsOf();
        whole.append(weights.element);
      }
      weights.show(layer);
    },
  };
}

/** What is folded behind "Weights". */
function weightsOf() {
  const [title, about] = [element("summary", {}), element("div", { class: "layer-numbers" })];
  const pictures = kernels();
  return {
    element: element("details", {}, title, about, pictures.element),
    show: (layer) => {
      title.textContent = `Weights ${layer.weights.shape.join("×")}`;
      about.replaceChildren(...statistics(layer.weights, `Histogram of the weights of ${layer.name}`));
      pictures.show(layer);
    },
  };
}
