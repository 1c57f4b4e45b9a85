// The charts of a page, looked at together: one x, one zoom, one cursor, one smoothing for all of them.
import { extentOf } from "./axes.js";
import { chart } from "./chart.js";
import { element } from "../base/dom.js";
import { say } from "../base/live.js";

const AXES = { step: "Step", epoch: "Epoch", time: "Time" };

/**
 * Fill the figures within `root` with charts, and its `.chart-look` with what can be chosen.
 *
 * `source(figure, finer, x)` gives a figure's {series, keys, style}, times in seconds since a start; `finer` is what `fetchFiner(x, from, to, finer before)` gave for
 * the part that is zoomed into, null where all is shown. `tableOf(figure)`, where it is given, saves a figure's points. Returns a function that draws all charts anew.
 */
export function charts(root, { source, fetchFiner, tableOf }) {
  const look = { x: "step", log: false, smooth: 0, ...kept(), zoom: null, extent: [0, 1] };
  let finer = null;
  let asked = 0;
  const all = [...root.querySelectorAll("figure")].map((figure) =>
    chart(figure, { source: () => source(figure, finer, look.x), look, zoom, point: (x) => all.forEach((one) => one.pointAt(x)), table: tableOf && (() => tableOf(figure)) }),
  );
  const figures = [...root.querySelectorAll("figure")];

  /** One x for all charts, so that a step is at the same place on each. */
  function draw() {
    look.extent = extentOf(figures.flatMap((figure) => Object.values(source(figure, null, look.x).series)), look.x);
    for (const one of all) one.draw();
  }


  function change(values) {
    Object.assign(look, values);
    localStorage.setItem("charts", JSON.stringify({ x: look.x, log: look.log, smooth: look.smooth }));
    draw();
  }

  /** Show what lies between two values of x, with more points than of the whole; null for all of it. */
  async function zoom(range) {
    const mine = ++asked;
    look.zoom = range;
    const before = finer;
    finer = range && finer;
    controls.zoomed(Boolean(range));
    draw();
    if (!range) return;
    try {
      const found = await fetchFiner(look.x, ...range, before);
      if (mine !== asked) return;
      finer = found;
      draw();
    } catch (error) {
      say("finer", `Only the points that are here already can be shown: ${error.message}`);
    }
  }

  const controls = lookControls(root.querySelector(".chart-look"), look, change, (x) => {
    zoom(null);
    change({ x });
  }, (factor) => (factor ? all[0].zoomBy(factor) : zoom(null)));
  document.addEventListener("fullscreenchange", () => draw());
  root.addEventListener("keydown", (event) => event.key === "Escape" && all.forEach((one) => one.pointAt(null)));
  return draw;
}

const kept = () => JSON.parse(localStorage.getItem("charts") ?? "{}");

function lookControls(holder, look, change, setX, zoomBy) {
  const axes = Object.entries(AXES).map(([x, label]) => element("button", { type: "button", "data-x": x, "aria-pressed": String(x === look.x), onclick: () => press(x) }, label));
  const press = (x) => {
    axes.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.x === x)));
    setX(x);
  };
  const log = element("input", { type: "checkbox", checked: look.log, onchange: () => change({ log: log.checked }) });
  const words = element("output", {}, look.smooth.toFixed(2));
  const smooth = element("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: look.smooth, oninput: () => {
    words.textContent = Number(smooth.value).toFixed(2);
    change({ smooth: Number(smooth.value) });
  } });
  const closer = element("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoomBy(0.5) }, "+");
  const wider = element("button", { type: "button", "aria-label": "Zoom out", disabled: true, onclick: () => zoomBy(2) }, "−");
  const whole = element("button", { type: "button", disabled: true, onclick: () => zoomBy(0) }, "Show all");
  holder.replaceChildren(
    element("span", { class: "group", role: "group", "aria-label": "Along the charts" }, ...axes),
    element("label", {}, log, " Log of losses and rates"),
    element("label", {}, "Smooth ", smooth, words),
    element("span", { class: "group", role: "group", "aria-label": "Zoom of the charts" }, wider, closer, whole),
    element("span", { class: "quiet keys" }, "Drag to zoom, double-click for all; on a chart ← → + − 0."),
  );
  return { zoomed: (is) => (whole.disabled = wider.disabled = !is) };
}
