// Rate-distortion curves: PSNR over the bits of a frame.
import { svg } from "../base/dom.js";
import { counted, decibel } from "../base/format.js";
import { paddedRange } from "./axes.js";
import { plane } from "./scatter.js";

/** @import { CurveStyle } from "./styles.js" */

/**
 * @typedef {object} RateLine
 * @property {string} name
 * @property {Pick<CurveStyle, "colour" | "dash">} style
 * @property {{ rate: string, bits: number, psnr: number }[]} points By bits.
 */

const LABELS = { x: "bits per frame", y: "PSNR of Y, dB" };
const RADIUS = 3.5;

/**
 * Draw curves into a holder, as wide as it is.
 * @param {HTMLElement} holder
 * @param {RateLine[]} lines With at least one point.
 */
export function drawRateDistortion(holder, lines) {
  const points = lines.flatMap((line) => line.points);
  const psnrs = points.map(({ psnr }) => psnr);
  const range = paddedRange(Math.min(...psnrs), Math.max(...psnrs));
  const { chart, across, up } = plane(
    holder,
    points.map(({ bits }) => ({ x: bits })),
    range,
    LABELS,
  );
  for (const { name, style, points: of } of lines) {
    const places = of.map(({ bits, psnr }) => ({ x: across(bits), y: up(psnr) }));
    const curve = svg("g", { class: "rates" });
    curve.style.setProperty("--series", `var(${style.colour})`);
    const path = places.map(({ x, y }) => `${x} ${y}`).join("L");
    curve.append(
      svg("path", { d: `M${path}`, "stroke-dasharray": style.dash?.join(" ") ?? "none" }),
    );
    places.forEach(({ x, y }, index) => {
      const { rate, bits, psnr } = of[index];
      const mark = svg("circle", { cx: x, cy: y, r: RADIUS });
      const text = `${name}, ${rate}: ${decibel(psnr)}, ${counted(Math.round(bits), "bit")} per frame`;
      mark.append(svg("title", {}, text));
      curve.append(mark);
    });
    chart.append(curve);
  }
}
