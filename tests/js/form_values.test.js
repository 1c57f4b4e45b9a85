// What a form says, as the API takes it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { carried, isChosen, nested, suggestedName } from "../../static/js/forms/form_values.js";

test("names with dots are nested, and what was left empty is left out", () => {
  const entries = [["source.kind", "stream"], ["source.stream", " /a.h264 "], ["source.raw.width", ""], ["source.offset", "1"], ["name", "  "]];
  assert.deepEqual(nested(entries), { source: { kind: "stream", stream: "/a.h264", offset: "1" } });
});

test("a box that was shown is true or false, one that was not says nothing", () => {
  assert.deepEqual(nested([["keep_decoded.shown", "1"], ["keep_decoded", "on"]]), { keep_decoded: true });
  assert.deepEqual(nested([["keep_decoded.shown", "1"]]), { keep_decoded: false });
  assert.deepEqual(nested([]), {});
});

test("files of uploads are no values", () => {
  assert.deepEqual(nested([["image.upload", { size: 3 }], ["name", "a"]]), { name: "a" });
});

test("a part belongs to all of its choices", () => {
  const data = new Map([["validation.method", "separate"], ["validation.source.kind", "folders"]]);
  assert.ok(isChosen([["validation.method", "separate"], ["validation.source.kind", "folders"]], data));
  assert.ok(!isChosen([["validation.method", "separate"], ["validation.source.kind", "stream"]], data));
  assert.ok(isChosen([], data));
});

test("a dataset is named after its stream, else after its originals", () => {
  assert.equal(suggestedName({ stream: "/data/foreman_qp37.h264", originals: "/data/o" }), "foreman_qp37");
  assert.equal(suggestedName({ originals: "/data/originals/" }), "originals");
  assert.equal(suggestedName({ originals: "/data/akiyo.bmp.gz" }), "akiyo");
  assert.equal(suggestedName({ manifest: "/data/v1.2/all.csv" }), "all");
  assert.equal(suggestedName(undefined), "");
});

test("several values of one name are a list with commas", () => {
  assert.deepEqual(nested([["more_datasets", "one"], ["more_datasets", "two"]]), { more_datasets: "one, two" });
});

test("nothing is cut off a text of several lines, so that its lines keep their numbers", () => {
  assert.deepEqual(nested([["network.prototxt", "\n layer {\n"]]), { network: { prototxt: "\n layer {\n" } });
  assert.deepEqual(nested([["network.prototxt", " \n "]]), {});
});

test("what was typed goes along to another kind, a default does not", () => {
  assert.equal(carried({ value: "0.02", usual: "0.001" }, { usual: "0.001" }), "0.02");
  assert.equal(carried({ value: "0", usual: "0" }, { usual: "0.01" }), "0.01");
  assert.equal(carried({ value: false, usual: true }, { usual: true }), false);
});
