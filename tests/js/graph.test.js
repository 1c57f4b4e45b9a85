// Where the boxes and the ways of a drawn network lie.
import assert from "node:assert/strict";
import { test } from "node:test";

import { layout } from "../../static/js/forms/graph.js";

const input = { name: "input", words: "1 channel", parameters: 0 };
const layer = (name, ...inputs) => ({ name, inputs, words: "", parameters: 1 });
const box = (placed, name) => placed.boxes.find((one) => one.name === name);

test("a layer lies below all it takes from, branches side by side", () => {
  const placed = layout([layer("a", "input"), layer("b", "a"), layer("c", "a"), layer("d", "b", "c")], input);
  assert.deepEqual(["input", "a", "b", "c", "d"].map((name) => box(placed, name).row), [0, 1, 2, 2, 3]);
  assert.equal(box(placed, "b").y, box(placed, "c").y);
  assert.ok(box(placed, "c").x >= box(placed, "b").x + 150);
  for (const { from, to } of placed.edges) assert.ok(from.y + from.height < to.y);
});

test("skips get lanes beside the boxes, and share one where they do not meet", () => {
  const blocks = [layer("a", "input"), layer("a1", "a"), layer("a2", "a", "a1"), layer("b1", "a2"), layer("b2", "a2", "b1")];
  const placed = layout([...blocks, layer("sum", "input", "b2")], input);
  const lanes = placed.edges.filter((edge) => edge.lane != null).map((edge) => [edge.from.name, edge.to.name, edge.lane]);
  assert.deepEqual(lanes.sort(), [["a", "a2", 0], ["a2", "b2", 0], ["input", "sum", 1]]);
  assert.ok(placed.width > 150);
});
