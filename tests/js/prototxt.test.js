// Syntax highlighting of network definitions.
import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamLanguage } from "@codemirror/language";

import { prototxt } from "../../static/js/forms/prototxt.js";

/**
 * The tokens of a line as [kind, text].
 * @param {string} line
 */
function tokens(line) {
  /** @type {[string, string][]} */
  const list = [];
  StreamLanguage.define({
    ...prototxt,
    token(stream, state) {
      const kind = prototxt.token(stream, state);
      if (kind) list.push([kind, stream.current()]);
      return kind;
    },
  }).parser.parse(line);
  return list;
}

test("names, strings, numbers and keywords have different kinds", () => {
  assert.deepEqual(tokens('layer { name: "conv1" # the first'), [
    ["propertyName", "layer"],
    ["bracket", "{"],
    ["propertyName", "name"],
    ["string", '"conv1"'],
    ["comment", "# the first"],
  ]);
  assert.deepEqual(tokens("std: 1e-3 pool: MAX bias_term: false }"), [
    ["propertyName", "std"],
    ["number", "1e-3"],
    ["propertyName", "pool"],
    ["atom", "MAX"],
    ["propertyName", "bias_term"],
    ["bool", "false"],
    ["bracket", "}"],
  ]);
});
