// The learning rate over a run, from the points of a preview.
import uPlot from "../../vendor/uPlot.esm.js";
import { percent, rounded, small } from "../base/format.js";
import { AXIS, cssColour } from "./styles.js";

/** @import { PreviewRate } from "../base/types.js" */

const HEIGHT = 170;

/**
 * Create the chart in a holder.
 * @param {HTMLElement} holder
 * @returns {(rate: PreviewRate) => void} Shows a rate.
 */
export function rateCurve(holder) {
  /** @type {number | null} */
  let deadAt = null;
  const plot = new uPlot(
    {
      width: holder.clientWidth,
      height: HEIGHT,
      scales: {
        x: { time: false },
        y: { range: (_plot, low, high) => [Math.min(low, 0), high || 1] },
      },
      legend: { show: false },
      cursor: { show: false },
      axes: [
        {
          ...AXIS,
          size: 28,
          values: (_plot, ticks) => ticks.map((tick) => `${rounded(tick, 1)} %`),
        },
        { ...AXIS, size: 60, values: (_plot, ticks) => ticks.map(small) },
      ],
      series: [{}, { stroke: () => cssColour("--rate"), width: 2, pxAlign: 0 }],
      hooks: { draw: [(drawn) => mark(drawn, deadAt)] },
    },
    [[], []],
    holder,
  );
  new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: HEIGHT })).observe(
    holder,
  );
  document.addEventListener("themechange", () => plot.redraw());
  return ({ points, dead_at }) => {
    deadAt = dead_at;
    plot.setData([points.map((_, index) => (100 * index) / (points.length - 1)), points]);
  };
}

/**
 * Mark the place from which on the rate is under 1 % of its base.
 * @param {uPlot} plot
 * @param {number | null} deadAt A share of the run.
 */
function mark(plot, deadAt) {
  if (deadAt == null || deadAt >= 1) return;
  const { ctx, bbox } = plot;
  const x = plot.valToPos(100 * deadAt, "x", true);
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = cssColour("--bad");
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui`;
  const isAtRight = deadAt > 0.6;
  ctx.textAlign = isAtRight ? "right" : "left";
  ctx.fillText(
    `under 1 % from ${percent(deadAt)} on`,
    x + (isAtRight ? -6 : 6) * devicePixelRatio,
    bbox.top + 14 * devicePixelRatio,
  );
  ctx.restore();
}
