// Dialog with one channel of a layer at full size next to the input, and with the places of its
// strongest responses.
import { grayValues, loadImage, tileBox } from "./atlas.js";
import { draw, pane, scrollTogether } from "./panes.js";
import { legend, scaleFor } from "./scale.js";
import { showStrongest } from "./strongest.js";
import { messageOf } from "../base/api.js";
import { definitions, element, targetOf } from "../base/dom.js";
import { percent, small } from "../base/format.js";
import { pictureUrl } from "./maps.js";

/** @import { Box, ChannelResult, LayersRegion } from "../base/types.js" */
/** @import { Layer } from "../base/client_types.js" */

/**
 * @typedef {{ url: string, part?: Box | LayersRegion | null }} LayerInput The picture that the
 *   layers got; `part` is the region, if it is not the whole picture.
 *
 * @typedef {object} LayerSources
 * @property {() => LayerInput | null | undefined} input
 * @property {((layer: Layer, channel: number) => Promise<ChannelResult>) | null} [fetchChannel]
 *   Gets all of a channel; null if only the layer's own pictures can be shown.
 *
 * @typedef {ReturnType<typeof buildDialog>} Parts
 */

const LOST = "The picture could not be loaded. Check that the test still exists.";
const ADDRESS = /^#layer-(\d+)-channel-(\d+)$/;

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
    const scale = scaleFor(layer, [range.low, range.high]);
    dialog.scale.replaceChildren(legend(scale));
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
    const about = { picture, part: shown?.part, shape: layer.shape, scale, ...range };
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
