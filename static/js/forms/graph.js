// A network drawn as a graph: its layers from top to bottom, branches side by side, and skips around them.
import { svg } from "../base/dom.js";
import { count } from "../base/format.js";

const BOX = { width: 150, tall: 38, low: 24, gap: 14, aside: 12, lane: 12 };

/**
 * Where everything lies: {boxes: [{name, x, y, height, …}], edges: [{from, to, lane}], width, height}.
 * A layer's row is behind those of all it takes from; an edge over several rows gets a lane of its own beside the boxes.
 */
export function layout(layers, input) {
  const rows = new Map([[input.name, 0]]);
  for (const layer of layers) rows.set(layer.name, 1 + Math.max(...layer.inputs.map((name) => rows.get(name))));
  const all = [{ ...input, inputs: [] }, ...layers];
  const byRow = [];
  for (const one of all) (byRow[rows.get(one.name)] ??= []).push(one);
  const columns = Math.max(...byRow.map((row) => row.length));
  const inner = columns * BOX.width + (columns - 1) * BOX.aside;
  const boxes = new Map();
  let y = 0;
  for (const row of byRow) {
    const height = Math.max(...row.map((one) => (hasTwoLines(one) ? BOX.tall : BOX.low)));
    const left = (inner - row.length * BOX.width - (row.length - 1) * BOX.aside) / 2;
    row.forEach((one, place) => boxes.set(one.name, { ...one, row: rows.get(one.name), x: left + place * (BOX.width + BOX.aside), y, height }));
    y += height + BOX.gap;
  }
  const edges = layers.flatMap((layer) => layer.inputs.map((name) => ({ from: boxes.get(name), to: boxes.get(layer.name) })));
  const lanes = inLanes(edges.filter((edge) => edge.to.row - edge.from.row > 1));
  return { boxes: [...boxes.values()], edges, width: inner + (lanes + 1) * BOX.lane, height: y - BOX.gap };
}

/** Give each edge the innermost lane that is free along its rows; returns how many lanes there are. */
function inLanes(edges) {
  const ends = [];
  for (const edge of [...edges].sort((a, b) => a.to.row - a.from.row - (b.to.row - b.from.row) || a.from.row - b.from.row)) {
    let lane = 0;
    while ((ends[lane] ??= []).some(([from, to]) => edge.from.row < to && from < edge.to.row)) lane += 1;
    ends[lane].push([edge.from.row, edge.to.row]);
    edge.lane = lane;
  }
  return ends.length;
}

/** The drawing of a preview's network. */
export function drawing({ layers, channels }) {
  const input = { name: "input", words: channels === 1 ? "1 channel" : `${channels} channels`, parameters: 0 };
  const shapes = new Map(layers.map((layer) => [layer.name, layer.shape]));
  const told = layers.map((layer) => ({ ...layer, reshapes: layer.inputs.some((name) => shapes.has(name) && shapes.get(name) !== layer.shape) }));
  const { boxes, edges, width, height } = layout(told, input);
  const inner = Math.max(...boxes.map((box) => box.x + BOX.width));
  const drawn = svg("svg", { viewBox: `-1 -1 ${width + 2} ${height + 2}`, width: width + 2, height: height + 2, class: "graph", role: "img", "aria-label": inWords(layers) });
  for (const edge of edges) drawn.append(svg("path", { d: way(edge, inner), class: edge.lane == null ? "" : "around" }));
  for (const box of boxes) drawn.append(...boxed(box));
  return drawn;
}

/** The drawing for those who do not see it. */
function inWords(layers) {
  const each = layers.map(({ name, words, shape, parameters, inputs }) => `${name}: ${words} of ${inputs.join(" and ")}, ${shape}${parameters ? `, ${count(parameters)} parameters` : ""}`);
  return `The network, ${layers.length} layers. ${each.join(". ")}`;
}

function way({ from, to, lane }, inner) {
  const start = [from.x + BOX.width / 2, from.y + from.height];
  const end = [to.x + BOX.width / 2, to.y];
  if (lane == null) return `M${start}C${start[0]},${start[1] + BOX.gap / 2} ${end[0]},${end[1] - BOX.gap / 2} ${end}`;
  const x = inner + (lane + 1) * BOX.lane;
  const [top, bottom] = [from.y + from.height / 2, to.y + to.height / 2];
  return `M${from.x + BOX.width},${top}H${x - 5}Q${x},${top} ${x},${top + 5}V${bottom - 5}Q${x},${bottom} ${x - 5},${bottom}H${to.x + BOX.width}`;
}

/** A layer's name and beside it its parameters; below them what it is, and its shape where that may be another than what it takes. */
function boxed(box) {
  const { x, y, height } = box;
  const mark = svg("rect", { x, y, width: BOX.width, height, rx: 4, class: box.parameters ? "learns" : "" });
  const title = svg("title", {});
  title.textContent = [`${box.name}: ${box.words}`, box.shape, box.parameters && `${count(box.parameters)} parameters`].filter(Boolean).join(", ");
  mark.append(title);
  const right = !hasTwoLines(box) ? box.words : box.parameters ? count(box.parameters) : "";
  const parts = [mark, text(x + BOX.width - 6, y + 16, right, { "text-anchor": "end" }), text(x + 6, y + 16, shortened(box.name, LETTERS - right.length), { class: "name" })];
  if (hasTwoLines(box)) parts.push(text(x + 6, y + 31, box.words, {}), text(x + BOX.width - 6, y + 31, box.shape, { "text-anchor": "end" }));
  return parts;
}

const hasTwoLines = ({ parameters, reshapes }) => parameters > 0 || reshapes === true;

function text(x, y, words, attributes) {
  const made = svg("text", { x, y, ...attributes });
  made.textContent = words;
  return made;
}

const LETTERS = 20;

const shortened = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
