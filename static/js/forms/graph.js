// Drawing of a network as a graph: layers from top to bottom, branches next to each other, and skip
// connections around them.
import { svg } from "../base/dom.js";
import { count, counted } from "../base/format.js";

/** @import { PreviewNetwork } from "../base/types.js" */

/**
 * @typedef {object} GraphNode
 * @property {string} name
 * @property {string} words The kind of layer.
 * @property {number} parameters
 * @property {string} [shape]
 * @property {boolean} [reshapes] Whether its shape may differ from that of an input.
 *
 * @typedef {GraphNode & { inputs: string[] }} LayerNode
 * @typedef {GraphNode & { row: number, x: number, y: number, height: number }} GraphBox
 * @typedef {{ from: GraphBox, to: GraphBox, lane?: number }} Edge
 */

/** Pixels. */
const SIZE = { width: 150, tall: 38, low: 24, gap: 14, aside: 12, lane: 12 };

/** Letters that fit into a line of a box. */
const LETTERS = 20;

/**
 * The layout of a graph. A layer is in a row below all its inputs. An edge over several rows gets a
 * lane next to the boxes.
 * @param {LayerNode[]} layers
 * @param {GraphNode} input
 * @returns {{ boxes: GraphBox[], edges: Edge[], width: number, height: number }}
 */
export function layout(layers, input) {
  const rows = new Map([[input.name, 0]]);
  const rowOf = (/** @type {string} */ name) => rows.get(name) ?? 0;
  for (const layer of layers) rows.set(layer.name, 1 + Math.max(...layer.inputs.map(rowOf)));
  /** @type {GraphNode[][]} */
  const byRow = [];
  for (const node of [input, ...layers]) (byRow[rowOf(node.name)] ??= []).push(node);
  const columns = Math.max(...byRow.map((row) => row.length));
  const inner = columns * SIZE.width + (columns - 1) * SIZE.aside;
  /** @type {Map<string, GraphBox>} */
  const boxes = new Map();
  let y = 0;
  for (const row of byRow) {
    const height = Math.max(...row.map((node) => (hasTwoLines(node) ? SIZE.tall : SIZE.low)));
    const left = (inner - row.length * SIZE.width - (row.length - 1) * SIZE.aside) / 2;
    row.forEach((node, place) => {
      const x = left + place * (SIZE.width + SIZE.aside);
      boxes.set(node.name, { ...node, row: rowOf(node.name), x, y, height });
    });
    y += height + SIZE.gap;
  }
  const boxOf = (/** @type {string} */ name) => /** @type {GraphBox} */ (boxes.get(name));
  /** @type {Edge[]} */
  const edges = layers.flatMap((layer) =>
    layer.inputs.map((name) => ({ from: boxOf(name), to: boxOf(layer.name) })),
  );
  const lanes = assignLanes(edges.filter((edge) => rowsOf(edge) > 1));
  return {
    boxes: [...boxes.values()],
    edges,
    width: inner + (lanes + 1) * SIZE.lane,
    height: y - SIZE.gap,
  };
}

/**
 * The number of rows that an edge spans.
 * @param {Edge} edge
 */
const rowsOf = ({ from, to }) => to.row - from.row;

/**
 * Give each edge the innermost lane that is free along its rows.
 * @param {Edge[]} edges Changed in place.
 * @returns {number} The number of lanes.
 */
function assignLanes(edges) {
  /** @type {[from: number, to: number][][]} The rows that are taken, by lane. */
  const taken = [];
  const sorted = [...edges].sort((a, b) => rowsOf(a) - rowsOf(b) || a.from.row - b.from.row);
  for (const edge of sorted) {
    const [first, last] = [edge.from.row, edge.to.row];
    let lane = 0;
    while ((taken[lane] ??= []).some(([from, to]) => first < to && from < last)) lane += 1;
    taken[lane].push([first, last]);
    edge.lane = lane;
  }
  return taken.length;
}

/**
 * The drawing of a preview's network.
 * @param {PreviewNetwork} network
 * @returns {SVGSVGElement}
 */
export function drawing({ layers, channels }) {
  const input = { name: "input", words: counted(channels, "channel"), parameters: 0 };
  const shapes = new Map(layers.map((layer) => [layer.name, layer.shape]));
  const nodes = layers.map((layer) => ({
    ...layer,
    reshapes: layer.inputs.some((name) => shapes.has(name) && shapes.get(name) !== layer.shape),
  }));
  const { boxes, edges, width, height } = layout(nodes, input);
  const inner = Math.max(...boxes.map((box) => box.x + SIZE.width));
  const graph = svg("svg", {
    viewBox: `-1 -1 ${width + 2} ${height + 2}`,
    width: width + 2,
    height: height + 2,
    class: "graph",
    role: "img",
    "aria-label": description(layers),
  });
  for (const edge of edges)
    graph.append(svg("path", { d: pathOf(edge, inner), class: edge.lane == null ? "" : "around" }));
  for (const box of boxes) graph.append(...boxParts(box));
  return graph;
}

/**
 * The network as text, for screen readers.
 * @param {PreviewNetwork["layers"]} layers
 */
function description(layers) {
  const sentences = layers.map(({ name, words, shape, parameters, inputs }) => {
    const learns = parameters ? `, ${count(parameters)} parameters` : "";
    return `${name}: ${words} of ${inputs.join(" and ")}, ${shape}${learns}`;
  });
  return `The network, ${layers.length} layers. ${sentences.join(". ")}`;
}

/**
 * The path of an edge: a curve to the next row, or through its lane.
 * @param {Edge} edge
 * @param {number} inner The right end of the boxes.
 */
function pathOf({ from, to, lane }, inner) {
  if (lane == null) {
    const [startX, startY] = [from.x + SIZE.width / 2, from.y + from.height];
    const [endX, endY] = [to.x + SIZE.width / 2, to.y];
    const [above, below] = [startY + SIZE.gap / 2, endY - SIZE.gap / 2];
    return `M${startX},${startY}C${startX},${above} ${endX},${below} ${endX},${endY}`;
  }
  const x = inner + (lane + 1) * SIZE.lane;
  const [top, bottom] = [from.y + from.height / 2, to.y + to.height / 2];
  const right = `M${from.x + SIZE.width},${top}H${x - 5}Q${x},${top} ${x},${top + 5}`;
  const down = `V${bottom - 5}Q${x},${bottom} ${x - 5},${bottom}`;
  return `${right}${down}H${to.x + SIZE.width}`;
}

/**
 * The parts of a box. First line: name and number of parameters; second line: kind and shape. A
 * layer without parameters that keeps its shape has one line: name and kind.
 * @param {GraphBox} box
 */
function boxParts(box) {
  const { x, y, height } = box;
  const frame = svg("rect", {
    x,
    y,
    width: SIZE.width,
    height,
    rx: 4,
    class: box.parameters ? "learns" : "",
  });
  const facts = [
    `${box.name}: ${box.words}`,
    box.shape,
    box.parameters && `${count(box.parameters)} parameters`,
  ];
  frame.append(svg("title", {}, facts.filter(Boolean).join(", ")));
  const [left, right] = [x + 6, x + SIZE.width - 6];
  const end = { y: y + 16, "text-anchor": "end" };
  const atRight = !hasTwoLines(box) ? box.words : box.parameters ? count(box.parameters) : "";
  const name = shortened(box.name, LETTERS - atRight.length);
  const parts = [
    frame,
    svg("text", { ...end, x: right }, atRight),
    svg("text", { x: left, y: y + 16, class: "name" }, name),
  ];
  if (hasTwoLines(box))
    parts.push(
      svg("text", { x: left, y: y + 31 }, box.words),
      svg("text", { ...end, x: right, y: y + 31 }, box.shape),
    );
  return parts;
}

/** @param {GraphNode} node */
const hasTwoLines = ({ parameters, reshapes }) => parameters > 0 || reshapes === true;

/**
 * @param {string} name
 * @param {number} most
 */
const shortened = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
