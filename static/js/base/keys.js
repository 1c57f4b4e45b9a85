// Keys for what is on the page: an element with data-key is clicked by its key; ? lists them all.
import { element } from "./dom.js";

const OFF = "no-single-keys";
const MORE = [
  [".chart", "On a chart", [["← →", "move the cursor"], ["+ −", "zoom"], ["0", "show all"], ["Esc", "leave the cursor"]]],
  [".viewer", "In the viewer", [["+ −", "zoom"], ["0", "fit"], ["b", "blink"], ["Shift + arrows", "move"]]],
  ["#samples-at", "On the slider of the samples", [["← →", "earlier, later"]]],
];

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox], [type=range]), select, textarea, [contenteditable=true]");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.key === "?") return list();
  if (localStorage.getItem(OFF)) return;
  const target = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key && one.offsetParent);
  if (!target) return;
  event.preventDefault();
  target.focus();
  target.click();
});

/** Who speaks to the machine, or rests a hand on the keys, can do without. */
function onOff() {
  const box = element("input", { type: "checkbox", checked: !localStorage.getItem(OFF), onchange: () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")) });
  return box;
}

function list() {
  const here = [...document.querySelectorAll("[data-key]")].filter((one) => one.offsetParent).map((one) => [one.dataset.key, one.textContent.trim() || one.getAttribute("aria-label")]);
  const groups = [["On this page", [...here, ["?", "this list"]]], ...MORE.filter(([selector]) => document.querySelector(selector)).map(([, ...group]) => group)];
  const dialog = element(
    "dialog",
    { class: "key-list", "aria-labelledby": "keys-title" },
    element("h2", { id: "keys-title" }, "Keys"),
    ...groups.map(([title, keys]) => element("div", {}, element("h3", {}, title), element("dl", {}, ...keys.flatMap(([key, words]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, words)])))),
    element("form", { method: "dialog", class: "actions" }, element("button", {}, "Close"), element("label", {}, onOff(), " Single keys do something")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
