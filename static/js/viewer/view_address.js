// The viewer's mode, compared pictures, zoom and place in the page's address, which so can be sent.

/** @import { ViewerState } from "./viewer.js" */
/** @import { ModeName, Picture } from "./viewer_controls.js" */

/** Browsers limit how often an address may change. */
const DELAY_MS = 250;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * The view that the page's address contains.
 * @param {Picture[]} pictures
 * @returns {Partial<ViewerState>}
 */
export function viewInAddress(pictures) {
  const query = new URLSearchParams(location.search);
  /** @type {Partial<ViewerState>} */
  const found = {};
  const mode = query.get("mode");
  if (mode && MODE_NAMES.has(mode)) found.mode = /** @type {ModeName} */ (mode);
  const [left, right] = (query.get("compare") ?? "")
    .split(",")
    .map((role) => pictures.findIndex((picture) => picture.role === role));
  if (left >= 0 && right > left) Object.assign(found, { left, right });
  const [x, y, scale] = (query.get("at") ?? "").split(",").map(Number);
  if (scale > 0 && x >= 0 && y >= 0) found.view = { x, y, scale };
  return found;
}

const MODE_NAMES = new Set(["slider", "side", "blink", "difference", "error", "qp"]);

/**
 * Write a view into the page's address, soon.
 * @param {ViewerState} state
 */
export function showInAddress({ mode, pictures, left, right, view }) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const url = new URL(location.href);
    const values = {
      mode, // Each of them: without one, an address opens in the mode that its reader used last.
      compare: left === 0 && right === 1 ? "" : `${pictures[left].role},${pictures[right].role}`,
      at: view
        ? [view.x, view.y, view.scale].map((value) => Number(value.toFixed(2))).join(",")
        : "",
    };
    for (const [name, value] of Object.entries(values))
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    // Commas are allowed in a query, and easier to read than %2C.
    const address = url.href.replaceAll("%2C", ",");
    if (address !== location.href) history.replaceState(history.state, "", address);
  }, DELAY_MS);
}
