// All channels of a layer, a page at a time, in colours: over one range for all, or each over its own.
import { coloured, loaded, paint } from "./atlas.js";
import { onScale, SEQUENTIAL } from "../viewer/colour_map.js";
import { colourScale } from "../viewer/colour_scale.js";
import { element } from "../base/dom.js";
import { count, small } from "../base/format.js";
import { pager } from "../base/pager.js";

export const GAP = 2;
const MOST = 320;
const RANGES = { shared: "One range", own: "A range each" };

/** How many tiles stand in a row that is `width` wide, and their size: all of them in about `tall`, but none less than `least`
 * wide. What is shown larger than it is, is so by whole pixels. */
export function arrange(page, width, tall, least) {
  const heightOf = (wide) => Math.max(1, Math.round((wide * page.height) / page.width));
  const wideOf = (columns) => Math.min(MOST, Math.floor((width + GAP) / columns) - GAP);
  let columns = Math.max(1, Math.min(page.count, Math.floor((width + GAP) / (MOST + GAP))));
  while (columns < page.count && wideOf(columns + 1) >= least && Math.ceil(page.count / columns) * (heightOf(wideOf(columns)) + GAP) > tall) columns += 1;
  columns = Math.ceil(page.count / Math.ceil(page.count / columns));
  const wide = wideOf(columns);
  const shown = wide > page.width ? page.width * Math.floor(wide / page.width) : wide;
  return { columns, width: shown, height: heightOf(shown), gap: GAP };
}

const changed = new EventTarget();
const rangeNow = () => (localStorage.getItem("layers-range") === "own" ? "own" : "shared");

/** The choice of the range, for all layers of a page. */
export function rangeChoice() {
  const buttons = Object.entries(RANGES).map(([range, words]) =>
    element("button", { type: "button", "aria-pressed": String(range === rangeNow()), onclick: () => {
      localStorage.setItem("layers-range", range);
      for (const [index, name] of Object.keys(RANGES).entries()) buttons[index].setAttribute("aria-pressed", String(name === range));
      changed.dispatchEvent(new Event("range"));
    } }, words),
  );
  return element("span", { class: "group", role: "group", "aria-label": "Colours of channels" }, ...buttons);
}

/** The channels of a layer: {element, show(layer), focus(channel)}. `open(layer, channel)` is called when one is clicked. */
export function maps({ tall, least }, open) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  const tiles = element("div", { class: "tiles", role: "group" });
  const box = element("div", { class: "maps" }, canvas, tiles);
  const scale = element("span", { class: "maps-scale" });
  const readout = element("p", { class: "readout quiet" });
  const turn = pager((page) => turnTo(page));
  const whole = element("div", { class: "maps-box" }, box, element("div", { class: "maps-tools" }, readout, turn.element, scale));
  let layer = null;
  let at = 0;
  let drawn = null; // {page, image}
  let latest = 0;
  let visible = false;

  const pageOf = () => layer.pages[at];

  function turnTo(page) {
    at = page;
    show(layer);
  }

  /** The boxes are there at once; their picture is put in when it has come. */
  async function show(next) {
    layer = next;
    at = Math.min(at, layer.pages.length - 1);
    turn.show(at, layer.pages.length, wordsOfPage(pageOf(), layer.shape[0]));
    layOut();
    if (!visible) return;
    const mine = (latest += 1);
    const page = pageOf();
    try {
      const image = await loaded(addressOf(layer, page));
      if (mine !== latest) return;
      drawn = { layer, page, image };
      draw();
    } catch {
      if (mine === latest) readout.textContent = "The picture could not be loaded. Load the page again.";
    }
  }

  let arranged = null;

  function layOut() {
    if (!layer || !box.clientWidth) return;
    const page = pageOf();
    const next = arrange(page, box.clientWidth, tall(), least());
    const same = arranged && next.columns === arranged.columns && next.width === arranged.width && tiles.childElementCount === page.count && tiles.dataset.first === String(page.first);
    arranged = next;
    if (!same) {
      tiles.dataset.first = page.first;
      tiles.style.gridTemplateColumns = `repeat(${next.columns}, ${next.width}px)`;
      tiles.style.gridAutoRows = `${next.height}px`;
      tiles.setAttribute("aria-label", `Channels of ${layer.name}`);
      tiles.replaceChildren(...Array.from({ length: page.count }, (_, place) => element("button", { type: "button", tabindex: place ? -1 : 0, "data-channel": page.first + place })));
    }
    for (const button of tiles.children) describe(button);
    readout.textContent = rest();
    if (!same && drawn?.page.first === page.first) draw();
  }

  function describe(button) {
    const channel = Number(button.dataset.channel);
    const dead = layer.channels.dead.includes(channel);
    button.setAttribute("aria-label", wordsOf(layer, channel));
    button.classList.toggle("dead", dead);
    button.textContent = dead && arranged.width >= 40 ? "dead" : dead ? "×" : "";
  }

  function draw() {
    const { low, high } = drawn.layer.channels;
    const own = rangeNow() === "own";
    const [from, to] = [drawn.layer.min, drawn.layer.max];
    scale.replaceChildren(own ? colourScale(SEQUENTIAL, "least of each", "greatest of each") : colourScale(SEQUENTIAL, small(from), small(to)));
    const painted = coloured(drawn.image, drawn.page, (place) => {
      const range = [low[drawn.page.first + place], high[drawn.page.first + place]];
      return onScale(SEQUENTIAL, range, own ? range : [from, to]);
    });
    paint(canvas, painted, drawn.page, arranged, devicePixelRatio);
    canvas.style.width = `${canvas.width / devicePixelRatio}px`;
    canvas.style.height = `${canvas.height / devicePixelRatio}px`;
    canvas.dataset.drawn = rangeNow();
  }

  function rest() {
    const page = pageOf();
    const [height, width] = layer.shape.slice(1);
    const smaller = arranged.width < width ? ` Shown at ${percentOf(arranged.width / width)} of ${width}×${height}: click one for all of it.` : "";
    return `${numberOf(layer)}${smaller}`;
  }

  const say = (event) => {
    const button = event.target.closest("[data-channel]");
    readout.textContent = button ? wordsOf(layer, Number(button.dataset.channel)) : rest();
  };
  tiles.addEventListener("pointerover", say);
  tiles.addEventListener("pointerleave", () => (readout.textContent = rest()));
  tiles.addEventListener("focusin", say);
  tiles.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-channel]");
    if (button) open(layer, Number(button.dataset.channel));
  });
  tiles.addEventListener("keydown", (event) => {
    const now = [...tiles.children].indexOf(document.activeElement);
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, ArrowUp: now - arranged.columns, ArrowDown: now + arranged.columns, Home: 0, End: tiles.childElementCount - 1 }[event.key];
    if (to == null) return;
    event.preventDefault();
    focusOn(tiles.children[to]);
  });

  function focusOn(button) {
    if (!button) return;
    for (const one of tiles.children) one.tabIndex = one === button ? 0 : -1;
    button.focus();
  }

  changed.addEventListener("range", () => drawn && draw());
  new ResizeObserver(layOut).observe(box);
  // Pictures are fetched when they are about to be seen: a deep network has many.
  new IntersectionObserver((entries) => {
    const before = visible;
    visible = entries.at(-1).isIntersecting;
    if (visible && !before && layer && drawn?.layer !== layer) show(layer);
  }, { rootMargin: "600px" }).observe(whole);

  return {
    element: whole,
    show,
    focus: (channel) => {
      const page = layer.pages.findIndex(({ first, count: many }) => channel >= first && channel < first + many);
      if (page !== at) turnTo(page);
      focusOn(tiles.querySelector(`[data-channel="${channel}"]`));
    },
  };
}

/** Pictures that are drawn anew have the names of those before, which the browser has kept. */
export const addressOf = (layer, { picture }) => `${picture}${layer.version ?? ""}`;

const percentOf = (share) => `${share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;

/** "Channel 12: −0.31 to 1.2" */
export function wordsOf({ channels }, channel) {
  if (channels.dead.includes(channel)) return `Channel ${channel}: dead, zero everywhere`;
  return `Channel ${channel}: ${small(channels.low[channel])} to ${small(channels.high[channel])}`;
}

/** "64 channels, of which 3 are dead (zero everywhere): 4, 17, 33." */
export function numberOf({ shape, channels }) {
  const [many, dead] = [shape[0], channels.dead];
  const words = `${count(many)} channel${many === 1 ? "" : "s"}`;
  if (!dead.length) return `${words}, none dead.`;
  const named = dead.slice(0, 12).join(", ");
  return `${words}, of which ${dead.length} ${dead.length === 1 ? "is" : "are"} dead (zero everywhere): ${named}${dead.length > 12 ? " …" : "."}`;
}

function wordsOfPage({ first, count: many }, all) {
  return `channels ${first}–${first + many - 1} of ${count(all)}`;
}
