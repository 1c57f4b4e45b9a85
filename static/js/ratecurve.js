// The learning rate that a form's values make, drawn while they are typed.
import uPlot from "../vendor/uPlot.esm.js";
import { percent, small } from "./format.js";
import { deathOf, rateAt, scaleOf } from "./rate.js";

const holder = document.querySelector("#rate-curve");
const warning = document.querySelector("#rate-warning");
const field = (name) => document.querySelector(`[name="${name}"]`);
const names = ["solver.learning_rate", "lr_policy.gamma", "lr_policy.per", "epochs"];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function policy() {
  const epochs = Number(field("epochs").value) || 30;
  return {
    base: Number(field("solver.learning_rate").value),
    gamma: Number(field("lr_policy.gamma").value),
    // The steps of an epoch depend on the dataset: a hundred stand for them here.
    scale: scaleOf(field("lr_policy.per").value, epochs, 100),
  };
}

function points() {
  const x = Array.from({ length: 201 }, (_, index) => index / 2);
  return [x, x.map((progress) => rateAt(progress / 100, policy()))];
}

const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
const plot = new uPlot(
  {
    width: holder.clientWidth,
    height: 180,
    scales: { x: { time: false } },
    legend: { show: false },
    axes: [
      { ...axis, size: 28, values: (_, ticks) => ticks.map((tick) => `${tick} %`) },
      { ...axis, size: 60, values: (_, ticks) => ticks.map(small) },
    ],
    series: [{}, { stroke: () => colour("--rate"), width: 2 }],
  },
  points(),
  holder,
);

function draw() {
  plot.setData(points());
  const death = deathOf(policy());
  warning.hidden = death == null || death >= 0.25;
  warning.querySelector("span").textContent = death == null ? "" : percent(death);
}

for (const name of names) field(name).addEventListener("input", draw);
new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: 180 })).observe(holder);
document.addEventListener("themechange", () => plot.redraw());
draw();
