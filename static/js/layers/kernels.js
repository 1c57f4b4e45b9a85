// The weights of a layer as pictures, about zero: a column an output channel, a row an input channel.
import { coloured, grayOf, loaded, paint } from "./atlas.js";
import { DIVERGING } from "../viewer/colour_map.js";
import { colourScale } from "../viewer/colour_scale.js";
import { element } from "../base/dom.js";
import { count, small } from "../base/format.js";
import { addressOf } from "./maps.js";
import { pager } from "../base/pager.js";

const GAP = 1;
const [LEAST, MOST] = [2, 12];
const SIDE = 560;
const ZERO = 128;

/** Which output and input channel the kernel `place` of a page belongs to. */
export function kernelAt({ outputs, inputs, columns }, place) {
  if (inputs[1] === 1) return { output: outputs[0] + place, input: inputs[0] };
  if (outputs[1] === 1) return { output: outputs[0], input: inputs[0] + place };
  return { output: outputs[0] + (place % columns), input: inputs[0] + Math.floor(place / columns) };
}

/** {element, show(layer)}: pictures are fetched when they are first to be seen. */
export function kernels() {
  const canvas = element("canvas", { role: "img" });
  const scroll = element("div", { class: "kernels", tabindex: 0, role: "group", "aria-label": "Weights" }, canvas);
  const scale = element("span", { class: "maps-scale" });
  const readout = element("p", { class: "readout quiet" });
  const turn = pager((page) => {
    at = page;
    show(layer);
  });
  const whole = element("div", { class: "maps-box" }, scroll, element("div", { class: "maps-tools" }, readout, turn.element, scale));
  let layer = null;
  let at = 0;
  let drawn = null; // {page, image, gray, reach, arranged}
  let latest = 0;

  async function show(next) {
    layer = next;
    const { pages, shape, min, max } = layer.weights;
    at = Math.min(at, pages.length - 1);
    const page = pages[at];
    turn.show(at, pages.length, `outputs ${range(page.outputs)} of ${count(shape[0])}, inputs ${range(page.inputs)} of ${count(shape[1])}`);
    canvas.setAttribute("aria-label", `Weights of ${layer.name}, ${count(page.count)} kernels of ${page.height}×${page.width}`);
    if (!scroll.clientWidth) return;
    const mine = (latest += 1);
    try {
      const image = await loaded(addressOf(layer, page));
      if (mine !== latest) return;
      drawn = { page, image, gray: grayOf(image), reach: Math.max(Math.abs(min), Math.abs(max)) };
      draw();
    } catch {
      if (mine === latest) readout.textContent = "The picture could not be loaded. Load the page again.";
    }
  }

  function draw() {
    const { page, image, reach } = drawn;
    const rows = Math.ceil(page.count / page.columns);
    const room = (side, many, pixels) => Math.floor(((Math.min(side, SIDE) + GAP) / many - GAP) / pixels);
    const times = Math.max(LEAST, Math.min(MOST, room(scroll.clientWidth, page.columns, page.width), room(SIDE, rows, page.height)));
    drawn.arranged = { columns: page.columns, width: page.width * times, height: page.height * times, gap: GAP, times };
    paint(canvas, coloured(image, page, () => DIVERGING), page, drawn.arranged, devicePixelRatio);
    canvas.style.width = `${canvas.width / devicePixelRatio}px`;
    scale.replaceChildren(colourScale(DIVERGING, small(-reach), "0", small(reach)));
    readout.textContent = rest();
  }

  const rest = () => (drawn.page.inputs[1] === 1 || drawn.page.outputs[1] === 1 ? "A square a kernel." : "A column an output channel, a row an input channel.");

  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    if (drawn) readout.textContent = valueAt(drawn, offsetX, offsetY) ?? rest();
  });
  canvas.addEventListener("pointerleave", () => drawn && (readout.textContent = rest()));
  new ResizeObserver(() => layer && (drawn ? draw() : show(layer))).observe(scroll);
  return { element: whole, show };
}

const range = ([first, many]) => `${first}–${first + many - 1}`;

/** What the weight under a point of the canvas is, in words; null between kernels. */
function valueAt({ page, gray, reach, arranged }, x, y) {
  const [column, row] = [Math.floor(x / (arranged.width + GAP)), Math.floor(y / (arranged.height + GAP))];
  const [right, down] = [Math.floor((x - column * (arranged.width + GAP)) / arranged.times), Math.floor((y - row * (arranged.height + GAP)) / arranged.times)];
  const place = row * page.columns + column;
  if (right >= page.width || down >= page.height || column >= page.columns || place >= page.count || x < 0 || y < 0) return null;
  const { output, input } = kernelAt(page, place);
  const value = ((gray.values[(row * page.height + down) * gray.width + column * page.width + right] - ZERO) / (ZERO - 1)) * reach;
  return `Output ${output}, input ${input}, row ${down}, column ${right}: about ${small(value)}`;
}
