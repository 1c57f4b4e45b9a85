// One chart (uPlot): curves in the page's colours, a legend of buttons, zoom by drag or keys, saved as picture or table.
import uPlot from "../../vendor/uPlot.esm.js";
import { axesOf, colour, dataOf, linesOf, nearest, placeWords, scaleOf, strokeOf } from "./axes.js";
import { csv } from "./curves.js";
import { element, save } from "../base/dom.js";
import { small } from "../base/format.js";

/**
 * A chart in a figure. `source()` gives {series, keys, style}: curves by key, which of them are drawn, and how: style(key) is
 * {label, colour, dash, show, axis, plain, whole}. `look` is shared by all charts of a page: {x, log, smooth, zoom, extent}, and `words` where x is called otherwise.
 * `zoom(range)` and `point(x)` tell the others what was done here.
 */
export function chart(figure, { source, look, zoom, point, table }) {
  const holder = figure.querySelector(".chart");
  const legend = element("div", { class: "legend" });
  const hidden = new Set();
  let plot = null;
  let lines = [];
  let data = [[]];
  let built = "";
  /** The x where the keys have put the cursor. */
  let held = null;
  figure.append(legend);
  figure.querySelector("figcaption").append(tools(figure, { picture: () => picture(figure, plot, legend), table: table ?? (() => save(`${titleOf(figure)}.csv`, asTable(), "text/csv")) }));
  keyboard(holder, { move, zoomBy, reset: () => zoom(null) });

  function build(shown) {
    plot?.destroy();
    plot = new uPlot(optionsOf(), data, holder);
    plot.over.setAttribute("aria-hidden", "true");
    legend.replaceChildren(
      element("span", { class: "at" }, look.words ?? look.x, element("b", {}, "–")),
      ...shown.map(({ key, style }) => legendButton(style, !hidden.has(key), (button) => toggle(key, button))),
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
    const { series, keys, style } = source();
    lines = linesOf(keys, style, look);
    data = dataOf(series, lines, look, isLog());
    const wanted = JSON.stringify([look.x, isLog(), lines.map(({ key, faint }) => [key, faint])]);
    if (wanted !== built) build(shownLines());
    else plot.setData(data, false);
    built = wanted;
    const [min, max] = look.zoom ?? look.extent;
    plot.setScale("x", { min, max });
    holder.dataset.points = data[0].length;
    holder.setAttribute("aria-label", `${titleOf(figure)}, ${data[0].length.toLocaleString("en")} points`);
    if (held != null) pointAt(held);
    readValues();
  }

  const isLog = () => look.log && "log" in holder.dataset;
  const shownLines = () => lines.filter((line) => !line.faint);

  function optionsOf() {
    return {
      ...sizeOf(holder),
      scales: { x: { time: false }, y: scaleOf(lines, isLog()) },
      axes: axesOf(lines, look, isLog()),
      series: [{}, ...lines.map((line) => ({ ...strokeOf(line), show: !hidden.has(line.key) }))],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: holder.closest("[data-charts]").dataset.charts, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false },
        dataIdx: (self, series, hovered) => nearest(self.data[series], hovered),
        bind: { dblclick: () => () => zoom(null) },
      },
      hooks: { setSelect: [selected], setCursor: [readValues] },
    };
  }

  function selected(self) {
    const { left, width } = self.select;
    if (width < 4) return;
    const range = [self.posToVal(left, "x"), self.posToVal(left + width, "x")];
    self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoom(range);
  }

  /** Places of the first and the last point that can be seen; null where none can. */
  function visible() {
    const { min, max } = plot.scales.x;
    const [first, last] = [data[0].findIndex((x) => x >= min), data[0].findLastIndex((x) => x <= max)];
    return first < 0 || last < first ? null : [first, last];
  }

  const under = () => (plot.cursor.left >= 0 ? plot.cursor.idx : null);

  /** The values under the cursor; without one, the last ones that can be seen, each curve's own. */
  function readValues() {
    if (!plot || !legend.childElementCount) return;
    const pointed = under();
    const at = pointed ?? visible()?.[1] ?? null;
    legend.querySelector(".at b").textContent = placeWords(data[0][at], look.x);
    const values = [...legend.querySelectorAll("button b")];
    shownLines().forEach((line, index) => {
      const column = data[1 + lines.indexOf(line)];
      // A curve that has ended, or not begun, has no value there.
      const beyond = pointed != null && (pointed > column.findLastIndex((value) => value != null) || pointed < column.findIndex((value) => value != null));
      const found = beyond ? null : nearest(column, at);
      values[index].textContent = (line.style.show ?? small)(found == null ? null : column[found]);
    });
  }

  /** Put the cursor at an x, or take it away. */
  function pointAt(x) {
    if (!plot) return;
    held = x;
    plot.setCursor(x == null ? { left: -10, top: -10 } : { left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });
  }

  function move(by) {
    const ends = visible();
    if (!ends) return;
    const now = (held == null ? under() : data[0].indexOf(held)) ?? (by > 0 ? ends[0] - 1 : ends[1] + 1);
    point(data[0][Math.min(Math.max(now + by, ends[0]), ends[1])]);
  }

  function zoomBy(factor) {
    const { min, max } = plot.scales.x;
    const middle = held ?? data[0][under()] ?? (min + max) / 2;
    const [first, last] = look.extent;
    const range = [Math.max(middle - (middle - min) * factor, first), Math.min(middle + (max - middle) * factor, last)];
    zoom(range[0] === first && range[1] === last ? null : range);
  }

  function asTable() {
    const shown = shownLines();
    return csv([look.x, ...shown.map((line) => line.style.label)], [data[0], ...shown.map((line) => data[1 + lines.indexOf(line)])]);
  }

  holder.addEventListener("mousemove", () => (held = null));
  new ResizeObserver(() => plot?.setSize(sizeOf(holder))).observe(holder);
  document.addEventListener("themechange", () => plot?.redraw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw());
  return { draw, pointAt, zoomBy };
}

const titleOf = (figure) => figure.querySelector("figcaption h3").textContent;

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
