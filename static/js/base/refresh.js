// Parts of a page that the server renders: the page requests them again when they change.
import { findAll, findOptional } from "./dom.js";
import { showTimes } from "./times.js";

const INTERVAL_MS = 1500;

// A click on a button that is replaced between press and release would be lost.
let isPressed = false;
globalThis.addEventListener?.("pointerdown", () => (isPressed = true), true);
for (const type of ["pointerup", "pointercancel"])
  globalThis.addEventListener?.(type, () => setTimeout(() => (isPressed = false)), true);

/**
 * Create the refresher of some parts.
 * @param {string} selector Matches the parts; each needs an id.
 * @param {() => void} [onRefreshed]
 * @param {() => unknown} [isBusy] While it is true, no part is replaced.
 * @returns {(now?: boolean) => void} Refreshes the parts soon, or with `true` at once.
 */
export function refresher(selector, onRefreshed = () => {}, isBusy = () => false) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let latest = 0;

  /** Request this page's URL: it contains order and place of lists. */
  async function refresh() {
    if (isPressed || isBusy()) {
      timer = setTimeout(refresh, INTERVAL_MS);
      return;
    }
    timer = undefined;
    const turn = ++latest;
    const response = await fetch(location.href).catch(() => null);
    if (!response || response.status >= 500) {
      retry(); // live.js shows that the server does not respond.
      return;
    }
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (turn !== latest) return; // A later request replaces this one, perhaps of another URL.
    if (isPressed || isBusy()) {
      retry();
      return;
    }
    for (const part of findAll(document, selector)) {
      const fresh = page.getElementById(part.id);
      if (!fresh) throw new Error(`The new page has no element #${part.id}.`);
      replace(part, fresh);
    }
    showTimes();
    onRefreshed();
  }

  function retry() {
    timer ||= setTimeout(refresh, INTERVAL_MS);
  }

  return (now = false) => {
    if (now) clearTimeout(timer);
    if (now || !timer) timer = setTimeout(refresh, now ? 0 : INTERVAL_MS);
  };
}

/**
 * Replace a part. Keyboard focus and horizontal scrolling are kept.
 * @param {HTMLElement} part
 * @param {HTMLElement} fresh
 */
function replace(part, fresh) {
  if (part.isEqualNode(fresh)) return;
  const { activeElement } = document;
  const focused = activeElement && part.contains(activeElement) && selectorOf(activeElement);
  const scrolled = findAll(part, ".scroll").map(({ scrollLeft }) => scrollLeft);
  part.replaceWith(document.adoptNode(fresh));
  findAll(fresh, ".scroll").forEach((box, index) => (box.scrollLeft = scrolled[index] ?? 0));
  if (focused) findOptional(fresh, focused)?.focus();
}

/**
 * A selector that finds the same element on the fresh page: by its id or by where it links to.
 * @param {Element} node
 */
const selectorOf = (node) =>
  node.id
    ? `#${CSS.escape(node.id)}`
    : `a[href="${CSS.escape(node.getAttribute("href") ?? "null")}"]`;
