// An editor in place of each textarea[data-code], made when it is first seen. The textarea stays the form's field: what is
// typed in one is in the other.
import { at } from "../base/address.js";
import { element } from "../base/dom.js";
import { fill, tools } from "../paths/path_tools.js";
import { prototxt } from "./prototxt.js";

/** What the last preview said is wrong: {lines: {field: line}, problems: {field: text}}. */
let told = { lines: {}, problems: {} };
document.addEventListener("lines", ({ detail }) => (told = detail));

for (const field of document.querySelectorAll("textarea[data-code]")) {
  offerExamples(field);
  new IntersectionObserver(async ([seen], observer) => {
    if (!seen.isIntersecting) return;
    observer.disconnect();
    edit(field, await import("../../vendor/codemirror.js"));
  }).observe(field);
}

/** Put the editor before the field, and the field out of sight. */
function edit(field, cm) {
  const view = new cm.EditorView({
    doc: field.value,
    extensions: [
      cm.lineNumbers(),
      cm.history(),
      cm.drawSelection(),
      cm.highlightActiveLine(),
      cm.bracketMatching(),
      cm.indentUnit.of("  "),
      cm.keymap.of([...cm.defaultKeymap, ...cm.historyKeymap]),
      cm.StreamLanguage.define(prototxt),
      cm.syntaxHighlighting(colours(cm)),
      cm.lintGutter(),
      cm.EditorView.lineWrapping,
      cm.EditorView.contentAttributes.of({
        "aria-label": field.labels[0].textContent,
        "aria-describedby": field.getAttribute("aria-describedby"),
        spellcheck: "false",
      }),
      cm.EditorView.updateListener.of((update) => update.docChanged && fromEditor(field, view.state.doc.toString())),
    ],
  });
  const holder = element("div", { class: "code" }, view.dom);
  field.before(holder);
  field.classList.add("unseen");
  field.tabIndex = -1;
  field.setAttribute("aria-hidden", "true");
  field.addEventListener("focus", () => view.focus());
  field.addEventListener("input", () => toEditor(view, field.value));
  const mark = () => view.dispatch(cm.setDiagnostics(view.state, marks(view.state.doc, field.name)));
  document.addEventListener("lines", mark);
  mark();
}

function fromEditor(field, text) {
  if (text !== field.value) fill(field, text);
}

function toEditor(view, text) {
  const shown = view.state.doc;
  if (text !== shown.toString()) view.dispatch({ changes: { from: 0, to: shown.length, insert: text } });
}

/** The line where something is wrong, as CodeMirror marks it. */
function marks(doc, name) {
  const number = told.lines[name];
  if (!number) return [];
  const { from, to } = doc.line(Math.min(number, doc.lines));
  return [{ from, to, severity: "error", message: told.problems[name] }];
}

function colours({ HighlightStyle, tags }) {
  return HighlightStyle.define([
    { tag: tags.comment, class: "code-comment" },
    { tag: tags.string, class: "code-string" },
    { tag: [tags.number, tags.bool, tags.atom], class: "code-value" },
    { tag: tags.propertyName, class: "code-name" },
  ]);
}

/** Buttons that put an example in: data-examples is [[address, label], …]. */
function offerExamples(field) {
  const examples = JSON.parse(field.dataset.examples || "[]");
  if (!examples.length) return;
  const buttons = examples.map(([address, label]) => {
    const insert = async () => {
      const answer = await fetch(at(address)).catch(() => null);
      if (answer?.ok) fill(field, await answer.text());
    };
    return element("button", { type: "button", onclick: insert }, label);
  });
  tools(field).append(element("span", { class: "quiet" }, "Insert an example:"), ...buttons);
}
