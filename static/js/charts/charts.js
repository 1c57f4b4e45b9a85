// All charts of a page: they share the x axis, the zoom, the cursor and the smoothing.
import { extentOf, wideEnough } from "./axes.js";
import { chart } from "./chart.js";
import { keepLook, startLook } from "./look_address.js";
import { bindPanels } from "./panels.js";
import { messageOf } from "../base/api.js";
import { element, find, findAll } from "../base/dom.js";
import { decimals } from "../base/format.js";
import { showNotice } from "../base/live.js";

/** @import { AxisName } from "../base/client_types.js" */
/** @import { Look, Range } from "./axes.js" */
/** @import { Source } from "./chart.js" */

/** @type {Record<AxisName, string>} */
const AXES = { step: "Step", epoch: "Epoch", time: "Time" };

/**
 * @template Finer What `fetchFiner` returns: the points of the visible range.
 * @typedef {object} ChartsOptions
 * @property {(figure: HTMLElement, finer: Finer | null, x: AxisName) => Source} source The curves
 *   of a figure. Times are in seconds since a start; `finer` is null unless the charts are zoomed.
 * @property {(x: AxisName, from: number, to: number, before: Finer | null) => Promise<Finer | null>
 *   } fetchFiner
 * @property {(figure: HTMLElement) => void} [saveTable] Saves the points of a figure.
 */

/**
 * Create the charts of the figures in `root`, and their controls in its `.chart-look`.
 * @template Finer
 * @param {HTMLElement} root
 * @param {ChartsOptions<Finer>} options
 * @returns {() => void} Draws all charts.
 */
export function charts(root, { source, fetchFiner, saveTable }) {
  /** @type {Look} */
  const look = { x: "step", log: false, smooth: 0, zoom: null, ...startLook(), extent: [0, 1] };
  /** Whether the points of the zoom in the address are still to be requested. */
  let isLinked = Boolean(look.zoom);
  /** @type {Finer | null} */
  let finer = null;
  let latest = 0;
  const figures = findAll(root, "figure");
  const all = figures.map((figure) =>
    chart(figure, {
      source: () => source(figure, finer, look.x),
      look,
      zoom,
      point: (x) => all.forEach((member) => member.pointAt(x)),
      table: saveTable && (() => saveTable(figure)),
    }),
  );

  /** Draw all charts over the same range of x. */
  function draw() {
    look.extent = extentOf(
      figures.flatMap((figure) => Object.values(source(figure, null, look.x).series)),
      look.x,
    );
    for (const member of all) member.draw();
    if (!isLinked || !all.some((member) => member.hasPoints())) return;
    isLinked = false;
    zoom(look.zoom);
  }

  /** @param {Partial<Look>} values */
  function change(values) {
    Object.assign(look, values);
    keepLook(look);
    draw();
  }

  /**
   * Show a range of x with more points; null for all of it.
   * @param {Range | null} wanted
   */
  async function zoom(wanted) {
    const turn = ++latest;
    const range = wanted && wideEnough(wanted, look.extent);
    look.zoom = range;
    const before = finer;
    finer = range && finer;
    controls.setZoomed(Boolean(range));
    keepLook(look);
    draw();
    if (!range) return;
    try {
      const points = await fetchFiner(look.x, ...range, before);
      if (turn !== latest) return;
      finer = points;
      draw();
    } catch (error) {
      showNotice("finer", `The zoomed charts have no additional points: ${messageOf(error)}`);
    }
  }

  const controls = lookControls(find(root, ".chart-look"), look, {
    change,
    setX: (x) => {
      zoom(null);
      change({ x });
    },
    zoomBy: (factor) => all[0].zoomBy(factor),
    showAll: () => zoom(null),
  });
  controls.setZoomed(isLinked);
  keepLook(look);
  bindPanels(root, draw);
  document.addEventListener("fullscreenchange", () => draw());
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") all.forEach((member) => member.pointAt(null));
  });
  return draw;
}

/**
 * @param {HTMLElement} holder
 * @param {Look} look
 * @param {object} actions
 * @param {(values: Partial<Look>) => void} actions.change
 * @param {(x: AxisName) => void} actions.setX
 * @param {(factor: number) => void} actions.zoomBy
 * @param {() => void} actions.showAll
 */
function lookControls(holder, look, { change, setX, zoomBy, showAll }) {
  const axes = Object.entries(AXES).map(([x, label]) =>
    element(
      "button",
      {
        type: "button",
        "data-x": x,
        "aria-pressed": String(x === look.x),
        onclick: () => press(/** @type {AxisName} */ (x)),
      },
      label,
    ),
  );
  /** @param {AxisName} x */
  const press = (x) => {
    axes.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.x === x)));
    setX(x);
  };
  /** @type {HTMLInputElement} */
  const log = element("input", {
    type: "checkbox",
    checked: look.log,
    onchange: () => change({ log: log.checked }),
  });
  const weight = element("output", {}, decimals(look.smooth, 2));
  const smooth = element("input", {
    type: "range",
    min: 0,
    max: 0.98,
    step: 0.02,
    value: look.smooth,
    oninput: () => {
      weight.textContent = decimals(Number(smooth.value), 2);
      change({ smooth: Number(smooth.value) });
    },
  });
  const zoomIn = element(
    "button",
    { type: "button", "aria-label": "Zoom in", onclick: () => zoomBy(0.5) },
    "+",
  );
  const zoomOut = element(
    "button",
    { type: "button", "aria-label": "Zoom out", disabled: true, onclick: () => zoomBy(2) },
    "−",
  );
  const all = element("button", { type: "button", disabled: true, onclick: showAll }, "Show all");
  holder.replaceChildren(
    element(
      "span",
      { class: "group", role: "group", "aria-label": "X axis of the charts" },
      ...axes,
    ),
    element("label", {}, log, " Log of losses and rates"),
    element("label", {}, "Smooth ", smooth, weight),
    element(
      "span",
      { class: "group", role: "group", "aria-label": "Zoom of the charts" },
      zoomOut,
      zoomIn,
      all,
    ),
    element(
      "span",
      { class: "quiet keys" },
      "Drag to zoom, double-click to show all; on a chart ← → + − 0.",
    ),
  );
  return {
    setZoomed: (/** @type {boolean} */ isZoomed) => (all.disabled = zoomOut.disabled = !isZoomed),
  };
}
