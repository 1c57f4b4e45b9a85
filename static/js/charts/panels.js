// The panels of a page of charts: searched by title, hidden, and moved. The browser keeps the
// arrangement.
import { element, find, findAll } from "../base/dom.js";

/**
 * @typedef {{ hidden: string[], order: string[] }} Arrangement Titles of panels.
 *
 * @typedef {object} Row A panel in the list.
 * @property {HTMLElement} line
 * @property {HTMLInputElement} box
 * @property {HTMLButtonElement} earlier
 * @property {HTMLButtonElement} later
 */

/** @type {Arrangement} */
const USUAL = { hidden: [], order: [] };

/** @param {Element} figure */
const titleOf = (figure) => find(figure, "figcaption h3").textContent;

/**
 * Bind the panels in `root`, with a menu in its `.chart-look`.
 * @param {HTMLElement} root With `data-charts`, under which the arrangement is kept.
 * @param {() => void} draw Draws the panels that have appeared.
 */
export function bindPanels(root, draw) {
  const key = `panels ${root.dataset.charts}`;
  const figures = findAll(root, "figure");
  const usualOrder = figures.map(titleOf);
  const rows = new Map(figures.map((figure) => [figure, rowOf(figure)]));
  /** @type {Arrangement} */
  let arrangement = { ...USUAL, ...JSON.parse(localStorage.getItem(key) ?? "{}") };

  const field = element("input", {
    type: "search",
    placeholder: "Search panels",
    "aria-label": "Search panels",
    autocomplete: "off",
    oninput: () => {
      show();
      draw();
    },
  });
  const list = element("div", { class: "panel-list" });
  const reset = element(
    "button",
    { type: "button", class: "small", onclick: () => change(USUAL) },
    "Show all in the usual order",
  );
  const label = element("summary", { class: "button" }, "Panels");
  find(root, ".chart-look .keys").before(
    element("details", { class: "menu panels" }, label, element("div", {}, field, list, reset)),
  );

  /** @param {Partial<Arrangement>} values */
  function change(values) {
    arrangement = { ...arrangement, ...values };
    localStorage.setItem(key, JSON.stringify(arrangement));
    show();
    draw();
  }

  function show() {
    arrange();
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [figure, row] of rows) {
      const title = titleOf(figure);
      const isMatch = words.every((word) => title.toLowerCase().includes(word));
      row.box.checked = !arrangement.hidden.includes(title);
      row.earlier.disabled = !figure.previousElementSibling;
      row.later.disabled = !figure.nextElementSibling;
      figure.hidden = !isMatch || !row.box.checked;
    }
    const shown = figures.filter((figure) => !figure.hidden).length;
    label.textContent = shown < figures.length ? `Panels: ${shown} of ${figures.length}` : "Panels";
    reset.hidden = !arrangement.hidden.length && !arrangement.order.length;
    if (words.length) openFolds();
  }

  /** Put panels and rows in order; panels of a later version, which it lacks, come last. */
  function arrange() {
    const order = arrangement.order.length ? arrangement.order : usualOrder;
    const places = new Map(order.map((title, place) => [title, place]));
    const placeOf = (/** @type {Element} */ figure) => places.get(titleOf(figure)) ?? Infinity;
    for (const group of findAll(root, ".charts"))
      putInOrder(
        group,
        findAll(group, "figure").toSorted((a, b) => placeOf(a) - placeOf(b)),
      );
    putInOrder(
      list,
      findAll(root, "figure").flatMap((figure) => rows.get(figure)?.line ?? []),
    );
  }

  /** A search shows what it finds in sections that are closed. */
  function openFolds() {
    for (const fold of findAll(root, "details:has(figure:not([hidden]))", HTMLDetailsElement))
      fold.open = true;
  }

  /**
   * @param {HTMLElement} figure
   * @returns {Row}
   */
  function rowOf(figure) {
    const title = titleOf(figure);
    const box = element("input", {
      type: "checkbox",
      onchange: () => {
        const others = arrangement.hidden.filter((other) => other !== title);
        change({ hidden: box.checked ? others : [...others, title] });
      },
    });
    const mover = (/** @type {-1 | 1} */ by) =>
      element(
        "button",
        {
          type: "button",
          class: "small",
          "aria-label": `Move ${title} ${by < 0 ? "earlier" : "later"}`,
          onclick: () => move(figure, by),
        },
        by < 0 ? "▴" : "▾",
      );
    const [earlier, later] = [mover(-1), mover(1)];
    const name = element("label", {}, box, element("span", {}, title));
    const line = element("div", { class: "panel-choice" }, name, earlier, later);
    return { line, box, earlier, later };
  }

  /**
   * Move a panel by one place in its group.
   * @param {HTMLElement} figure
   * @param {-1 | 1} by
   */
  function move(figure, by) {
    if (by < 0) figure.previousElementSibling?.before(figure);
    else figure.nextElementSibling?.after(figure);
    change({ order: findAll(root, "figure").map(titleOf) });
    // The browser has taken the focus from the row that has moved.
    const { earlier, later } = /** @type {Row} */ (rows.get(figure));
    const [wanted, other] = by < 0 ? [earlier, later] : [later, earlier];
    (wanted.disabled ? other : wanted).focus();
  }

  show();
}

/**
 * Put the children of an element in order, if they are not.
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} children All of them.
 */
function putInOrder(parent, children) {
  if (children.some((child, place) => child !== parent.children[place]))
    parent.replaceChildren(...children);
}
