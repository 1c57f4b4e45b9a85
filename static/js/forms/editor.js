// Code editors for the textareas with data-code, created when they are first visible. The textarea
// stays the form's field: both always contain the same text.
import { withRoot } from "../base/address.js";
import { element, find, findAll } from "../base/dom.js";
import { setValue, toolRow } from "../paths/path_tools.js";
import { prototxt } from "./prototxt.js";

/** @import { Text } from "@codemirror/state" */
/** @import { EditorView } from "@codemirror/view" */

/**
 * @typedef {typeof import("../../vendor/codemirror.js")} CodeMirror
 *
 * @typedef {object} CodeProblems The problems of the last preview, by field.
 * @property {Record<string, number>} lines
 * @property {Record<string, string>} problems
 */

/** @type {CodeProblems} */
let codeProblems = { lines: {}, problems: {} };
document.addEventListener("lines", (event) => {
  if (event instanceof CustomEvent) codeProblems = event.detail;
});

for (const field of findAll(document, "textarea[data-code]", HTMLTextAreaElement)) {
  offerExamples(field);
  new IntersectionObserver(async ([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    createEditor(field, await import("../../vendor/codemirror.js"));
  }).observe(field);
}

/**
 * Put an editor before the field, and hide the field.
 * @param {HTMLTextAreaElement} field
 * @param {CodeMirror} cm
 */
function createEditor(field, cm) {
  const nonce = find(document, "meta[name=style-nonce]", HTMLMetaElement).content;
  const view = new cm.EditorView({
    doc: field.value,
    extensions: [
      cm.EditorView.cspNonce.of(nonce),
      cm.lineNumbers(),
      cm.history(),
      cm.drawSelection(),
      cm.highlightActiveLine(),
      cm.bracketMatching(),
      cm.indentUnit.of("  "),
      cm.keymap.of([...cm.defaultKeymap, ...cm.historyKeymap]),
      cm.StreamLanguage.define(prototxt),
      cm.syntaxHighlighting(highlightStyle(cm)),
      cm.lintGutter(),
      cm.EditorView.lineWrapping,
      cm.EditorView.contentAttributes.of({
        "aria-label": field.labels[0].textContent,
        "aria-describedby": field.getAttribute("aria-describedby") ?? "",
        spellcheck: "false",
      }),
      cm.EditorView.updateListener.of((update) => {
        if (update.docChanged) copyToField(field, update.state.doc.toString());
      }),
    ],
  });
  field.before(element("div", { class: "code" }, view.dom));
  field.classList.add("unseen");
  field.tabIndex = -1;
  field.setAttribute("aria-hidden", "true");
  field.addEventListener("focus", () => view.focus());
  field.addEventListener("input", () => copyToEditor(view, field.value));
  const mark = () =>
    view.dispatch(cm.setDiagnostics(view.state, diagnostics(view.state.doc, field.name)));
  document.addEventListener("lines", mark);
  mark();
}

/**
 * @param {HTMLTextAreaElement} field
 * @param {string} text
 */
function copyToField(field, text) {
  if (text !== field.value) setValue(field, text);
}

/**
 * @param {EditorView} view
 * @param {string} text
 */
function copyToEditor(view, text) {
  const { doc } = view.state;
  if (text !== doc.toString())
    view.dispatch({ changes: { from: 0, to: doc.length, insert: text } });
}

/**
 * CodeMirror's diagnostics of a field's problem: it marks the line.
 * @param {Text} doc
 * @param {string} name
 * @returns {import("@codemirror/lint").Diagnostic[]}
 */
function diagnostics(doc, name) {
  const number = codeProblems.lines[name];
  if (!number) return [];
  const { from, to } = doc.line(Math.min(number, doc.lines));
  return [{ from, to, severity: "error", message: codeProblems.problems[name] }];
}

/** @param {CodeMirror} cm */
function highlightStyle({ HighlightStyle, tags }) {
  return HighlightStyle.define([
    { tag: tags.comment, class: "code-comment" },
    { tag: tags.string, class: "code-string" },
    { tag: [tags.number, tags.bool, tags.atom], class: "code-value" },
    { tag: tags.propertyName, class: "code-name" },
  ]);
}

/**
 * Add buttons that insert the examples of data-examples: [[URL, label], …].
 * @param {HTMLTextAreaElement} field
 */
function offerExamples(field) {
  /** @type {[url: string, label: string][]} */
  const examples = JSON.parse(field.dataset.examples || "[]");
  if (!examples.length) return;
  const buttons = examples.map(([url, label]) => {
    const insert = async () => {
      const response = await fetch(withRoot(url)).catch(() => null);
      if (response?.ok) setValue(field, await response.text());
    };
    return element("button", { type: "button", onclick: insert }, label);
  });
  toolRow(field).append(element("span", { class: "quiet" }, "Insert an example:"), ...buttons);
}
