// Elements: found with a checked type, and created. Text is inserted as text, never as markup.
import { withRoot } from "./address.js";

/**
 * @template {Element} T
 * @typedef {{ new (): T }} ElementClass
 */

/**
 * @typedef {Node | string | number | null | undefined} Child Null and undefined are left out.
 * @typedef {(event: any) => unknown} Listener
 * @typedef {string | number | boolean | null | undefined | Listener} Attribute
 * @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field
 */

const URL_ATTRIBUTES = new Set(["href", "src", "action"]);

/**
 * The first element that matches a selector. Throws if none matches, or if it is of another class.
 * @overload
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
/**
 * @template {Element} T
 * @overload
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementClass<T>} type
 * @returns {T}
 */
/**
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementClass<Element>} [type]
 */
export function find(root, selector, type = HTMLElement) {
  return required(root.querySelector(selector), selector, type);
}

/**
 * Like `find`; null if no element matches.
 * @overload
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
/**
 * @template {Element} T
 * @overload
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementClass<T>} type
 * @returns {T | null}
 */
/**
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementClass<Element>} [type]
 */
export function findOptional(root, selector, type = HTMLElement) {
  const match = root.querySelector(selector);
  return match && required(match, selector, type);
}

/**
 * All elements that match a selector, in document order.
 * @overload
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
/**
 * @template {Element} T
 * @overload
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementClass<T>} type
 * @returns {T[]}
 */
/**
 * @param {ParentNode} root
 * @param {string} selector
 * @param {ElementClass<Element>} [type]
 */
export function findAll(root, selector, type = HTMLElement) {
  return Array.from(root.querySelectorAll(selector), (match) => required(match, selector, type));
}

/**
 * The nearest ancestor, or the element itself, that matches a selector. Throws if none matches, or
 * if it is of another class.
 * @overload
 * @param {Element} node
 * @param {string} selector
 * @returns {HTMLElement}
 */
/**
 * @template {Element} T
 * @overload
 * @param {Element} node
 * @param {string} selector
 * @param {ElementClass<T>} type
 * @returns {T}
 */
/**
 * @param {Element} node
 * @param {string} selector
 * @param {ElementClass<Element>} [type]
 */
export function ancestor(node, selector, type = HTMLElement) {
  return required(node.closest(selector), selector, type);
}

/**
 * The element that an event happened on; null for the document and the window.
 * @param {{ target: EventTarget | null }} event
 * @returns {HTMLElement | SVGElement | null}
 */
export const targetOf = ({ target }) =>
  target instanceof HTMLElement || target instanceof SVGElement ? target : null;

/**
 * Like `ancestor`, of an event's target; null if nothing matches.
 * @param {{ target: EventTarget | null }} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function targetWithin(event, selector) {
  const match = targetOf(event)?.closest(selector);
  return match ? required(match, selector, HTMLElement) : null;
}

/**
 * Whether a node is a form field with a value.
 * @param {unknown} node
 * @returns {node is Field}
 */
export const isField = (node) =>
  node instanceof HTMLInputElement ||
  node instanceof HTMLSelectElement ||
  node instanceof HTMLTextAreaElement;

/**
 * @template {Element} T
 * @param {Element | null} match
 * @param {string} selector
 * @param {ElementClass<T>} type
 * @returns {T}
 */
function required(match, selector, type) {
  if (!match) throw new Error(`No element matches ${selector}.`);
  if (!(match instanceof type)) throw new Error(`${selector} is not a ${type.name}.`);
  return match;
}

/**
 * Create an HTML element. Attributes: `class` sets the class name, names that begin with "on" add
 * event listeners, true is an empty attribute, and false, null and undefined are left out. Paths
 * in `href`, `src` and `action` count from the server's root.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Attribute>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (typeof value === "function") created.addEventListener(name.slice("on".length), value);
    else if (name === "class") created.className = String(value);
    else if (value === true) created.setAttribute(name, "");
    else
      created.setAttribute(
        name,
        URL_ATTRIBUTES.has(name) ? withRoot(String(value)) : String(value),
      );
  }
  for (const child of children) {
    if (child != null) created.append(child instanceof Node ? child : String(child));
  }
  return created;
}

/**
 * Create an SVG element.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes, text) {
  const created = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, String(value));
  if (text != null) created.textContent = text;
  return created;
}

/**
 * The entries of a definition list.
 * @param {Iterable<readonly [string, Child]>} pairs Terms and what they mean.
 * @returns {HTMLElement[]}
 */
export const definitions = (pairs) =>
  Array.from(pairs, ([term, text]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, text)),
  );

/**
 * The 2D context of a canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 * @returns {CanvasRenderingContext2D}
 */
export function context2d(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("The browser has no 2D canvas.");
  return context;
}

/**
 * The JSON in the page's `<script type="application/json">` of an id.
 * @param {string} id
 * @returns {any}
 */
export function pageData(id) {
  return JSON.parse(find(document, `#${id}`).textContent);
}

/**
 * Save a file that this page created.
 * @param {string} name
 * @param {string | Blob} content
 * @param {string} [type] The media type of a text.
 */
export function saveFile(name, content, type = "") {
  const url = URL.createObjectURL(
    content instanceof Blob ? content : new Blob([content], { type }),
  );
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Set a text if it changed: otherwise the browser would lay out the page again.
 * @param {HTMLElement} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set the attributes that changed.
 * @param {HTMLElement} node
 * @param {Record<string, string | number>} attributes
 */
export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes))
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}
