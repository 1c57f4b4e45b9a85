// One chart of some series over the steps (uPlot), in the page's colours.
import uPlot from "../vendor/uPlot.esm.js";
import { small } from "./format.js";
import { align } from "./series.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const STYLES = {
  "train/l1": { label: "training", colour: "--train" },
  "val/l1": { label: "validation", colour: "--validation" },
  "val/psnr": { label: "output", colour: "--validation" },
  "val/psnr_input": { label: "input", colour: "--baseline", dash: [6, 4] },
  lr: { label: "rate", colour: "--rate" },
  images_per_second: { label: "patches/s", colour: "--train" },
};

/** Draw `keys` of the series into the holder; returns a function that draws it anew after the series grew. */
export function chart(holder, series) {
  const keys = holder.dataset.keys.split(",");
  const plot = new uPlot(options(holder, keys), align(series, keys), holder);
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

function options(holder, keys) {
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return {
    ...sizeOf(holder),
    scales: { x: { time: false } },
    axes: [
      { ...axis, size: 28, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString("en") : "")) },
      { ...axis, size: 56, values: (_, ticks, __, ___, step) => ticks.map((tick) => ofStep(tick, step)) },
    ],
    series: [{ label: "step" }, ...keys.map(line)],
    cursor: { sync: { key: "run" } },
  };
}

function line(key) {
  const style = STYLES[key];
  return {
    label: style.label,
    stroke: () => colour(style.colour),
    width: 2,
    dash: style.dash,
    spanGaps: true,
    points: { show: (plot) => plot.data[0].length < 40, size: 5 },
    value: (_, value) => small(value),
  };
}

/** A tick's value with the digits in which it differs from the next. */
function ofStep(tick, step) {
  return Math.abs(tick) < 1e-3 && tick !== 0 ? small(tick) : tick.toLocaleString("en", { maximumFractionDigits: Math.max(0, Math.ceil(-Math.log10(step))) });
}

function sizeOf(holder) {
  return { width: Math.max(holder.clientWidth, 200), height: 200 };
}
