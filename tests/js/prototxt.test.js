// The colours of a pasted network.
import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamLanguage } from "@codemirror/language";

import { prototxt } from "../../static/js/forms/prototxt.js";

/** The parts of a line with what they are taken for. */
function parts(line) {
  const found = [];
  StreamLanguage.define({
    ...prototxt,
    token(stream) {
      const kind = prototxt.token(stream);
      if (kind) found.push([kind, stream.current()]);
      return kind;
    },
  }).parser.parse(line);
  return found;
}

test("names, texts, numbers and words of the format are told apart", () => {
  assert.deepEqual(parts('layer { name: "conv1" # the first'), [["propertyName", "layer"], ["bracket", "{"], ["propertyName", "name"], ["string", '"conv1"'], ["comment", "# the first"]]);
  assert.deepEqual(parts("std: 1e-3 pool: MAX bias_term: false }"), [["propertyName", "std"], ["number", "1e-3"], ["propertyName", "pool"], ["atom", "MAX"], ["propertyName", "bias_term"], ["bool", "false"], ["bracket", "}"]]);
});
