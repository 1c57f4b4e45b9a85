// Syntax highlighting of protobuf's text format: a tokenizer for CodeMirror's StreamLanguage.
// Without DOM: node runs the tests.

/** @import { StreamParser } from "@codemirror/language" */

/** @type {StreamParser<unknown>} */
export const prototxt = {
  name: "prototxt",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return "comment";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) return "string";
    if (stream.match(/^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?f?\b/)) return "number";
    if (stream.match(/^\w+(?=\s*[:{])/)) return "propertyName";
    if (stream.match(/^(?:true|false)\b/)) return "bool";
    if (stream.match(/^[A-Z][A-Z0-9_]*\b/)) return "atom";
    if (stream.match(/^[{}]/)) return "bracket";
    if (!stream.match(/^\w+/)) stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" } },
};
