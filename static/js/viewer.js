// Pictures of one scene, compared: under a slider, side by side, blinking, or as their difference.
// One canvas, all pictures behind it; zoom and place are shared.
import { element } from "./dom.js";
import { gestures } from "./gestures.js";
import { differenceOf, paint, surfaces, valueAt } from "./stage.js";
import { clamp, fit, pan, pixelAt, place, step, tiles, visible, zoomTo } from "./view.js";

const MODES = { slider: "Slider", side: "Side by side", blink: "Blink", difference: "Difference" };
const GAINS = [1, 4, 8, 16];
const BLINK_MS = 600;
const NARROW = 600;
const HINT = "Point at the picture to read its pixels.";
const KEYS = "Wheel or + − zoom, 0 fits; drag or Shift + arrows move; b blinks.";

/** Fill the holder with a viewer of `pictures`: two or more of {role, label, url}. */
export function viewer(holder, pictures) {
  const images = pictures.map(({ role, label, url }) => element("img", { src: url, alt: label, "data-role": role }));
  const shown = { pictures, left: 0, right: 1, cut: 0.5, flipped: false, view: null, point: null, ...remembered() };
  const parts = build(pictures, images);
  holder.replaceChildren(parts.whole);
  Promise.all(images.map((image) => image.decode())).then(
    () => start(shown, parts, surfaces(images)),
    () => (parts.pixels.textContent = "A picture could not be loaded. Load the page again."),
  );
}

/** The mode and gain that were used last, on whatever page. */
function remembered() {
  return { mode: "slider", gain: 8, ...JSON.parse(localStorage.getItem("viewer") ?? "{}") };
}

function build(pictures, images) {
  const canvas = element("canvas", { role: "img" });
  const divider = element("div", { class: "divider", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100 });
  const tags = element("div", { class: "tags", "aria-hidden": "true" });
  const stage = element("div", { class: "stage" }, canvas, tags, divider);
  const tools = element("div", { class: "tools", role: "toolbar", "aria-label": "Viewer" });
  const pixels = element("p", { class: "pixels" });
  const files = element("p", { class: "files quiet" }, "Save ", ...pictures.map(download));
  const behind = element("div", { hidden: true }, ...images);
  return { canvas, divider, tags, stage, tools, pixels, whole: element("div", { class: "viewer" }, tools, stage, element("div", { class: "below" }, pixels, files), behind) };
}

const download = ({ role, label, url }) => element("a", { href: url, download: `${role}.${url.split(".").at(-1)}` }, label.toLowerCase());

function start(shown, parts, loaded) {
  const size = { width: loaded[0].width, height: loaded[0].height };
  const change = (values) => {
    Object.assign(shown, values);
    if (values.mode || values.gain) localStorage.setItem("viewer", JSON.stringify({ mode: shown.mode, gain: shown.gain }));
    controls.show();
    draw();
  };
  const draw = () => show(shown, parts, loaded, size);
  const moves = movesOf(shown, parts, size, (view) => change({ view }));
  const controls = toolbar(shown, parts, change, moves);
  gestures(parts.stage, {
    ...moves,
    look: (point) => {
      shown.point = point;
      readPixels(shown, parts, loaded, size);
    },
  });
  slide(parts.divider, shown, (cut) => change({ cut }));
  keys(parts.whole, moves, () => change(shown.mode === "blink" ? { flipped: !shown.flipped, held: true } : { mode: "blink", held: false }));
  blinking(shown, parts.whole, change);
  new ResizeObserver(draw).observe(parts.stage);
  change({});
}

/** The boxes of the stage and what is painted into them. */
function layout(shown, loaded, size, stage) {
  const { pictures, left, right, gain } = shown;
  const [a, b] = [pictures[left].label, pictures[right].label];
  const whole = { ...stage, left: 0, top: 0 };
  const single = (surface, text) => ({ boxes: [whole], parts: [{ surface, box: whole }], tags: [{ text, box: whole }] });
  if (shown.mode === "side") {
    const boxes = tiles(stage, size, loaded.length);
    return { boxes, parts: loaded.map((surface, index) => ({ surface, box: boxes[index] })), tags: boxes.map((box, index) => ({ text: pictures[index].label, box })) };
  }
  if (shown.mode === "blink") return shown.flipped ? single(loaded[right], b) : single(loaded[left], a);
  if (shown.mode === "difference") return single(cachedDifference(shown, loaded), `|${a} − ${b}| ×${gain}`);
  const ends = visible(place(viewIn(shown, size, whole), size, whole, devicePixelRatio), whole);
  const at = ends.left + shown.cut * (ends.right - ends.left);
  return {
    boxes: [whole],
    parts: [
      { surface: loaded[left], box: whole, to: at },
      { surface: loaded[right], box: whole, from: at },
    ],
    tags: [
      { text: a, box: whole },
      { text: b, box: whole, end: true },
    ],
    at,
    ends,
  };
}

/** The shared view, held to a box; the whole picture as long as nobody has zoomed. */
function viewIn(shown, size, box) {
  return shown.view ? clamp(shown.view, size, box, devicePixelRatio) : fit(size, box, devicePixelRatio);
}

function cachedDifference(shown, loaded) {
  const key = `${shown.left} ${shown.right} ${shown.gain}`;
  if (shown.difference?.key !== key) shown.difference = { key, surface: differenceOf(loaded[shown.left], loaded[shown.right], shown.gain) };
  return shown.difference.surface;
}

function show(shown, parts, loaded, size) {
  const { canvas, stage, divider } = parts;
  const rows = shown.mode === "side" && stage.clientWidth < NARROW ? loaded.length : 1;
  stage.style.aspectRatio = `${size.width} / ${size.height * rows}`;
  const space = { width: stage.clientWidth, height: stage.clientHeight };
  resize(canvas, Math.round(space.width * devicePixelRatio), Math.round(space.height * devicePixelRatio));
  const drawn = layout(shown, loaded, size, space);
  shown.boxes = drawn.boxes;
  shown.ends = drawn.ends;
  const view = viewIn(shown, size, drawn.boxes[0]);
  paint(canvas, drawn.parts, view, devicePixelRatio);
  const movable = size.width * view.scale > drawn.boxes[0].width || size.height * view.scale > drawn.boxes[0].height;
  stage.classList.toggle("movable", movable);
  parts.percent.textContent = `${Math.round(100 * view.scale)} %`;
  parts.tags.replaceChildren(...drawn.tags.map(tag));
  canvas.setAttribute("aria-label", `${MODES[shown.mode]}: ${drawn.tags.map(({ text }) => text).join(", ")}`);
  divider.hidden = drawn.at == null;
  divider.style.left = `${drawn.at}px`;
  divider.setAttribute("aria-valuenow", Math.round(100 * shown.cut));
  divider.setAttribute("aria-label", `Where ${drawn.tags[0].text} ends and ${drawn.tags.at(-1).text} begins`);
  readPixels(shown, parts, loaded, size);
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
function movesOf(shown, parts, size, set) {
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

/** The values of all pictures where the pointer is. */
function readPixels(shown, { pixels }, loaded, size) {
  const box = shown.point && shown.boxes.find(({ left, top, width, height }) => shown.point.x >= left && shown.point.x < left + width && shown.point.y >= top && shown.point.y < top + height);
  const at = box && pixelAt({ x: shown.point.x - box.left, y: shown.point.y - box.top }, place(viewIn(shown, size, box), size, box, devicePixelRatio), size);
  if (!at) {
    pixels.replaceChildren(element("span", {}, HINT, element("span", { class: "keys" }, ` ${KEYS}`)));
    return;
  }
  const values = loaded.map((surface) => valueAt(surface, at));
  pixels.replaceChildren(element("span", { class: "where" }, `x ${at.x}, y ${at.y}`), ...values.map((rgb, index) => colour(shown.pictures[index].label, rgb)));
}

function colour(label, rgb) {
  const swatch = element("i", {});
  swatch.style.background = `rgb(${rgb.join(" ")})`;
  return element("span", {}, swatch, `${label} `, element("b", {}, rgb.join(" ")));
}

/** Buttons for all that can be chosen; `show` brings them up to date. */
function toolbar(shown, parts, change, moves) {
  const modes = choices("Way of comparing", MODES, (mode) => change({ mode, held: false }));
  const gains = choices("Gain of the difference", Object.fromEntries(GAINS.map((gain) => [gain, `×${gain}`])), (gain) => change({ gain: Number(gain) }));
  const which = whichPictures(shown.pictures, change);
  parts.percent = element("output", { "aria-label": "Zoom" });
  const zoom = element(
    "span",
    { class: "group zoom" },
    element("button", { type: "button", "aria-label": "Zoom out", onclick: () => moves.step(-1) }, "−"),
    parts.percent,
    element("button", { type: "button", "aria-label": "Zoom in", onclick: () => moves.step(1) }, "+"),
    element("button", { type: "button", onclick: moves.fit }, "Fit"),
  );
  parts.tools.replaceChildren(modes.group, which, gains.group, zoom);
  return {
    show: () => {
      modes.press(shown.mode);
      gains.press(String(shown.gain));
      gains.group.hidden = shown.mode !== "difference";
      which.hidden = shown.pictures.length < 3 || shown.mode === "side";
    },
  };
}

/** A row of buttons, one of them pressed. */
function choices(label, names, choose) {
  const buttons = new Map(Object.entries(names).map(([value, name]) => [value, element("button", { type: "button", onclick: () => choose(value) }, name)]));
  const press = (chosen) => buttons.forEach((button, value) => button.setAttribute("aria-pressed", String(value === chosen)));
  return { group: element("span", { class: "group", role: "group", "aria-label": label }, ...buttons.values()), press };
}

/** Which two of several pictures are compared. */
function whichPictures(pictures, change) {
  const pairs = pictures.flatMap((_, left) => pictures.slice(left + 1).map((_, more) => [left, left + 1 + more]));
  const options = pairs.map(([left, right], index) => element("option", { value: index }, `${pictures[left].label} | ${pictures[right].label}`));
  const choose = (event) => {
    const [left, right] = pairs[event.target.value];
    change({ left, right });
  };
  return element("select", { "aria-label": "Compared pictures", onchange: choose }, ...options);
}

/** The divider follows the pointer and the keys. */
function slide(divider, shown, set) {
  const hold = (cut) => set(Math.min(Math.max(cut, 0), 1));
  divider.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    event.stopPropagation();
    const x = event.clientX - divider.parentElement.getBoundingClientRect().left;
    hold((x - shown.ends.left) / (shown.ends.right - shown.ends.left));
  });
  divider.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: shown.cut - 0.01, ArrowRight: shown.cut + 0.01, PageDown: shown.cut - 0.1, PageUp: shown.cut + 0.1, Home: 0, End: 1 }[event.key];
    if (to == null || event.shiftKey) return;
    event.preventDefault();
    hold(to);
  });
}

function keys(whole, moves, blink) {
  const STEP = 40;
  const plain = { "+": () => moves.step(1), "=": () => moves.step(1), "-": () => moves.step(-1), 0: moves.fit, b: blink };
  const shifted = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
  document.addEventListener("keydown", (event) => {
    if (!whole.isConnected || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    if (event.shiftKey && shifted[event.key]) {
      event.preventDefault();
      moves.move(...shifted[event.key]);
    } else if (!event.repeat || event.key !== "b") plain[event.key]?.();
  });
}

/** In the mode blink the pictures change by themselves, until b is pressed or where motion is unwanted. */
function blinking(shown, whole, change) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const timer = setInterval(() => {
    if (!whole.isConnected) clearInterval(timer);
    else if (shown.mode === "blink" && !shown.held && !still.matches) change({ flipped: !shown.flipped });
  }, BLINK_MS);
}
