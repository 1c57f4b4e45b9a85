// Layout of the drawing of a network.
import assert from "node:assert/strict";
import { test } from "node:test";

import { layout } from "../../static/js/forms/graph.js";

const input = { name: "input", words: "1 channel", parameters: 0 };
/** @param {string} name @param {...string} inputs */
const layer = (name, ...inputs) => ({ name, inputs, words: "", parameters: 1 });

/** @param {ReturnType<typeof layout>} graph @param {string} name */
function boxOf(graph, name) {
  const box = graph.boxes.find((each) => each.name === name);
  assert.ok(box);
  return box;
}

test("a layer is below its inputs, and branches are side by side", () => {
  const graph = layout(
    [layer("a", "input"), layer("b", "a"), layer("c", "a"), layer("d", "b", "c")],
    input,
  );
  assert.deepEqual(
    ["input", "a", "b", "c", "d"].map((name) => boxOf(graph, name).row),
    [0, 1, 2, 2, 3],
  );
  assert.equal(boxOf(graph, "b").y, boxOf(graph, "c").y);
  assert.ok(boxOf(graph, "c").x >= boxOf(graph, "b").x + 150);
  for (const { from, to } of graph.edges) assert.ok(from.y + from.height < to.y);
});

test("skip connections get lanes next to the boxes, and share a lane if they do not overlap", () => {
  const blocks = [
    layer("a", "input"),
    layer("a1", "a"),
    layer("a2", "a", "a1"),
    layer("b1", "a2"),
    layer("b2", "a2", "b1"),
  ];
  const graph = layout([...blocks, layer("sum", "input", "b2")], input);
  const lanes = graph.edges
    .filter((edge) => edge.lane != null)
    .map((edge) => [edge.from.name, edge.to.name, edge.lane]);
  assert.deepEqual(lanes.sort(), [
    ["a", "a2", 0],
    ["a2", "b2", 0],
    ["input", "sum", 1],
  ]);
  assert.ok(graph.width > 150);
});
