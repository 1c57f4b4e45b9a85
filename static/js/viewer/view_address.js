// The viewer's mode, compared pictures, zoom and place in the page's address, which so can be sent.

/** @import { ViewerState } from "./viewer.js" */
/** @import { ModeName, Picture } from "./viewer_controls.js" */

/** Browsers limit how often an address may change. */
const DELAY_MS = 250;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let frameTimer;

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
    setInAddress({
      mode, // Each of them: without one, an address opens in the mode that its reader used last.
      compare: left === 0 && right === 1 ? "" : `${pictures[left].role},${pictures[right].role}`,
      at: view
        ? [view.x, view.y, view.scale].map((value) => Number(value.toFixed(2))).join(",")
        : "",
    });
  }, DELAY_MS);
}

/**
 * The frame of a video that the page's address contains; the first one without a valid one.
 * @param {number} frames
 */
export function frameInAddress(frames) {
  const frame = Number(new URLSearchParams(location.search).get("frame"));
  return Number.isInteger(frame) && frame > 0 ? Math.min(frame, frames - 1) : 0;
}

/**
 * Write the frame of a video into the page's address, soon after the video has come to rest.
 * @param {number} frame
 */
export function showFrameInAddress(frame) {
  clearTimeout(frameTimer);
  frameTimer = setTimeout(() => setInAddress({ frame: frame ? String(frame) : "" }), DELAY_MS);
}

/** @param {Record<string, string>} values Parameters of the address; empty ones are removed. */
function setInAddress(values) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(values))
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  // Commas are allowed in a query, and easier to read than %2C.
  const address = url.href.replaceAll("%2C", ",");
  if (address !== location.href) history.replaceState(history.state, "", address);
}
