// The learning rate over a run, drawn from the points of a preview.
import uPlot from "../../vendor/uPlot.esm.js";
import { percent, small } from "../base/format.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const HEIGHT = 170;

/** A chart in the holder; returns a function that shows {points, dead_at}. */
export function rateCurve(holder) {
  let shown = { points: [], dead_at: null };
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const plot = new uPlot(
    {
      width: holder.clientWidth,
      height: HEIGHT,
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(low, 0), high || 1] } },
      legend: { show: false },
      cursor: { show: false },
      axes: [
        { ...axis, size: 28, values: (_, ticks) => ticks.map((tick) => `${tick} %`) },
        { ...axis, size: 60, values: (_, ticks) => ticks.map(small) },
      ],
      series: [{}, { stroke: () => colour("--rate"), width: 2, pxAlign: 0 }],
      hooks: { draw: [(drawn) => mark(drawn, shown.dead_at)] },
    },
    [[], []],
    holder,
  );
  new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: HEIGHT })).observe(holder);
  document.addEventListener("themechange", () => plot.redraw());
  return (rate) => {
    shown = rate;
    plot.setData([rate.points.map((_, index) => (100 * index) / (rate.points.length - 1)), rate.points]);
  };
}

/** Where the rate falls under 1 % of its base for good. */
function mark(plot, deadAt) {
  if (deadAt == null || deadAt >= 1) return;
  const { ctx, bbox } = plot;
  const x = plot.valToPos(100 * deadAt, "x", true);
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("--bad");
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui`;
  const right = deadAt > 0.6;
  ctx.textAlign = right ? "right" : "left";
  ctx.fillText(`under 1 % from ${percent(deadAt)} on`, x + (right ? -6 : 6) * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
  ctx.restore();
}
