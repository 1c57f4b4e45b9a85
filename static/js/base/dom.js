// Making elements. Text goes in as text, never as markup.
import { at } from "./address.js";

const ADDRESSES = new Set(["href", "src", "action"]);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : ADDRESSES.has(name) ? at(value) : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The JSON that the page came with. */
export function pageData(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/** Give the person a file that was made here: text or a Blob. */
export function save(name, content, type = "") {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
