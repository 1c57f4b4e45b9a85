// Viewer that compares pictures of one scene: under a slider, side by side, blinking, or as their
// difference. All pictures share one canvas, the zoom and the place.
import { SEQUENTIAL } from "./colour_map.js";
import { colourScale } from "./colour_scale.js";
import { showInAddress, viewInAddress } from "./view_address.js";
import { element, setAttributes, setText } from "../base/dom.js";
import { percent } from "../base/format.js";
import { gestures } from "./gestures.js";
import { layout, viewIn } from "./layout.js";
import { pixelLine, showPixels } from "./pixel_line.js";
import { loadQpMap, qpRange } from "./qp_map.js";
import { paint, surfaces } from "./stage.js";
import { pan, step, zoomTo } from "./view.js";
import { bindDivider, bindKeys, MODES, startBlinking, toolbar } from "./viewer_controls.js";

/** @import { Box } from "../base/types.js" */
/** @import { Point, Size } from "../base/client_types.js" */
/** @import { Tag } from "./layout.js" */
/** @import { QpMap, QpMapSource } from "./qp_map.js" */
/** @import { Surface } from "./stage.js" */
/** @import { View } from "./view.js" */
/** @import { Change, ModeName, Picture } from "./viewer_controls.js" */

/**
 * @typedef {object} ViewerState
 * @property {Picture[]} pictures
 * @property {number} truth The index of the ground truth; negative without one.
 * @property {QpMap | null} qp Of the first picture; null if unknown.
 * @property {ModeName} mode
 * @property {number} gain Of the difference.
 * @property {number} top The error that the last colour of the error map stands for.
 * @property {number} left The index of the picture left of the divider.
 * @property {number} right
 * @property {number} cut The place of the divider, 0 to 1.
 * @property {{ left: number, right: number }} ends The range of the divider, in CSS pixels.
 * @property {boolean} flipped In the mode blink: whether the right picture is shown.
 * @property {boolean} [held] In the mode blink: whether the pictures do not change automatically.
 * @property {View | null} view null for the whole picture.
 * @property {Point | null} point The place of the pointer.
 * @property {Size} space The size of the stage.
 * @property {Box[]} boxes The boxes of the pictures in the stage.
 * @property {Map<string, Surface>} cache Computed pictures.
 *
 * @typedef {ReturnType<typeof build>} Parts
 */

/** In narrower stages, pictures side by side are below each other. CSS pixels. */
const NARROW = 600;

/**
 * Create a viewer in a holder.
 * @param {HTMLElement} holder
 * @param {Picture[]} pictures At least two; the role "target" is the ground truth.
 * @param {QpMapSource} [qpMap] The QPs of the first picture.
 * @returns {(urls: string[]) => void} Shows other pictures of the same sizes; zoom and place stay.
 */
export function viewer(holder, pictures, qpMap) {
  const images = pictures.map(({ role, label, url }) =>
    element("img", { src: url, alt: label, "data-role": role }),
  );
  const state = initialState(pictures);
  const inAddress = "inAddress" in holder.dataset;
  if (inAddress) Object.assign(state, viewInAddress(pictures));
  restrictMode(state, Boolean(qpMap?.url));
  const parts = build(pictures, images);
  holder.replaceChildren(parts.holder);
  const [{ width, height }] = pictures;
  if (width && height) shape(state, parts.stage, pictures.length, { width, height });
  const map = qpMap ? loadQpMap(qpMap) : null;
  const showFailure = () =>
    (parts.pixels.holder.textContent = "A picture could not be loaded. Reload the page.");
  const started = Promise.all([map, ...images.map((image) => image.decode())]).then(([qp]) =>
    start({ ...state, qp: qp ?? null }, parts, surfaces(images), inAddress),
  );
  started.catch(showFailure);
  let turn = 0;
  return async (urls) => {
    const mine = ++turn;
    const fresh = urls.map((src) => element("img", { src }));
    try {
      const replace = await started;
      await Promise.all(fresh.map((image) => image.decode()));
      if (mine === turn) replace(surfaces(fresh), urls);
    } catch {
      showFailure();
    }
  };
}

/**
 * Create a viewer of surfaces that change, such as frames of videos.
 * @param {HTMLElement} holder
 * @param {Picture[]} pictures At least two, whose URLs are offered as files if they have one.
 * @param {Surface[]} loaded Of one size.
 * @returns {{ stage: HTMLElement, redraw: () => void }} `redraw` shows what the surfaces have now.
 */
export function liveViewer(holder, pictures, loaded) {
  const state = initialState(pictures);
  const inAddress = "inAddress" in holder.dataset;
  if (inAddress) Object.assign(state, viewInAddress(pictures));
  restrictMode(state, false);
  const parts = build(pictures, []);
  holder.replaceChildren(parts.holder);
  const replace = start(state, parts, loaded, inAddress);
  return { stage: parts.stage, redraw: () => replace(loaded) };
}

/**
 * @param {Picture[]} pictures
 * @returns {ViewerState}
 */
function initialState(pictures) {
  const truth = pictures.findIndex(({ role }) => role === "target");
  return {
    pictures,
    truth,
    qp: null,
    mode: "slider",
    gain: 8,
    top: 16,
    left: 0,
    right: 1,
    cut: 0.5,
    ends: { left: 0, right: 1 },
    flipped: false,
    view: null,
    point: null,
    space: { width: 0, height: 0 },
    boxes: [],
    cache: new Map(),
    ...storedSettings(),
  };
}

/**
 * The stored mode may need a picture that is missing here.
 * @param {ViewerState} state
 * @param {boolean} hasQp
 */
function restrictMode(state, hasQp) {
  if ((state.truth < 0 && state.mode === "error") || (!hasQp && state.mode === "qp"))
    state.mode = "slider";
}

/** @type {("mode" | "gain" | "top")[]} The settings that are stored. */
const STORED = ["mode", "gain", "top"];

/** @returns {Partial<ViewerState>} The settings that were used last, on any page. */
const storedSettings = () => JSON.parse(localStorage.getItem("viewer") ?? "{}");

/**
 * @param {Picture[]} pictures
 * @param {HTMLImageElement[]} images
 */
function build(pictures, images) {
  const canvas = element("canvas", { role: "img" });
  const divider = element("div", {
    class: "divider",
    role: "slider",
    tabindex: 0,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
  });
  const tags = element("div", { class: "tags", "aria-hidden": "true" });
  const scale = element("div", { class: "scale", hidden: true });
  const stage = element("div", { class: "stage" }, canvas, tags, scale, divider);
  const tools = element("div", { class: "tools", role: "toolbar", "aria-label": "Viewer" });
  const zoom = element("output", { "aria-label": "Zoom" });
  const pixels = pixelLine(pictures);
  const urls = pictures.map(({ url }) => url);
  const files = element("p", { class: "files quiet" }, ...fileLinks(pictures, urls));
  const holder = element(
    "div",
    { class: "viewer" },
    tools,
    stage,
    element("div", { class: "below" }, pixels.holder, files),
    element("div", { hidden: true }, ...images),
  );
  return { canvas, divider, tags, scale, stage, tools, zoom, pixels, files, holder };
}

/**
 * @param {Picture[]} pictures
 * @param {string[]} urls Of the pictures now; empty for those that are no files.
 */
function fileLinks(pictures, urls) {
  if (!urls.some(Boolean)) return [];
  const links = pictures.map(({ role, label }, index) => {
    const [path] = urls[index].split("?");
    const extension = path.slice(path.lastIndexOf(".") + 1);
    const name = `${role}.${extension}`;
    return element("a", { href: urls[index], download: name }, label.toLowerCase());
  });
  return ["Save ", ...links];
}

/**
 * @param {ViewerState} state
 * @param {Parts} parts
 * @param {Surface[]} loaded
 * @param {boolean} inAddress Whether the page's address contains the view.
 * @returns {(surfaces: Surface[], urls?: string[]) => void} Replaces the pictures.
 */
function start(state, parts, loaded, inAddress) {
  const size = { width: loaded[0].width, height: loaded[0].height };
  const drawing = oncePerFrame(() => {
    show(state, parts, loaded, size);
    if (inAddress) showInAddress(state);
  });
  /** @type {Change} */
  const change = (values) => {
    Object.assign(state, values);
    if (STORED.some((name) => name in values)) {
      const settings = Object.fromEntries(STORED.map((name) => [name, state[name]]));
      localStorage.setItem("viewer", JSON.stringify(settings));
    }
    controls.show();
    measure(state, parts, loaded.length, size);
    drawing.now();
  };
  /**
   * Like `change`, for pointers: they dispatch more events than there are frames.
   * @type {Change}
   */
  const changeSoon = (values) => {
    Object.assign(state, values);
    drawing.soon();
  };
  const pointerMoves = movesOf(state, size, changeSoon);
  const moves = movesOf(state, size, change);
  const controls = toolbar(state, parts, change, moves);
  gestures(parts.stage, { ...pointerMoves, look: (point) => changeSoon({ point }) });
  bindDivider(parts.divider, state, changeSoon, change);
  parts.stage.addEventListener("pointerup", drawing.flush);
  parts.stage.addEventListener("pointercancel", drawing.flush);
  bindKeys(parts.holder, moves, () =>
    change(
      state.mode === "blink"
        ? { flipped: !state.flipped, held: true }
        : { mode: "blink", held: false },
    ),
  );
  startBlinking(state, parts.holder, change);
  new ResizeObserver(() => {
    measure(state, parts, loaded.length, size);
    drawing.now();
  }).observe(parts.stage);
  change({});
  return (fresh, urls) => {
    loaded.splice(0, loaded.length, ...fresh);
    state.cache.clear();
    if (urls) parts.files.replaceChildren(...fileLinks(state.pictures, urls));
    drawing.now();
  };
}

/**
 * Limit drawing to once per frame.
 * @param {() => void} draw
 * @returns {{ now: () => void, soon: () => void, flush: () => void }} `flush` draws now if a
 *   drawing is scheduled.
 */
function oncePerFrame(draw) {
  let scheduled = 0;
  const now = () => {
    cancelAnimationFrame(scheduled);
    scheduled = 0;
    draw();
  };
  return {
    now,
    soon: () => {
      scheduled ||= requestAnimationFrame(now);
    },
    flush: () => {
      if (scheduled) now();
    },
  };
}

/**
 * Give the stage the shape of what it shows.
 * @param {ViewerState} state
 * @param {HTMLElement} stage
 * @param {number} count Of pictures.
 * @param {Size} size
 */
function shape(state, stage, count, size) {
  const rows = state.mode === "side" && stage.clientWidth < NARROW ? count : 1;
  stage.style.aspectRatio = `${size.width} / ${size.height * rows}`;
}

/**
 * Measure the stage. Only called when its size may have changed: it forces a layout of the page.
 * @param {ViewerState} state
 * @param {Parts} parts
 * @param {number} count Of pictures.
 * @param {Size} size
 */
function measure(state, { canvas, stage }, count, size) {
  shape(state, stage, count, size);
  state.space = { width: stage.clientWidth, height: stage.clientHeight };
  resize(
    canvas,
    Math.round(state.space.width * devicePixelRatio),
    Math.round(state.space.height * devicePixelRatio),
  );
}

/**
 * @param {ViewerState} state
 * @param {Parts} parts
 * @param {Surface[]} loaded
 * @param {Size} size
 */
function show(state, parts, loaded, size) {
  const { canvas, stage, divider } = parts;
  const drawn = layout(state, loaded, size);
  const [box] = drawn.boxes;
  state.boxes = drawn.boxes;
  if (drawn.ends) state.ends = drawn.ends;
  const view = viewIn(state, size, box);
  paint(canvas, drawn.parts, view, devicePixelRatio);
  const isMovable = size.width * view.scale > box.width || size.height * view.scale > box.height;
  stage.classList.toggle("movable", isMovable);
  setText(parts.zoom, percent(view.scale));
  showTags(parts.tags, drawn.tags);
  const labels = drawn.tags.map(({ text }) => text);
  setAttributes(canvas, { "aria-label": `${MODES[state.mode]}: ${labels.join(", ")}` });
  showScale(parts.scale, state);
  divider.hidden = drawn.divider == null;
  divider.style.translate = `${drawn.divider ?? 0}px`;
  setAttributes(divider, {
    "aria-valuenow": Math.round(100 * state.cut),
    "aria-label": `Boundary between ${labels[0]} and ${labels[labels.length - 1]}`,
  });
  showPixels(state, parts.pixels, loaded, size);
}

/**
 * @param {HTMLElement} holder
 * @param {Tag[]} tags
 */
function showTags(holder, tags) {
  const content = JSON.stringify(tags);
  if (holder.dataset.shown === content) return;
  holder.dataset.shown = content;
  holder.replaceChildren(...tags.map(tagElement));
}

/** @param {Tag} tag */
function tagElement({ text, box, end }) {
  const created = element("span", { class: end ? "end" : "" }, text);
  created.style.top = `${box.top}px`;
  created.style.left = `${end ? box.left + box.width : box.left}px`;
  return created;
}

/**
 * Show the legend of the error map or of the QP map.
 * @param {HTMLElement} scale
 * @param {ViewerState} state
 */
function showScale(scale, { mode, top, qp }) {
  scale.hidden = mode !== "error" && mode !== "qp";
  const shown = `${mode} ${top}`;
  if (scale.hidden || scale.dataset.shown === shown) return;
  scale.dataset.shown = shown;
  if (mode === "qp" && qp) {
    const { low, high } = qpRange(qp);
    scale.replaceChildren(
      colourScale(SEQUENTIAL, low, high),
      element("span", {}, "QP of each macroblock of the input"),
    );
  } else
    scale.replaceChildren(
      colourScale(SEQUENTIAL, "0", top / 2, `${top} and more`),
      element("span", {}, "|error| in levels of 255, mean of R, G, B"),
    );
}

/**
 * Set the size of a canvas if it changed: setting it erases the canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/**
 * The actions on the view. They apply to the box at a point.
 * @param {ViewerState} state
 * @param {Size} size
 * @param {Change} change
 */
function movesOf(state, size, change) {
  const boxAt = (/** @type {Point} */ point) =>
    state.boxes.find((box) => point.x < box.left + box.width && point.y < box.top + box.height) ??
    state.boxes[state.boxes.length - 1];
  /**
   * @param {(scale: number) => number} scaleOf The new scale.
   * @param {Point} point
   */
  const zoomAt = (scaleOf, point) => {
    const box = boxAt(point);
    const view = viewIn(state, size, box);
    const inBox = { x: point.x - box.left, y: point.y - box.top };
    change({ view: zoomTo(view, scaleOf(view.scale), inBox, size, box, devicePixelRatio) });
  };
  const middle = () => ({ x: state.boxes[0].width / 2, y: state.boxes[0].height / 2 });
  return {
    /**
     * @param {number} dx
     * @param {number} dy
     */
    move: (dx, dy) => {
      const [box] = state.boxes;
      change({ view: pan(viewIn(state, size, box), dx, dy, size, box, devicePixelRatio) });
    },
    /**
     * @param {number} factor
     * @param {Point} point
     */
    zoom: (factor, point) => zoomAt((scale) => scale * factor, point),
    /** @param {number} direction */
    step: (direction) => zoomAt((scale) => step(scale, direction), state.point ?? middle()),
    fit: () => change({ view: null }),
  };
}
