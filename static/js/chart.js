// One chart of some series over the steps (uPlot), in the page's colours.
import uPlot from "../vendor/uPlot.esm.js";
import { percent, small } from "./format.js";
import { align } from "./series.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const STYLES = {
  lr: { label: "rate", colour: "--rate" },
  gradient_norm: { label: "norm", colour: "--train" },
  images_per_second: { label: "patches/s", colour: "--train" },
  data_wait: { label: "waiting", colour: "--train", show: (share) => (share == null ? "–" : percent(share)) },
};

/** How a series looks: the same thing everywhere, and the input as it is, dashed. */
function styleOf(key) {
  if (STYLES[key]) return STYLES[key];
  if (key.startsWith("train/")) return { label: "training", colour: "--train" };
  return key.endsWith("_input") ? { label: "input", colour: "--baseline", dash: [6, 4] } : { label: "validation", colour: "--validation" };
}

/** Draw `keys` of the series into the holder; returns a function that draws it anew after the series grew. */
export function chart(holder, series, style = styleOf) {
  const keys = holder.dataset.keys.split(",");
  const plot = new uPlot(options(holder, keys.map((key) => line(style(key)))), align(series, keys), holder);
  const draw = () => {
    const data = align(series, keys);
    plot.setData(data);
    holder.dataset.points = data[0].length;
  };
  new ResizeObserver(() => plot.setSize(sizeOf(holder))).observe(holder);
  document.addEventListener("themechange", () => plot.redraw());
  draw();
  return draw;
}

function options(holder, lines) {
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return {
    ...sizeOf(holder),
    scales: { x: { time: false } },
    axes: [
      { ...axis, size: 28, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString("en") : "")) },
      { ...axis, size: 56, values: (_, ticks, __, ___, step) => ticks.map((tick) => ofStep(tick, step)) },
    ],
    series: [{ label: "step" }, ...lines],
    cursor: { sync: { key: "run" } },
  };
}

function line(style) {
  return {
    label: style.label,
    stroke: () => colour(style.colour),
    width: 2,
    dash: style.dash,
    spanGaps: true,
    points: { show: (plot) => plot.data[0].length < 40, size: 5 },
    value: (_, value) => (style.show ?? small)(value),
  };
}

/** A tick's value with the digits in which it differs from the next. */
function ofStep(tick, step) {
  return Math.abs(tick) < 1e-3 && tick !== 0 ? small(tick) : tick.toLocaleString("en", { maximumFractionDigits: Math.max(0, Math.ceil(-Math.log10(step))) });
}

function sizeOf(holder) {
  return { width: Math.max(holder.clientWidth, 100), height: holder.closest(".low") ? 120 : 200 };
}
