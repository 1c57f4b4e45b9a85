// All channels of a layer, one page at a time, in colours: each on its own scale, or on one that
// all share.
import { colouredPage, loadImage, paintTiles } from "./atlas.js";
import { coloursOn, legend, ownLegend, scaleFor } from "./scale.js";
import { element, findAll, findOptional, targetWithin } from "../base/dom.js";
import { count, counted, finePercent, small } from "../base/format.js";
import { pager } from "../base/pager.js";

/** @import { ChannelPage, ChannelRanges, TilePage } from "../base/types.js" */
/** @import { Layer } from "../base/client_types.js" */
/** @import { Arrangement } from "./atlas.js" */

/**
 * @typedef {object} MapSizes CSS pixels.
 * @property {() => number} tall About the height of all tiles of a page.
 * @property {() => number} least The smallest width of a tile.
 *
 * @typedef {{ layer: Layer, page: ChannelPage, image: HTMLImageElement }} DrawnPage
 */

const GAP = 2;
/** The largest width of a tile, in CSS pixels. */
const MOST = 320;
const SCALES = { own: "Scale per channel", shared: "Shared scale" };
/** Dead channels that are listed by number. */
const MAX_LISTED = 12;

/**
 * Arrange the tiles of a page in a box. Tiles are enlarged by whole factors only.
 * @param {Pick<TilePage, "count" | "width" | "height">} page
 * @param {number} width Of the box.
 * @param {number} tall About the height of all tiles.
 * @param {number} least The smallest width of a tile; more important than `tall`.
 * @returns {Arrangement}
 */
export function arrange(page, width, tall, least) {
  const heightOf = (/** @type {number} */ tile) =>
    Math.max(1, Math.round((tile * page.height) / page.width));
  const widthOf = (/** @type {number} */ columns) =>
    Math.min(MOST, Math.floor((width + GAP) / columns) - GAP);
  let columns = Math.max(1, Math.min(page.count, Math.floor((width + GAP) / (MOST + GAP))));
  while (
    columns < page.count &&
    widthOf(columns + 1) >= least &&
    Math.ceil(page.count / columns) * (heightOf(widthOf(columns)) + GAP) > tall
  )
    columns += 1;
  columns = Math.ceil(page.count / Math.ceil(page.count / columns));
  const available = widthOf(columns);
  const tile = available > page.width ? page.width * Math.floor(available / page.width) : available;
  return { columns, width: tile, height: heightOf(tile), gap: GAP };
}

const scaleChanges = new EventTarget();
const currentScale = () => (localStorage.getItem("layers-scale") === "shared" ? "shared" : "own");

/** Create the choice of the scale, which holds for all layers of the page. */
export function scaleChoice() {
  const buttons = Object.entries(SCALES).map(([scale, label]) =>
    element(
      "button",
      {
        type: "button",
        "data-scale": scale,
        "aria-pressed": String(scale === currentScale()),
        onclick: () => choose(scale),
      },
      label,
    ),
  );
  /** @param {string} scale */
  const choose = (scale) => {
    localStorage.setItem("layers-scale", scale);
    for (const button of buttons)
      button.setAttribute("aria-pressed", String(button.dataset.scale === scale));
    scaleChanges.dispatchEvent(new Event("scale"));
  };
  return element(
    "span",
    { class: "group", role: "group", "aria-label": "Colours of channels" },
    ...buttons,
  );
}

/**
 * Create the view of a layer's channels.
 * @param {MapSizes} sizes
 * @param {(layer: Layer, channel: number) => void} open Called when a channel is clicked.
 */
export function channelMaps({ tall, least }, open) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  const tiles = element("div", { class: "tiles", role: "group" });
  const box = element("div", { class: "maps" }, canvas, tiles);
  const scale = element("span", { class: "maps-scale" });
  const readout = element("p", { class: "readout quiet" });
  const pages = pager((page) => turnTo(page));
  const holder = element(
    "div",
    { class: "maps-box" },
    box,
    element("div", { class: "maps-tools" }, readout, pages.element, scale),
  );
  /** @type {Layer | null} */
  let shown = null;
  let current = 0;
  /** @type {DrawnPage | null} */
  let drawn = null;
  /** @type {Arrangement | null} */
  let arrangement = null;
  let latest = 0;
  let isVisible = false;

  const buttons = () => findAll(tiles, "button", HTMLButtonElement);

  /** @param {number} page */
  function turnTo(page) {
    current = page;
    if (shown) show(shown);
  }

  /**
   * Show a layer: the boxes of its channels now, their pictures when they are loaded.
   * @param {Layer} layer
   */
  async function show(layer) {
    shown = layer;
    current = Math.min(current, layer.pages.length - 1);
    const page = layer.pages[current];
    pages.show(current, layer.pages.length, pageText(page, layer.shape[0]));
    layOut();
    if (!isVisible) return;
    const turn = ++latest;
    try {
      const image = await loadImage(pictureUrl(layer, page));
      if (turn !== latest) return;
      drawn = { layer, page, image };
      draw(drawn);
    } catch {
      if (turn === latest)
        readout.textContent = "The picture could not be loaded. Reload the page.";
    }
  }

  function layOut() {
    if (!shown || !box.clientWidth) return;
    const layer = shown;
    const page = layer.pages[current];
    const next = arrange(page, box.clientWidth, tall(), least());
    const isSame =
      arrangement &&
      next.columns === arrangement.columns &&
      next.width === arrangement.width &&
      tiles.childElementCount === page.count &&
      tiles.dataset.first === String(page.first);
    arrangement = next;
    if (!isSame) {
      tiles.dataset.first = String(page.first);
      tiles.style.gridTemplateColumns = `repeat(${next.columns}, ${next.width}px)`;
      tiles.style.gridAutoRows = `${next.height}px`;
      tiles.setAttribute("aria-label", `Channels of ${layer.name}`);
      tiles.replaceChildren(
        ...Array.from({ length: page.count }, (_, index) =>
          element("button", {
            type: "button",
            tabindex: index ? -1 : 0,
            "data-channel": page.first + index,
          }),
        ),
      );
    }
    for (const button of buttons()) {
      const channel = channelOf(button);
      const isDead = layer.channels.dead.includes(channel);
      button.setAttribute("aria-label", channelText(layer, channel));
      button.classList.toggle("dead", isDead);
      button.textContent = isDead ? (next.width >= 40 ? "dead" : "×") : "";
    }
    readout.textContent = summary(layer, next);
    if (!isSame && drawn?.page.first === page.first) draw(drawn);
  }

  /** @param {DrawnPage} content */
  function draw({ layer, page, image }) {
    if (!arrangement) return;
    const { low, high } = layer.channels;
    const chosen = currentScale();
    const shared = scaleFor(layer, [layer.min, layer.max]);
    scale.replaceChildren(chosen === "own" ? ownLegend(layer) : legend(shared));
    const coloured = colouredPage(image, page, (index) => {
      /** @type {[number, number]} */
      const range = [low[page.first + index], high[page.first + index]];
      return coloursOn(chosen === "own" ? scaleFor(layer, range) : shared, range);
    });
    paintTiles(canvas, coloured, page, arrangement, devicePixelRatio);
    canvas.style.width = `${canvas.width / devicePixelRatio}px`;
    canvas.style.height = `${canvas.height / devicePixelRatio}px`;
    canvas.dataset.drawn = chosen;
  }

  function showSummary() {
    if (shown && arrangement) readout.textContent = summary(shown, arrangement);
  }

  /** @param {Event} event */
  function showPointed(event) {
    const button = targetWithin(event, "[data-channel]");
    if (button && shown) readout.textContent = channelText(shown, channelOf(button));
    else showSummary();
  }
  tiles.addEventListener("pointerover", showPointed);
  tiles.addEventListener("pointerleave", showSummary);
  tiles.addEventListener("focusin", showPointed);
  tiles.addEventListener("click", (event) => {
    const button = targetWithin(event, "[data-channel]");
    if (button && shown) open(shown, channelOf(button));
  });
  tiles.addEventListener("keydown", (event) => {
    const all = buttons();
    const focused = all.findIndex((button) => button === document.activeElement);
    const columns = arrangement?.columns ?? 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: focused - 1,
      ArrowRight: focused + 1,
      ArrowUp: focused - columns,
      ArrowDown: focused + columns,
      Home: 0,
      End: all.length - 1,
    };
    const target = targets[event.key];
    if (target == null) return;
    event.preventDefault();
    focusOn(all[target]);
  });

  /**
   * Move the focus, and the tab stop of the group, to a channel.
   * @param {HTMLElement | null | undefined} button
   */
  function focusOn(button) {
    if (!button) return;
    for (const other of buttons()) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  }

  scaleChanges.addEventListener("scale", () => drawn && draw(drawn));
  new ResizeObserver(layOut).observe(box);
  // Pictures are loaded shortly before they are visible: a deep network has many.
  new IntersectionObserver(
    (entries) => {
      const wasVisible = isVisible;
      isVisible = entries[entries.length - 1].isIntersecting;
      if (isVisible && !wasVisible && shown && drawn?.layer !== shown) show(shown);
    },
    { rootMargin: "200px" },
  ).observe(holder);

  return {
    element: holder,
    show,
    /** @param {number} channel */
    focus: (channel) => {
      const page = shown?.pages.findIndex(
        ({ first, count: number }) => channel >= first && channel < first + number,
      );
      if (page != null && page !== current) turnTo(page);
      focusOn(findOptional(tiles, `[data-channel="${channel}"]`));
    },
  };
}

/** @param {HTMLElement} button */
const channelOf = (button) => Number(button.dataset.channel);

/**
 * The URL of a picture. Pictures that a job draws again keep their names, which browsers cache: the
 * version distinguishes them.
 * @param {Layer} layer
 * @param {{ picture: string }} page
 */
export const pictureUrl = (layer, { picture }) => `${picture}${layer.version ?? ""}`;

/**
 * "Channel 12: -0.31 to 1.2"
 * @param {{ channels: ChannelRanges }} layer
 * @param {number} channel
 */
export function channelText({ channels }, channel) {
  if (channels.dead.includes(channel)) return `Channel ${channel}: dead, zero everywhere`;
  return `Channel ${channel}: ${small(channels.low[channel])} to ${small(channels.high[channel])}`;
}

/**
 * "64 channels, of which 3 are dead (zero everywhere): 4, 17, 33."
 * @param {{ shape: number[], channels: ChannelRanges }} layer
 */
export function channelsText({ shape, channels: { dead } }) {
  const channels = counted(shape[0], "channel");
  if (!dead.length) return `${channels}, none dead.`;
  const are = dead.length === 1 ? "is" : "are";
  const end = dead.length > MAX_LISTED ? " …" : ".";
  const listed = dead.slice(0, MAX_LISTED).join(", ");
  return `${channels}, of which ${dead.length} ${are} dead (zero everywhere): ${listed}${end}`;
}

/**
 * The text below the tiles while none is pointed at.
 * @param {Layer} layer
 * @param {Arrangement} arrangement
 */
function summary(layer, arrangement) {
  const [, height, width] = layer.shape;
  if (arrangement.width >= width) return channelsText(layer);
  const share = finePercent(arrangement.width / width);
  const hint = `Shown at ${share} of ${width}×${height}: click a channel for its full size.`;
  return `${channelsText(layer)} ${hint}`;
}

/**
 * @param {ChannelPage} page
 * @param {number} channels
 */
const pageText = ({ first, count: number }, channels) =>
  `channels ${first}–${first + number - 1} of ${count(channels)}`;
