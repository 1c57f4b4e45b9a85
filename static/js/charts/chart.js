// One chart (uPlot): curves in the page's colours, a legend with buttons, zoom by dragging or by
// keys, saved as a picture or as a table.
import uPlot from "../../vendor/uPlot.esm.js";
import { axesOf, dataOf, linesOf, nearest, scaleOf, strokeOf, xText } from "./axes.js";
import { csv } from "./curves.js";
import { cssColour, swatch } from "./styles.js";
import { ancestor, context2d, element, find, findAll, saveFile } from "../base/dom.js";
import { count, NO_VALUE, small } from "../base/format.js";

/** @import { SeriesByKey } from "../base/client_types.js" */
/** @import { Line, Look, Range } from "./axes.js" */
/** @import { Column } from "./curves.js" */
/** @import { CurveStyle } from "./styles.js" */

/**
 * @typedef {object} Source
 * @property {SeriesByKey} series
 * @property {string[]} keys The curves that are drawn.
 * @property {(key: string) => CurveStyle} style
 *
 * @typedef {object} ChartOptions
 * @property {() => Source} source
 * @property {Look} look
 * @property {(range: Range | null) => void} zoom Zooms all charts of the page.
 * @property {(x: number | null) => void} point Moves the cursor of all charts of the page.
 * @property {() => void} [table] Saves the points; by default those that are drawn, as CSV.
 *
 * @typedef {object} Chart
 * @property {() => void} draw
 * @property {(x: number | null) => void} pointAt Moves the cursor to an x, or removes it.
 * @property {(factor: number) => void} zoomBy
 * @property {() => boolean} hasPoints
 */

/** A drag of fewer pixels is a click. */
const LEAST_DRAG = 4;

/**
 * Create a chart in a figure.
 * @param {HTMLElement} figure With an element `.chart`, which is filled.
 * @param {ChartOptions} options
 * @returns {Chart}
 */
export function chart(figure, { source, look, zoom, point, table }) {
  const holder = find(figure, ".chart");
  const legend = element("div", { class: "legend" });
  const hidden = new Set();
  /** @type {uPlot | null} */
  let plot = null;
  /** @type {Line[]} */
  let lines = [];
  /** @type {[number[], ...Column[]]} */
  let data = [[]];
  /** The structure that the plot was built for, as JSON. */
  let built = "";
  /** @type {number | null} The x where the keyboard has put the cursor. */
  let cursorX = null;
  figure.append(legend);
  find(figure, "figcaption").append(
    toolButtons(figure, {
      savePicture: () => plot && saveAsPicture(figure, plot, legend),
      saveTable: table ?? (() => saveFile(`${titleOf(figure)}.csv`, asTable(), "text/csv")),
    }),
  );
  bindKeys(holder, { move, zoomBy, reset: () => zoom(null) });

  /** @param {Line[]} shown */
  function build(shown) {
    plot?.destroy();
    plot = new uPlot(optionsOf(), data, holder);
    plot.over.setAttribute("aria-hidden", "true");
    legend.replaceChildren(
      element("span", { class: "at" }, look.xLabel ?? look.x, element("b", {}, NO_VALUE)),
      ...shown.map(({ key, style }) =>
        legendButton(style, !hidden.has(key), (button) => toggle(key, button)),
      ),
    );
  }

  /**
   * @param {string} key
   * @param {HTMLElement} button
   */
  function toggle(key, button) {
    if (!hidden.delete(key)) hidden.add(key);
    const show = !hidden.has(key);
    button.setAttribute("aria-pressed", String(show));
    lines.forEach((line, index) => line.key === key && plot?.setSeries(index + 1, { show }));
  }

  /** Draw the current curves. The plot is built again only if its lines or axes changed. */
  function draw() {
    // A folded chart has no size; it is drawn when it is unfolded.
    if (!holder.clientWidth) return;
    const { series, keys, style } = source();
    lines = linesOf(keys, style, look);
    data = dataOf(series, lines, look, isLog());
    const structure = [look.x, isLog(), lines.map(({ key, faint }) => [key, faint])];
    const needed = JSON.stringify(structure);
    if (!plot || needed !== built) build(shownLines());
    else plot.setData(data, false);
    built = needed;
    const [min, max] = look.zoom ?? look.extent;
    plot?.setScale("x", { min, max });
    const points = data[0].length;
    holder.dataset.points = String(points);
    holder.setAttribute("aria-label", `${titleOf(figure)}, ${count(points)} points`);
    if (cursorX != null) pointAt(cursorX);
    readValues();
  }

  const isLog = () => look.log && "log" in holder.dataset;
  const shownLines = () => lines.filter((line) => !line.faint);
  /**
   * The values of a line.
   * @param {Line} line
   */
  const columnOf = (line) => /** @type {Column} */ (data[1 + lines.indexOf(line)]);

  /** @returns {uPlot.Options} */
  function optionsOf() {
    return {
      ...sizeOf(holder),
      scales: { x: { time: false }, y: scaleOf(lines, isLog()) },
      axes: axesOf(lines, look, isLog()),
      series: [{}, ...lines.map((line) => ({ ...strokeOf(line), show: !hidden.has(line.key) }))],
      legend: { show: false },
      cursor: {
        y: false,
        sync: {
          key: ancestor(holder, "[data-charts]").dataset.charts ?? "",
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
        },
        drag: { x: true, y: false, setScale: false },
        dataIdx: (self, series, hovered) => nearest(self.data[series], hovered),
        bind: {
          dblclick: () => () => {
            zoom(null);
            return null;
          },
        },
      },
      hooks: { setSelect: [onSelect], setCursor: [readValues] },
    };
  }

  /** @param {uPlot} self */
  function onSelect(self) {
    const { left, width } = self.select;
    if (width < LEAST_DRAG) return;
    /** @type {Range} */
    const range = [self.posToVal(left, "x"), self.posToVal(left + width, "x")];
    self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoom(range);
  }

  /** @returns {Range} The visible range of x. */
  function xRange() {
    const { min, max } = plot?.scales.x ?? {};
    return [min ?? NaN, max ?? NaN];
  }

  /** @returns {Range | null} The indices of the first and the last visible point. */
  function visible() {
    const [min, max] = xRange();
    const first = data[0].findIndex((x) => x >= min);
    const last = data[0].findLastIndex((x) => x <= max);
    return first < 0 || last < first ? null : [first, last];
  }

  /** The index of the point under the cursor. */
  const hovered = () => ((plot?.cursor.left ?? -1) >= 0 ? (plot?.cursor.idx ?? null) : null);

  /** Show the values under the cursor; without a cursor, the last visible value of each curve. */
  function readValues() {
    if (!plot || !legend.childElementCount) return;
    const pointed = hovered();
    const index = pointed ?? visible()?.[1] ?? null;
    find(legend, ".at b").textContent = xText(index == null ? null : data[0][index], look.x);
    const values = findAll(legend, "button b");
    shownLines().forEach((line, place) => {
      const column = columnOf(line);
      // Outside its own range, a curve has no value.
      const isOutside =
        pointed != null &&
        (pointed > column.findLastIndex((value) => value != null) ||
          pointed < column.findIndex((value) => value != null));
      const match = isOutside ? null : nearest(column, index);
      const value = match == null ? null : (column[match] ?? null);
      values[place].textContent = (line.style.format ?? small)(value);
    });
  }

  /** @param {number | null} x */
  function pointAt(x) {
    cursorX = x;
    if (!plot) return;
    plot.setCursor(
      x == null
        ? { left: -10, top: -10 }
        : { left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 },
    );
  }

  /**
   * Move the cursor by a number of points.
   * @param {number} by
   */
  function move(by) {
    const ends = visible();
    if (!ends) return;
    const start = by > 0 ? ends[0] - 1 : ends[1] + 1;
    const current = (cursorX == null ? hovered() : data[0].indexOf(cursorX)) ?? start;
    point(data[0][Math.min(Math.max(current + by, ends[0]), ends[1])]);
  }

  /**
   * Zoom about the cursor.
   * @param {number} factor Of the visible range.
   */
  function zoomBy(factor) {
    const [min, max] = xRange();
    const middle = cursorX ?? data[0][hovered() ?? -1] ?? (min + max) / 2;
    const [first, last] = look.extent;
    /** @type {Range} */
    const range = [
      Math.max(middle - (middle - min) * factor, first),
      Math.min(middle + (max - middle) * factor, last),
    ];
    zoom(range[0] === first && range[1] === last ? null : range);
  }

  function asTable() {
    const shown = shownLines();
    return csv(
      [look.x, ...shown.map((line) => line.style.label)],
      [data[0], ...shown.map(columnOf)],
    );
  }

  holder.addEventListener("mousemove", () => (cursorX = null));
  new ResizeObserver(() => plot?.setSize(sizeOf(holder))).observe(holder);
  document.addEventListener("themechange", () => plot?.redraw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw());
  return { draw, pointAt, zoomBy, hasPoints: () => data[0].length > 0 };
}

/** @param {HTMLElement} figure */
const titleOf = (figure) => find(figure, "figcaption h3").textContent;

/**
 * The size of the plot.
 * @param {HTMLElement} holder
 */
function sizeOf(holder) {
  const isFullScreen = holder.closest("figure") === document.fullscreenElement;
  const height = holder.closest(".low") ? 128 : 208;
  return {
    width: Math.max(holder.clientWidth, 100),
    height: isFullScreen ? Math.max(holder.clientHeight, 200) : height,
  };
}

/**
 * @param {CurveStyle} style
 * @param {boolean} isPressed
 * @param {(button: HTMLButtonElement) => void} toggle
 */
function legendButton(style, isPressed, toggle) {
  const { label } = style;
  /** @type {HTMLButtonElement} */
  const button = element(
    "button",
    {
      type: "button",
      "aria-pressed": String(isPressed),
      title: `Show or hide ${label}`,
      onclick: () => toggle(button),
    },
    swatch(style),
    element("span", {}, label),
    element("b", {}, NO_VALUE),
  );
  return button;
}

/**
 * The buttons at the end of a chart's title.
 * @param {HTMLElement} figure
 * @param {{ savePicture: () => void, saveTable: () => void }} actions
 */
function toolButtons(figure, { savePicture, saveTable }) {
  /**
   * @param {string} label
   * @param {string} title
   * @param {() => void} onclick
   */
  const button = (label, title, onclick) =>
    element(
      "button",
      { type: "button", title, onclick },
      label,
      element("span", { class: "unseen" }, ` of ${titleOf(figure)}: ${title.toLowerCase()}`),
    );
  const toggleFullScreen = () =>
    document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen();
  return element(
    "span",
    { class: "chart-save" },
    button("PNG", "Save as picture", savePicture),
    button("CSV", "Save as table", saveTable),
    button("⤢", "Full screen", toggleFullScreen),
  );
}

/**
 * Bind a chart's keyboard shortcuts.
 * @param {HTMLElement} holder
 * @param {object} actions
 * @param {(by: number) => void} actions.move
 * @param {(factor: number) => void} actions.zoomBy
 * @param {() => void} actions.reset
 */
function bindKeys(holder, { move, zoomBy, reset }) {
  holder.tabIndex = 0;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-roledescription", "chart");
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    PageUp: () => move(-20),
    PageDown: () => move(20),
    "+": () => zoomBy(0.5),
    "=": () => zoomBy(0.5),
    "-": () => zoomBy(2),
    0: reset,
  };
  holder.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  });
}

/**
 * Save a chart with its title and legend as PNG, in the colours of the page.
 * @param {HTMLElement} figure
 * @param {uPlot} plot
 * @param {HTMLElement} legend
 */
function saveAsPicture(figure, plot, legend) {
  const ratio = devicePixelRatio;
  const drawing = plot.ctx.canvas;
  const [head, foot] = [28 * ratio, 28 * ratio];
  const canvas = element("canvas", { width: drawing.width, height: drawing.height + head + foot });
  const context = context2d(canvas);
  context.fillStyle = cssColour("--card");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(drawing, 0, head);
  context.textBaseline = "middle";
  context.fillStyle = cssColour("--text");
  context.font = `600 ${14 * ratio}px system-ui`;
  const pageTitle = find(document, "h1").firstChild?.textContent?.trim() ?? "";
  context.fillText(`${titleOf(figure)} · ${pageTitle}`, 8 * ratio, head / 2);
  context.font = `${12 * ratio}px system-ui`;
  let left = 8 * ratio;
  for (const button of findAll(legend, 'button[aria-pressed="true"]')) {
    const [name, value] = [find(button, "span").textContent, find(button, "b").textContent];
    const text = `${name} ${value}`;
    context.fillStyle = getComputedStyle(find(button, "line", SVGLineElement)).stroke;
    context.fillRect(left, canvas.height - foot / 2 - ratio, 14 * ratio, 2 * ratio);
    context.fillStyle = cssColour("--text");
    context.fillText(text, left + 20 * ratio, canvas.height - foot / 2);
    left += context.measureText(text).width + 40 * ratio;
  }
  canvas.toBlob((blob) => blob && saveFile(`${titleOf(figure)}.png`, blob));
}
