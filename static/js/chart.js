// One chart (uPlot): curves in the page's colours, a legend of buttons, zoom by drag or keys, saved as picture or table.
import uPlot from "../vendor/uPlot.esm.js";
import { align, csv, smoothed } from "./curves.js";
import { element, save } from "./dom.js";
import { seconds, small } from "./format.js";

const LEAST = 1e-12;
const NAMES = { step: "step", epoch: "epoch", time: "time" };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * A chart in a figure. `source()` gives {series, keys, style}: curves by key, which of them are drawn, and how: style(key) is
 * {label, colour, dash, show, plain}. `look` is shared by all charts of a page: {x, log, smooth, zoom}. `zoom(range)` and
 * `point(x)` tell the others what was done here.
 */
export function chart(figure, { source, look, zoom, point, table }) {
  const holder = figure.querySelector(".chart");
  const legend = element("div", { class: "legend" });
  const hidden = new Set();
  let plot = null;
  let lines = [];
  let data = [[]];
  let built = "";
  /** The place in the data where the keys have put the cursor. */
  let place = null;
  figure.append(legend);
  figure.querySelector("figcaption").append(tools(figure, { picture: () => picture(figure, plot, legend), table: table ?? (() => save(`${titleOf(figure)}.csv`, asTable(), "text/csv")) }));
  keyboard(holder, { move, zoomBy, reset: () => zoom(null) });

  function build({ keys, style }) {
    plot?.destroy();
    lines = linesOf(keys, style, look);
    plot = new uPlot(optionsOf(), data, holder);
    plot.over.setAttribute("aria-hidden", "true");
    legend.replaceChildren(
      element("span", { class: "at" }, NAMES[look.x], element("b", {}, "–")),
      ...keys.map((key) => legendButton(style(key), !hidden.has(key), (button) => toggle(key, button))),
    );
  }

  function toggle(key, button) {
    if (!hidden.delete(key)) hidden.add(key);
    button.setAttribute("aria-pressed", String(!hidden.has(key)));
    lines.forEach((line, index) => line.key === key && plot.setSeries(index + 1, { show: !hidden.has(key) }));
  }

  /** Bring it up to date with the curves; build it anew where there are other lines, or other axes. */
  function draw() {
    // What is folded is drawn when it is unfolded.
    if (!holder.clientWidth) return;
    const drawn = source();
    data = dataOf(drawn, look, isLog());
    const wanted = JSON.stringify([look.x, isLog(), linesOf(drawn.keys, drawn.style, look).map(({ key, faint }) => [key, faint])]);
    if (wanted !== built) build(drawn);
    else plot.setData(data, !look.zoom);
    built = wanted;
    plot.setScale("x", look.zoom ? { min: look.zoom[0], max: look.zoom[1] } : rangeOf(data[0]));
    holder.dataset.points = data[0].length;
    holder.setAttribute("aria-label", `${titleOf(figure)}, ${data[0].length.toLocaleString("en")} points`);
    readValues();
  }

  const isClock = () => look.x === "time" && !look.sinceStart;
  const isLog = () => look.log && "log" in holder.dataset;

  function optionsOf() {
    const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    return {
      ...sizeOf(holder),
      scales: { x: { time: isClock() }, y: isLog() ? { distr: 3 } : { range: (_, low, high) => paddedRange(low, high) } },
      axes: [
        { ...axis, size: 28, ...(isClock() ? {} : { values: (_, ticks, __, ___, step) => ticks.map((tick) => (look.x === "time" ? seconds(tick) : look.x === "step" && !Number.isInteger(tick) ? "" : ofStep(tick, step))) }) },
        { ...axis, size: 60, values: (_, ticks, __, ___, step) => ticks.map((tick) => (tick == null ? "" : isLog() ? small(tick) : ofAxis(tick, step))) },
      ],
      series: [{}, ...lines.map((line) => ({ ...strokeOf(line, plotted), show: !hidden.has(line.key) }))],
      legend: { show: false },
      cursor: {
        sync: { key: holder.closest("[data-charts]").dataset.charts, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false },
        dataIdx: (self, series, hovered) => nearest(self.data[series], hovered),
        bind: { dblclick: () => () => zoom(null) },
      },
      hooks: { setSelect: [selected], setCursor: [readValues] },
    };
  }

  function ofAxis(tick, step) {
    const style = lines[0]?.style;
    return style?.axis ? style.axis(tick) : ofStep(tick, step);
  }

  const plotted = () => data[0].length;

  function selected(self) {
    const { left, width } = self.select;
    if (width < 4) return;
    const range = [self.posToVal(left, "x"), self.posToVal(left + width, "x")];
    self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoom(range);
  }

  /** The values under the cursor; without one, the last ones. */
  function readValues() {
    if (!plot || !legend.childElementCount) return;
    const under = plot.cursor.left >= 0 ? plot.cursor.idx : null;
    const at = under ?? data[0].length - 1;
    legend.querySelector(".at b").textContent = placeWords(data[0], at, look);
    const values = [...legend.querySelectorAll("button b")];
    const shown = lines.filter((line) => !line.faint);
    shown.forEach((line, index) => {
      const column = data[1 + lines.indexOf(line)];
      const found = nearest(column, at);
      values[index].textContent = (line.style.show ?? small)(found == null ? null : column[found]);
    });
  }

  /** Put the cursor at an x, or take it away. */
  function pointAt(x) {
    if (!plot) return;
    if (x == null) place = null;
    plot.setCursor(x == null ? { left: -10, top: -10 } : { left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });
  }

  function move(by) {
    const xs = data[0];
    const { min, max } = plot.scales.x;
    const [first, last] = [xs.findIndex((x) => x >= min), xs.findLastIndex((x) => x <= max)];
    if (first < 0 || last < first) return;
    const under = plot.cursor.left >= 0 ? plot.cursor.idx : null;
    const now = place ?? under ?? (by > 0 ? first - 1 : last + 1);
    place = Math.min(Math.max(now + by, first), last);
    point(xs[place]);
  }

  function zoomBy(factor) {
    const { min, max } = plot.scales.x;
    const middle = plot.cursor.left >= 0 ? data[0][plot.cursor.idx] : (min + max) / 2;
    zoom([middle - (middle - min) * factor, middle + (max - middle) * factor]);
  }

  function asTable() {
    const shown = lines.filter((line) => !line.faint);
    return csv([look.x, ...shown.map((line) => line.style.label)], [data[0], ...shown.map((line) => data[1 + lines.indexOf(line)])]);
  }

  holder.addEventListener("mousemove", () => (place = null));
  new ResizeObserver(() => plot?.setSize(sizeOf(holder))).observe(holder);
  document.addEventListener("themechange", () => plot?.redraw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw());
  return { draw, pointAt };
}

const titleOf = (figure) => figure.querySelector("figcaption h3").textContent;

/** A smoothed curve has the curve as it is behind it. */
function linesOf(keys, style, look) {
  const lines = keys.map((key) => ({ key, style: style(key) }));
  return look.smooth ? [...lines.filter(({ style: { plain } }) => !plain).map((line) => ({ ...line, faint: true })), ...lines] : lines;
}

function dataOf({ series, keys, style }, look, log) {
  const [xs, ...columns] = align(series, keys, look.x);
  // A logarithm has no place for zero and below, and an axis none for hundreds of powers of ten.
  const known = log ? columns.map((column) => column.map((value) => (value > LEAST ? value : undefined))) : columns;
  return [xs, ...linesOf(keys, style, look).map(({ key, faint, style: { plain } }) => {
    const column = known[keys.indexOf(key)];
    return look.smooth && !faint && !plain ? smoothed(column, look.smooth) : column;
  })];
}

function strokeOf({ style, faint }, count) {
  return {
    stroke: () => (faint ? `color-mix(in srgb, ${colour(style.colour)} 30%, ${colour("--card")})` : colour(style.colour)),
    width: faint ? 1 : 2,
    dash: style.dash,
    spanGaps: true,
    points: { show: () => !faint && count() < 40, size: 5 },
  };
}

function rangeOf(xs) {
  if (!xs.length) return { min: 0, max: 1 };
  return xs[0] === xs.at(-1) ? { min: xs[0] - 0.5, max: xs[0] + 0.5 } : { min: xs[0], max: xs.at(-1) };
}

/** A little more than the values take, and never a range of no size: numbers that differ by their rounding are the same. */
export function paddedRange(low, high) {
  if (low == null) return [0, 1];
  const differ = high - low > 1e-6 * Math.abs(high);
  const room = (differ ? high - low : Math.abs(high) || 1) * 0.06;
  return [low >= 0 && low < room * 3 ? 0 : low - room, high + room];
}

/** The index of the nearest point that a column has; of two, the earlier one. */
export function nearest(column, at) {
  if (!column || at == null) return null;
  for (let away = 0; away < column.length; away += 1) {
    if (column[at - away] != null) return at - away;
    if (column[at + away] != null) return at + away;
  }
  return null;
}

const DAY = 24 * 3600;

/** Where a point lies; of runs of several days also the day. */
function placeWords(xs, place, { x, sinceStart }) {
  const at = xs[place];
  if (at == null) return "–";
  if (x === "time" && sinceStart) return seconds(at);
  if (x === "time") return new Date(at * 1000).toLocaleString([], { ...(xs.at(-1) - xs[0] > DAY && { day: "numeric", month: "short" }), hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return at.toLocaleString("en", { maximumFractionDigits: x === "epoch" ? 2 : 0 });
}

/** A tick's value with the digits in which it differs from the next. */
function ofStep(tick, step) {
  if (tick === 0) return "0";
  return Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e6 ? small(tick) : tick.toLocaleString("en", { maximumFractionDigits: Math.max(0, Math.ceil(-Math.log10(step))) });
}

function sizeOf(holder) {
  const full = holder.closest("figure") === document.fullscreenElement;
  return { width: Math.max(holder.clientWidth, 100), height: full ? Math.max(holder.clientHeight, 200) : holder.closest(".low") ? 128 : 208 };
}

function legendButton({ label, colour: name, dash }, pressed, toggle) {
  const swatch = element("i", { class: dash ? "dashed" : "" });
  swatch.style.setProperty("--series", `var(${name})`);
  return element("button", { type: "button", "aria-pressed": String(pressed), title: `Show or hide ${label}`, onclick: (event) => toggle(event.currentTarget) }, swatch, element("span", {}, label), element("b", {}, "–"));
}

/** What can be done with a chart, at the end of its title's line. */
function tools(figure, { picture: savePicture, table }) {
  const button = (label, words, click) => element("button", { type: "button", title: words, onclick: click }, label, element("span", { class: "unseen" }, ` of ${titleOf(figure)}: ${words.toLowerCase()}`));
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen());
  return element("span", { class: "chart-save" }, button("PNG", "Save as picture", savePicture), button("CSV", "Save as table", table), button("⤢", "Full screen", full));
}

function keyboard(holder, { move, zoomBy, reset }) {
  holder.tabIndex = 0;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-roledescription", "chart");
  const keys = { ArrowLeft: () => move(-1), ArrowRight: () => move(1), PageUp: () => move(-20), PageDown: () => move(20), "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2), 0: reset };
  holder.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  });
}

/** The chart with its title and its legend, as PNG in the colours of the page. */
function picture(figure, plot, legend) {
  const ratio = devicePixelRatio;
  const drawn = plot.ctx.canvas;
  const [head, foot] = [28 * ratio, 28 * ratio];
  const canvas = element("canvas", { width: drawn.width, height: drawn.height + head + foot });
  const context = canvas.getContext("2d");
  context.fillStyle = colour("--card");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(drawn, 0, head);
  context.textBaseline = "middle";
  context.fillStyle = colour("--text");
  context.font = `600 ${14 * ratio}px system-ui`;
  context.fillText(`${titleOf(figure)} · ${document.querySelector("h1").firstChild.textContent.trim()}`, 8 * ratio, head / 2);
  context.font = `${12 * ratio}px system-ui`;
  let left = 8 * ratio;
  for (const button of legend.querySelectorAll('button[aria-pressed="true"]')) {
    const words = `${button.querySelector("span").textContent} ${button.querySelector("b").textContent}`;
    context.fillStyle = getComputedStyle(button.querySelector("i")).borderTopColor;
    context.fillRect(left, canvas.height - foot / 2 - ratio, 14 * ratio, 2 * ratio);
    context.fillStyle = colour("--text");
    context.fillText(words, left + 20 * ratio, canvas.height - foot / 2);
    left += context.measureText(words).width + 40 * ratio;
  }
  canvas.toBlob((blob) => save(`${titleOf(figure)}.png`, blob));
}
