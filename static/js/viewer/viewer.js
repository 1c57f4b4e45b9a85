// Pictures of one scene, compared: under a slider, side by side, blinking, or as their difference.
// One canvas, all pictures behind it; zoom and place are shared.
import { SEQUENTIAL } from "./colour_map.js";
import { colourScale } from "./colour_scale.js";
import { element } from "../base/dom.js";
import { gestures } from "./gestures.js";
import { differenceOf, errorOf, paint, surfaces, valueAt } from "./stage.js";
import { clamp, fit, pan, pixelAt, place, step, tiles, visible, zoomTo } from "./view.js";
import { blinking, keys, MODES, slide, toolbar } from "./viewer_controls.js";

const NARROW = 600;
const HINT = "Point at the picture to read its pixels.";
const KEYS = "Wheel or + − zoom, 0 fits; drag or Shift + arrows move; b blinks.";

/** Fill the holder with a viewer of `pictures`: two or more of {role, label, url}; that of the role `target` is the truth. */
export function viewer(holder, pictures) {
  const images = pictures.map(({ role, label, url }) => element("img", { src: url, alt: label, "data-role": role }));
  const truth = pictures.findIndex(({ role }) => role === "target");
  const shown = { pictures, truth, left: 0, right: 1, cut: 0.5, flipped: false, view: null, point: null, ...remembered() };
  if (truth < 0 && shown.mode === "error") shown.mode = "slider";
  const parts = build(pictures, images);
  holder.replaceChildren(parts.whole);
  Promise.all(images.map((image) => image.decode())).then(
    () => start(shown, parts, surfaces(images)),
    () => (parts.pixels.whole.textContent = "A picture could not be loaded. Load the page again."),
  );
}

const KEPT = ["mode", "gain", "top"];

/** The mode, the gain and the range of errors that were used last, on whatever page. */
function remembered() {
  return { mode: "slider", gain: 8, top: 16, ...JSON.parse(localStorage.getItem("viewer") ?? "{}") };
}

function build(pictures, images) {
  const canvas = element("canvas", { role: "img" });
  const divider = element("div", { class: "divider", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100 });
  const tags = element("div", { class: "tags", "aria-hidden": "true" });
  const scale = element("div", { class: "scale", hidden: true });
  const stage = element("div", { class: "stage" }, canvas, tags, scale, divider);
  const tools = element("div", { class: "tools", role: "toolbar", "aria-label": "Viewer" });
  const pixels = pixelWords(pictures);
  const files = element("p", { class: "files quiet" }, "Save ", ...pictures.map(download));
  const behind = element("div", { hidden: true }, ...images);
  const whole = element("div", { class: "viewer" }, tools, stage, element("div", { class: "below" }, pixels.whole, files), behind);
  return { canvas, divider, tags, scale, stage, tools, pixels, whole };
}

const download = ({ role, label, url }) => element("a", { href: url, download: `${role}.${url.split("?")[0].split(".").at(-1)}` }, label.toLowerCase());

function start(shown, parts, loaded) {
  const size = { width: loaded[0].width, height: loaded[0].height };
  const frame = onceAFrame(() => show(shown, parts, loaded, size));
  const change = (values) => {
    Object.assign(shown, values);
    if (KEPT.some((name) => name in values)) localStorage.setItem("viewer", JSON.stringify(Object.fromEntries(KEPT.map((name) => [name, shown[name]]))));
    controls.show();
    measure(shown, parts, loaded.length, size);
    frame.now();
  };
  // A mouse tells of more places than there are frames.
  const glide = (values) => {
    Object.assign(shown, values);
    frame.soon();
  };
  const moves = movesOf(shown, size, glide);
  const steps = movesOf(shown, size, change);
  const controls = toolbar(shown, parts, change, steps);
  gestures(parts.stage, { ...moves, look: (point) => glide({ point }) });
  slide(parts.divider, shown, glide, change);
  for (const end of ["pointerup", "pointercancel"]) parts.stage.addEventListener(end, frame.flush);
  keys(parts.whole, steps, () => change(shown.mode === "blink" ? { flipped: !shown.flipped, held: true } : { mode: "blink", held: false }));
  blinking(shown, parts.whole, change);
  new ResizeObserver(() => {
    measure(shown, parts, loaded.length, size);
    frame.now();
  }).observe(parts.stage);
  change({});
}

/** Calls `draw` at most once a frame: `soon`, `now`, or with `flush` now where it is to be soon. */
function onceAFrame(draw) {
  let asked = 0;
  const now = () => {
    cancelAnimationFrame(asked);
    asked = 0;
    draw();
  };
  return { now, soon: () => (asked ||= requestAnimationFrame(now)), flush: () => asked && now() };
}

/** The stage's size, which is asked for when it may have changed and not when something is drawn. */
function measure(shown, { canvas, stage }, count, size) {
  const rows = shown.mode === "side" && stage.clientWidth < NARROW ? count : 1;
  stage.style.aspectRatio = `${size.width} / ${size.height * rows}`;
  shown.space = { width: stage.clientWidth, height: stage.clientHeight };
  resize(canvas, Math.round(shown.space.width * devicePixelRatio), Math.round(shown.space.height * devicePixelRatio));
}

/** The boxes of the stage and what is painted into them. */
function layout(shown, loaded, size, stage) {
  const { pictures, truth, left, right, gain } = shown;
  const [a, b] = [pictures[left].label, pictures[right].label];
  const whole = { ...stage, left: 0, top: 0 };
  const single = (surface, text) => ({ boxes: [whole], parts: [{ surface, box: whole }], tags: [{ text, box: whole }] });
  if (shown.mode === "side") {
    const boxes = tiles(stage, size, loaded.length);
    return { boxes, parts: loaded.map((surface, index) => ({ surface, box: boxes[index] })), tags: boxes.map((box, index) => ({ text: pictures[index].label, box })) };
  }
  if (shown.mode === "blink") return shown.flipped ? single(loaded[right], b) : single(loaded[left], a);
  if (shown.mode === "difference") return single(cached(shown, `${left} ${right} ${gain}`, () => differenceOf(loaded[left], loaded[right], gain)), `|${a} − ${b}| ×${gain}`);
  let [one, other] = [loaded[left], loaded[right]];
  let [name, otherName] = [a, b];
  if (shown.mode === "error") {
    const errors = [left, right].filter((index) => index !== truth).map((index) => [errorIn(shown, loaded, index), `Error of ${pictures[index].label.toLowerCase()}`]);
    if (errors.length === 1) return single(...errors[0]);
    [[one, name], [other, otherName]] = errors;
  }
  const ends = visible(place(viewIn(shown, size, whole), size, whole, devicePixelRatio), whole);
  const at = ends.left + shown.cut * (ends.right - ends.left);
  return {
    boxes: [whole],
    parts: [
      { surface: one, box: whole, to: at },
      { surface: other, box: whole, from: at },
    ],
    tags: [
      { text: name, box: whole },
      { text: otherName, box: whole, end: true },
    ],
    at,
    ends,
  };
}

/** The shared view, held to a box; the whole picture as long as nobody has zoomed. */
function viewIn(shown, size, box) {
  return shown.view ? clamp(shown.view, size, box, devicePixelRatio) : fit(size, box, devicePixelRatio);
}

const MOST_CACHED = 4;

/** What is made of pictures is kept, the last few: they take as much as the pictures. */
function cached(shown, key, make) {
  shown.made ??= new Map();
  const surface = shown.made.get(key) ?? make();
  shown.made.delete(key);
  shown.made.set(key, surface);
  if (shown.made.size > MOST_CACHED) shown.made.delete(shown.made.keys().next().value);
  return surface;
}

function errorIn(shown, loaded, index) {
  return cached(shown, `error ${index} ${shown.top}`, () => errorOf(loaded[index], loaded[shown.truth], shown.top, SEQUENTIAL));
}

function show(shown, parts, loaded, size) {
  const { canvas, stage, divider } = parts;
  const drawn = layout(shown, loaded, size, shown.space);
  shown.boxes = drawn.boxes;
  shown.ends = drawn.ends;
  const view = viewIn(shown, size, drawn.boxes[0]);
  paint(canvas, drawn.parts, view, devicePixelRatio);
  const movable = size.width * view.scale > drawn.boxes[0].width || size.height * view.scale > drawn.boxes[0].height;
  stage.classList.toggle("movable", movable);
  write(parts.percent, `${Math.round(100 * view.scale)} %`);
  showTags(parts.tags, drawn.tags);
  describe(canvas, { "aria-label": `${MODES[shown.mode]}: ${drawn.tags.map(({ text }) => text).join(", ")}` });
  showScale(parts.scale, shown);
  divider.hidden = drawn.at == null;
  divider.style.translate = `${drawn.at ?? 0}px`;
  describe(divider, { "aria-valuenow": Math.round(100 * shown.cut), "aria-label": `Where ${drawn.tags[0].text} ends and ${drawn.tags.at(-1).text} begins` });
  readPixels(shown, parts.pixels, loaded, size);
}

/** What is as it was is not written anew: a browser lays out the page again for it. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function describe(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function showTags(holder, tags) {
  const key = JSON.stringify(tags);
  if (holder.dataset.shown === key) return;
  holder.dataset.shown = key;
  holder.replaceChildren(...tags.map(tag));
}

/** What the colours of the error map mean. */
function showScale(scale, { mode, top }) {
  scale.hidden = mode !== "error";
  if (scale.hidden || scale.dataset.top === String(top)) return;
  scale.dataset.top = top;
  scale.replaceChildren(colourScale(SEQUENTIAL, "0", top / 2, `${top} and more`), element("span", {}, "|error| in levels of 255, mean of R, G, B"));
}

/** A canvas is emptied and made anew by setting its size, even to what it is. */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

function tag({ text, box, end }) {
  const made = element("span", { class: end ? "end" : "" }, text);
  made.style.top = `${box.top}px`;
  made.style.left = `${end ? box.left + box.width : box.left}px`;
  return made;
}

/** What can be done to the view: {move, zoom, step, fit}, each in the box that a point lies in. */
function movesOf(shown, size, change) {
  const set = (view) => change({ view });
  const boxAt = (point) => shown.boxes.find((box) => point.x < box.left + box.width && point.y < box.top + box.height) ?? shown.boxes.at(-1);
  const zoom = (factorOf, point) => {
    const box = boxAt(point);
    const view = viewIn(shown, size, box);
    set(zoomTo(view, factorOf(view.scale), { x: point.x - box.left, y: point.y - box.top }, size, box, devicePixelRatio));
  };
  const middle = () => ({ x: shown.boxes[0].width / 2, y: shown.boxes[0].height / 2 });
  return {
    move: (dx, dy) => set(pan(viewIn(shown, size, shown.boxes[0]), dx, dy, size, shown.boxes[0], devicePixelRatio)),
    zoom: (factor, point) => zoom((scale) => scale * factor, point),
    step: (direction) => zoom((scale) => step(scale, direction), shown.point ?? middle()),
    fit: () => set(null),
  };
}

/** The line of values: made once, as it is written anew with every move. */
function pixelWords(pictures) {
  const hint = element("span", {}, HINT, element("span", { class: "keys" }, ` ${KEYS}`));
  const where = element("span", { class: "where", hidden: true });
  const values = pictures.map(({ label }) => ({ swatch: element("i", {}), number: element("b", {}), label }));
  const spans = values.map(({ swatch, number, label }) => element("span", { hidden: true }, swatch, `${label} `, number));
  return { whole: element("p", { class: "pixels" }, hint, where, ...spans), hint, where, values, spans };
}

/** The values of all pictures where the pointer is. */
function readPixels(shown, { hint, where, values, spans }, loaded, size) {
  const at = pointedAt(shown, size);
  hint.hidden = Boolean(at);
  for (const one of [where, ...spans]) one.hidden = !at;
  if (!at) return;
  write(where, `x ${at.x}, y ${at.y}`);
  for (const [index, surface] of loaded.entries()) {
    const rgb = valueAt(surface, at);
    write(values[index].number, rgb.join(" "));
    values[index].swatch.style.background = `rgb(${rgb.join(" ")})`;
  }
}

/** The pixel under the pointer, null where there is none. */
function pointedAt({ point, boxes, ...shown }, size) {
  const box = point && boxes.find(({ left, top, width, height }) => point.x >= left && point.x < left + width && point.y >= top && point.y < top + height);
  return box ? pixelAt({ x: point.x - box.left, y: point.y - box.top }, place(viewIn(shown, size, box), size, box, devicePixelRatio), size) : null;
}
