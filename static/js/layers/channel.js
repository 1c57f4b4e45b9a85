// Dialog with one channel of a layer at full size next to the input, and with the places of its
// strongest responses.
import { grayValues, loadImage, tileBox } from "./atlas.js";
import { SEQUENTIAL } from "../viewer/colour_map.js";
import { colourScale } from "../viewer/colour_scale.js";
import { messageOf } from "../base/api.js";
import { context2d, definitions, element, targetOf } from "../base/dom.js";
import { percent, small } from "../base/format.js";
import { pictureUrl } from "./maps.js";

/** @import { Box, ChannelResult, Layer, LayersRegion, Size } from "../base/types.js" */
/** @import { GrayPicture } from "./atlas.js" */

/**
 * @typedef {{ url: string, part?: Box | LayersRegion | null }} LayerInput The picture that the
 *   layers got; `part` is the region, if it is not the whole picture.
 *
 * @typedef {object} LayerSources
 * @property {() => LayerInput | null | undefined} input
 * @property {((layer: Layer, channel: number) => Promise<ChannelResult>) | null} [fetchChannel]
 *   Gets all of a channel; null if only the layer's own pictures can be shown.
 *
 * @typedef {object} Pane
 * @property {HTMLElement} element
 * @property {HTMLElement} box
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} marks
 * @property {HTMLElement} caption
 * @property {number} scale
 *
 * @typedef {ReturnType<typeof buildDialog>} Parts
 *
 * @typedef {object} Drawing
 * @property {GrayPicture} gray The channel.
 * @property {HTMLImageElement | null} picture The input.
 * @property {Box | LayersRegion | null | undefined} part
 * @property {[number, number, number]} shape Of the layer.
 * @property {number} low
 * @property {number} high
 */

const LOST = "The picture could not be loaded. Check that the test still exists.";
/** The size of crops of the input, in pixels. */
const CROP = 96;
const ADDRESS = /^#layer-(\d+)-channel-(\d+)$/;

/**
 * The factor that enlarges a picture to fill a box: a whole number, at least 1.
 * @param {Size} picture
 * @param {Size} box
 */
export function enlargement({ width, height }, box) {
  return Math.max(1, Math.floor(Math.min(box.width / width, box.height / height)));
}

/**
 * A box of the whole input, relative to the part that is shown.
 * @param {Box} box
 * @param {Box | LayersRegion | null | undefined} part
 * @returns {Box}
 */
const relativeTo = ({ left, top, width, height }, part) => ({
  left: left - (part?.left ?? 0),
  top: top - (part?.top ?? 0),
  width,
  height,
});

/**
 * Create the dialog, which is built when it is first shown. While it is open, the page's address
 * contains the channel.
 * @param {LayerSources & { onClose: (layer: Layer, channel: number) => void }} options
 * @returns {{ show: (layer: Layer, channel: number) => void, layerAdded: (layer: Layer) => void }}
 *   `layerAdded` shows the layer if the page's address contains it.
 */
export function channelView({ input, fetchChannel, onClose }) {
  /** @type {Parts | null} */
  let parts = null;
  let requested = ADDRESS.exec(location.hash)?.slice(1).map(Number) ?? null;
  /** @type {{ layer: Layer, channel: number } | null} */
  let current = null;
  let latest = 0;

  function close() {
    history.replaceState(null, "", location.pathname + location.search);
    if (current) onClose(current.layer, current.channel);
    current = null;
  }

  /** @param {number} by */
  function turn(by) {
    if (!current) return;
    const channel = current.channel + by;
    if (channel >= 0 && channel < current.layer.shape[0]) show(current.layer, channel);
  }

  /**
   * @param {Layer} layer
   * @param {number} channel
   */
  async function show(layer, channel) {
    parts ??= buildDialog(turn, close);
    const dialog = parts;
    const turnNumber = ++latest;
    const isOutdated = () => turnNumber !== latest;
    current = { layer, channel };
    showHead(dialog, layer, channel);
    const shown = input();
    const response = fetchChannel ? settled(fetchChannel(layer, channel)) : null;
    dialog.strongest.classList.toggle("asked", Boolean(fetchChannel));
    const range = { low: layer.channels.low[channel], high: layer.channels.high[channel] };
    const unknown = { mean: null, std: null, zero_share: null };
    showFacts(dialog, fetchChannel ? { ...range, ...unknown } : range);
    dialog.scale.replaceChildren(colourScale(SEQUENTIAL, small(range.low), small(range.high)));
    showMessage(
      dialog,
      response
        ? "Finding the strongest responses…"
        : "The page of a test shows the strongest responses.",
    );
    const retry = () => show(layer, channel);
    const pictures = await settled(
      Promise.all([shown ? loadImage(shown.url) : null, loadTile(layer, channel)]),
    );
    if (isOutdated()) return;
    if ("error" in pictures) {
      showError(dialog, LOST, retry);
      return;
    }
    const [picture, tile] = pictures.value;
    const about = { picture, part: shown?.part, shape: layer.shape, ...range };
    draw(dialog, { gray: tile, ...about });
    if (!response) return;
    const result = await response;
    if (isOutdated()) return;
    if ("error" in result) {
      showError(dialog, messageOf(result.error), retry);
      return;
    }
    const map = await settled(loadImage(`${result.value.picture}${layer.version ?? ""}`));
    if (isOutdated()) return;
    if ("error" in map) {
      showError(dialog, LOST, retry);
      return;
    }
    showFacts(dialog, result.value);
    draw(dialog, { gray: grayValues(map.value), ...about });
    showStrongest(dialog, result.value, picture, shown?.part);
  }

  return {
    show,
    layerAdded: (layer) => {
      if (current?.layer.index === layer.index && current.layer !== layer && !fetchChannel)
        show(layer, current.channel);
      if (requested?.[0] !== layer.index) return;
      const channel = requested[1];
      requested = null;
      if (channel < layer.shape[0]) show(layer, channel);
    },
  };
}

/**
 * @param {(by: number) => void} turn
 * @param {() => void} close
 */
function buildDialog(turn, close) {
  /**
   * @param {number} by
   * @param {string} sign
   * @param {string} label
   */
  const step = (by, sign, label) =>
    element("button", { type: "button", "aria-label": label, onclick: () => turn(by) }, sign);
  const title = element("h2", { id: "channel-title", tabindex: -1 });
  const previous = step(-1, "◂", "Previous channel");
  const next = step(1, "▸", "Next channel");
  const facts = element("dl", { class: "channel-facts" });
  const scale = element("span", { class: "maps-scale" });
  const [map, input] = [pane("Channel"), pane("Input")];
  const readout = element("p", { class: "readout quiet" });
  const strongest = element("div", { class: "strongest" });
  const closeButton = element("button", { type: "button", "data-closes": true }, "Close");
  const dialog = element(
    "dialog",
    { class: "channel", "aria-labelledby": "channel-title" },
    element(
      "header",
      {},
      title,
      element("span", { class: "actions" }, previous, next, closeButton),
    ),
    facts,
    element("div", { class: "side-by-side" }, map.element, input.element),
    element("div", { class: "maps-tools" }, readout, scale),
    strongest,
  );
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    // In a pane that scrolls, the arrow keys scroll.
    if (event.altKey || event.ctrlKey || event.metaKey || targetOf(event)?.matches(".pane.larger"))
      return;
    event.preventDefault();
    turn(event.key === "ArrowLeft" ? -1 : 1);
  });
  dialog.addEventListener("close", close);
  scrollTogether(map.box, input.box);
  document.body.append(dialog);
  return { dialog, title, previous, next, facts, scale, map, input, readout, strongest };
}

/**
 * @param {string} title
 * @returns {Pane}
 */
function pane(title) {
  const canvas = element("canvas", { role: "img" });
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const box = element("div", { class: "pane" }, element("div", { class: "sheet" }, canvas, marks));
  const caption = element("figcaption", {}, title);
  return { element: element("figure", {}, caption, box), canvas, marks, box, caption, scale: 1 };
}

/**
 * @param {Parts} parts
 * @param {Layer} layer
 * @param {number} channel
 */
function showHead({ dialog, title, previous, next }, layer, channel) {
  const channels = layer.shape[0];
  title.replaceChildren(
    `${layer.name} · channel ${channel} `,
    element("span", { class: "quiet" }, `${channel + 1} of ${channels}`),
  );
  previous.disabled = channel === 0;
  next.disabled = channel === channels - 1;
  history.replaceState(null, "", `#layer-${layer.index}-channel-${channel}`);
  if (dialog.open) return;
  dialog.showModal();
  title.focus();
}

/**
 * Show a text in place of the strongest responses.
 * @param {Parts} parts
 * @param {string} text
 */
function showMessage({ map, input, strongest }, text) {
  map.marks.replaceChildren();
  input.marks.replaceChildren();
  strongest.replaceChildren(element("p", { class: "quiet" }, text));
}

/**
 * @param {Parts} parts
 * @param {string} text
 * @param {() => void} retry
 */
function showError({ map, input, strongest }, text, retry) {
  map.marks.replaceChildren();
  input.marks.replaceChildren();
  strongest.replaceChildren(
    element("p", { class: "wrong", role: "alert" }, text),
    element("button", { type: "button", onclick: retry }, "Try again"),
  );
}

/**
 * The outcome of a promise.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<{ value: T } | { error: unknown }>}
 */
const settled = (promise) =>
  promise.then(
    (value) => ({ value }),
    (/** @type {unknown} */ error) => ({ error }),
  );

/**
 * The channel from the layer's own picture: immediately available, and at full size unless the
 * layer is very wide.
 * @param {Layer} layer
 * @param {number} channel
 */
async function loadTile(layer, channel) {
  const page = layer.pages.find(({ first, count }) => channel >= first && channel < first + count);
  if (!page) throw new Error(`Layer ${layer.name} has no picture of channel ${channel}.`);
  return grayValues(await loadImage(pictureUrl(layer, page)), tileBox(page, channel - page.first));
}

/** @typedef {"low" | "high" | "mean" | "std" | "zero_share"} FactName */

/** @type {[FactName, string, (value: number | null) => string][]} */
const FACTS = [
  ["low", "min", small],
  ["high", "max", small],
  ["mean", "mean", small],
  ["std", "std", small],
  ["zero_share", "zeros", (share) => (share == null ? small(share) : percent(share))],
];

/**
 * @param {Parts} parts
 * @param {Partial<Record<FactName, number | null>>} values
 */
function showFacts({ facts }, values) {
  facts.replaceChildren(
    ...definitions(
      FACTS.filter(([name]) => name in values).map(([name, term, format]) => [
        term,
        format(values[name] ?? null),
      ]),
    ),
  );
}

/**
 * Draw the channel and the input. Pictures that are larger than their boxes scroll together.
 * @param {Parts} parts
 * @param {Drawing} drawing
 */
function draw({ map, input, readout }, { gray, picture, part, shape, low, high }) {
  const full = { width: shape[2], height: shape[1] };
  const inputSize = picture && {
    width: part?.width ?? picture.naturalWidth,
    height: part?.height ?? picture.naturalHeight,
  };
  const box = { width: map.box.clientWidth, height: 0.46 * innerHeight };
  const factor = enlargement(inputSize ?? full, box);
  // A value of the map that covers several pixels of the input is as large as these.
  map.scale = Math.max(1, Math.round(factor * ((inputSize ?? full).width / full.width)));
  const pixels = new ImageData(gray.width, gray.height);
  new Uint32Array(pixels.data.buffer).set(
    Uint32Array.from(gray.values, (value) => SEQUENTIAL[value]),
  );
  fill(map, gray, full, (context) => context.putImageData(pixels, 0, 0));
  map.canvas.setAttribute("aria-label", "The channel");
  const preview = gray.width < full.width ? `, preview from ${gray.width}×${gray.height}` : "";
  const size = `${full.width}×${full.height}`;
  map.caption.textContent = `Channel, ${size}${preview}${timesText(map.scale)}`;
  input.element.hidden = !inputSize;
  if (picture && inputSize) {
    input.scale = factor;
    fill(input, inputSize, inputSize, (context) =>
      context.drawImage(picture, -(part?.left ?? 0), -(part?.top ?? 0)),
    );
    input.canvas.setAttribute("aria-label", "The input");
    const region = `${part ? "the middle " : ""}${inputSize.width}×${inputSize.height}`;
    input.caption.textContent = `Input, ${region}${timesText(factor)}`;
  }
  const hint = "Point at the channel to read its values.";
  readout.textContent = hint;
  map.canvas.onpointerleave = () => (readout.textContent = hint);
  map.canvas.onpointermove = ({ offsetX, offsetY }) => {
    const x = Math.floor((offsetX / map.canvas.clientWidth) * gray.width);
    const y = Math.floor((offsetY / map.canvas.clientHeight) * gray.height);
    if (x < 0 || y < 0 || x >= gray.width || y >= gray.height) return;
    const column = Math.floor((x * full.width) / gray.width);
    const row = Math.floor((y * full.height) / gray.height);
    const value = low + ((high - low) * gray.values[y * gray.width + x]) / 255;
    readout.textContent = `x ${column}, y ${row}: about ${small(value)}`;
  };
}

/** @param {number} factor */
const timesText = (factor) => (factor > 1 ? `, ×${factor}` : "");

/**
 * Paint a pane.
 * @param {Pane} pane
 * @param {Size} size Of the canvas.
 * @param {Size} full The size that the pane's scale enlarges.
 * @param {(context: CanvasRenderingContext2D) => void} paint
 */
function fill({ canvas, box, marks, scale }, { width, height }, full, paint) {
  canvas.width = width;
  canvas.height = height;
  paint(context2d(canvas));
  for (const { style } of [canvas, marks]) {
    style.width = `${full.width * scale}px`;
    style.height = `${full.height * scale}px`;
  }
  const isLarger = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  box.classList.toggle("larger", isLarger);
  if (isLarger) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}

/**
 * Mark the strongest places on both pictures, and list them with crops of the input.
 * @param {Parts} parts
 * @param {ChannelResult} result
 * @param {HTMLImageElement | null} picture The input.
 * @param {Box | LayersRegion | null | undefined} part
 */
function showStrongest({ map, input, strongest }, result, picture, part) {
  const { strongest: places, field, high, low } = result;
  if (!places.length) {
    const text = low === 0 ? "is dead: zero everywhere" : `is ${small(low)} everywhere`;
    const reason = high === low ? `This channel ${text}. ` : "";
    strongest.replaceChildren(
      element("p", { class: "quiet" }, `${reason}It has no strongest responses.`),
    );
    return;
  }
  const boxes = places.map(({ sees }) => sees && relativeTo(sees, part));
  map.marks.replaceChildren(
    ...places.map(({ x, y }, index) =>
      mark(index, { left: x, top: y, width: 1, height: 1 }, map, "spot"),
    ),
  );
  input.marks.replaceChildren(
    ...boxes.flatMap((box, index) => (box ? [mark(index, box, input, "sees")] : [])),
  );
  const text = field
    ? `Each square is the receptive field: ${field[1]}×${field[0]} pixels, fewer at the edge.`
    : "The receptive field is unknown: the squares show the surroundings of each place.";
  const items = places.map(({ value, x, y, sees }, index) => {
    const show = () => highlight(index, map, input);
    const crop = picture && sees ? cropOf(picture, sees) : null;
    return element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          onclick: show,
          onpointerenter: show,
          onfocus: show,
          "aria-label": `${index + 1}: ${small(value)} at x ${x}, y ${y}`,
        },
        crop,
        element("span", {}, element("b", {}, String(index + 1)), ` ${small(value)}`),
      ),
    );
  });
  strongest.replaceChildren(
    element("h3", {}, "Strongest responses"),
    element("p", { class: "quiet" }, text),
    element("ol", {}, ...items),
  );
}

/**
 * A numbered mark. The number is above the box, or below it at the top edge; inside it at the right
 * edge.
 * @param {number} index
 * @param {Box} box
 * @param {Pane} pane
 * @param {string} kind
 */
function mark(index, { left, top, width, height }, { scale, canvas }, kind) {
  const below = top * scale < 20 ? " below" : "";
  const inward = left * scale > canvas.clientWidth - 24 ? " inward" : "";
  const created = element(
    "span",
    { class: `${kind}${below}${inward}` },
    element("b", {}, String(index + 1)),
  );
  Object.assign(created.style, {
    left: `${left * scale}px`,
    top: `${top * scale}px`,
    width: `${width * scale}px`,
    height: `${height * scale}px`,
  });
  return created;
}

/**
 * Highlight a place on both pictures, and scroll to it.
 * @param {number} index
 * @param {...Pane} panes
 */
function highlight(index, ...panes) {
  for (const { marks, box } of panes) {
    for (const [at, child] of [...marks.children].entries())
      child.classList.toggle("looked-at", at === index);
    if (!box.classList.contains("larger")) continue;
    const target = marks.children[index];
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } =
      target instanceof HTMLElement ? target : marks;
    box.scrollTo({
      left: offsetLeft + offsetWidth / 2 - box.clientWidth / 2,
      top: offsetTop + offsetHeight / 2 - box.clientHeight / 2,
    });
  }
}

/**
 * A part of the input: enlarged by a whole factor, or reduced if it is large.
 * @param {HTMLImageElement} picture
 * @param {Box} box
 */
function cropOf(picture, { left, top, width, height }) {
  const most = Math.max(width, height);
  const factor = most > CROP ? CROP / most : Math.floor(CROP / most);
  const canvas = element("canvas", { width, height, "aria-hidden": "true" });
  context2d(canvas).drawImage(picture, left, top, width, height, 0, 0, width, height);
  canvas.style.width = `${Math.round(width * factor)}px`;
  if (factor < 1) canvas.style.imageRendering = "auto";
  return canvas;
}

/**
 * @param {HTMLElement} first
 * @param {HTMLElement} second
 */
function scrollTogether(first, second) {
  for (const [from, to] of [
    [first, second],
    [second, first],
  ]) {
    from.addEventListener("scroll", () => {
      if (to.scrollLeft !== from.scrollLeft) to.scrollLeft = from.scrollLeft;
      if (to.scrollTop !== from.scrollTop) to.scrollTop = from.scrollTop;
    });
  }
}
