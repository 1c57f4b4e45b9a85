// Keyboard shortcuts: the key in an element's data-key clicks that element. ? lists all shortcuts, as
// does the button in the header.
import { element, find, findAll, findOptional, targetOf } from "./dom.js";

/** @typedef {[key: string, text: string]} Shortcut */

/** The key in the local storage; present if shortcuts are turned off. */
const OFF = "no-single-keys";

/** @type {[selector: string, title: string, keys: Shortcut[]][]} */
const GROUPS = [
  [
    ".chart",
    "On a chart",
    [
      ["← →", "move the cursor"],
      ["+ −", "zoom"],
      ["0", "show all"],
      ["Esc", "leave the cursor"],
    ],
  ],
  [
    ".viewer",
    "In the viewer",
    [
      ["+ −", "zoom"],
      ["0", "fit"],
      ["b", "blink"],
      ["Shift + arrows", "move"],
    ],
  ],
  ["#samples-at", "On the samples slider", [["← →", "earlier, later"]]],
];

const TEXT_FIELDS =
  "input:not([type=checkbox], [type=range]), select, textarea, [contenteditable=true]";

/** The elements with a shortcut that are visible. */
const visibleTargets = () =>
  findAll(document, "[data-key]").filter((target) => target.offsetParent);

document.addEventListener("keydown", (event) => {
  const isTyping = targetOf(event)?.matches(TEXT_FIELDS);
  if (isTyping || event.ctrlKey || event.altKey || event.metaKey) return;
  if (findOptional(document, "dialog[open]")) return;
  if (event.key === "?") {
    showList();
    return;
  }
  if (localStorage.getItem(OFF)) return;
  const target = visibleTargets().find(({ dataset }) => dataset.key === event.key);
  if (!target) return;
  event.preventDefault();
  target.focus();
  target.click();
});

find(document, "#keys").addEventListener("click", showList);

/** The checkbox that turns shortcuts off: speech input can trigger them (WCAG 2.1.4). */
function onOff() {
  /** @type {HTMLInputElement} */
  const box = element("input", {
    type: "checkbox",
    checked: !localStorage.getItem(OFF),
    onchange: () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")),
  });
  return box;
}

function showList() {
  /** @type {Shortcut[]} */
  const ofPage = visibleTargets().map((target) => [
    target.dataset.key ?? "",
    target.textContent.trim() || (target.getAttribute("aria-label") ?? ""),
  ]);
  /** @type {[title: string, keys: Shortcut[]][]} */
  const groups = [["On this page", [...ofPage, ["?", "show this list"]]]];
  for (const [selector, title, keys] of GROUPS) {
    if (document.querySelector(selector)) groups.push([title, keys]);
  }
  const dialog = element(
    "dialog",
    { class: "key-list", "aria-labelledby": "keys-title" },
    element("h2", { id: "keys-title" }, "Keys"),
    ...groups.map(([title, keys]) =>
      element(
        "div",
        {},
        element("h3", {}, title),
        element(
          "dl",
          {},
          ...keys.flatMap(([key, text]) => [
            element("dt", {}, element("kbd", {}, key)),
            element("dd", {}, text),
          ]),
        ),
      ),
    ),
    element(
      "form",
      { method: "dialog", class: "actions" },
      element("button", {}, "Close"),
      element("label", {}, onOff(), " Enable keyboard shortcuts"),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
