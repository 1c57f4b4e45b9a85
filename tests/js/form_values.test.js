// The values of forms as the API accepts them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { carried, isChosen, nested, suggestedName } from "../../static/js/forms/form_values.js";

test("names with dots are nested, and empty values are left out", () => {
  /** @type {[string, string][]} */
  const entries = [
    ["source.kind", "stream"],
    ["source.stream", " /a.h264 "],
    ["source.raw.width", ""],
    ["source.offset", "1"],
    ["name", "  "],
  ];
  assert.deepEqual(nested(entries), { source: { kind: "stream", stream: "/a.h264", offset: "1" } });
});

test("checkboxes are true or false, unless the form does not contain them", () => {
  assert.deepEqual(
    nested([
      ["keep_decoded.shown", "1"],
      ["keep_decoded", "on"],
    ]),
    { keep_decoded: true },
  );
  assert.deepEqual(nested([["keep_decoded.shown", "1"]]), { keep_decoded: false });
  assert.deepEqual(nested([]), {});
});

test("files and the CSRF token are no values", () => {
  assert.deepEqual(
    nested([
      ["csrf_token", "x"],
      ["image.upload", { size: 3 }],
      ["name", "a"],
    ]),
    { name: "a" },
  );
});

test("a part needs all of its choices", () => {
  const data = new Map([
    ["validation.method", "separate"],
    ["validation.source.kind", "folders"],
  ]);
  /** @type {(kind: string) => [string, string][]} */
  const choices = (kind) => [
    ["validation.method", "separate"],
    ["validation.source.kind", kind],
  ];
  assert.ok(isChosen(choices("folders"), data));
  assert.ok(!isChosen(choices("stream"), data));
  assert.ok(isChosen([], data));
});

test("a dataset gets the name of its stream, or of its originals", () => {
  assert.equal(
    suggestedName({ stream: "/data/foreman_qp37.h264", originals: "/data/o" }),
    "foreman_qp37",
  );
  assert.equal(suggestedName({ originals: "/data/originals/" }), "originals");
  assert.equal(suggestedName({ originals: "/data/akiyo.bmp.gz" }), "akiyo");
  assert.equal(suggestedName({ manifest: "/data/v1.2/all.csv" }), "all");
  assert.equal(suggestedName(undefined), "");
});

test("several values of one name are a list with commas", () => {
  assert.deepEqual(
    nested([
      ["more_datasets", "one"],
      ["more_datasets", "two"],
    ]),
    { more_datasets: "one, two" },
  );
});

test("texts of several lines are not trimmed: their lines keep their numbers", () => {
  assert.deepEqual(nested([["network.prototxt", "\n layer {\n"]]), {
    network: { prototxt: "\n layer {\n" },
  });
  assert.deepEqual(nested([["network.prototxt", " \n "]]), {});
});

test("another kind gets the typed value, but not a default", () => {
  assert.equal(carried({ value: "0.02", usual: "0.001" }, { usual: "0.001" }), "0.02");
  assert.equal(carried({ value: "0", usual: "0" }, { usual: "0.01" }), "0.01");
  assert.equal(carried({ value: false, usual: true }, { usual: true }), false);
});
