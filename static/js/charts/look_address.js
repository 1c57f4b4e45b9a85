// The look of the charts in the page's address, which so can be sent, and in the browser.

/** @import { AxisName } from "../base/client_types.js" */
/** @import { Look, Range } from "./axes.js" */

const AXES = new Set(["step", "epoch", "time"]);
/** More than a training can have, of steps and seconds. */
const FURTHEST = 1e12;
/** Browsers limit how often an address may change. */
const DELAY_MS = 250;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * The look in a query string; only what it has and what is valid.
 * @param {string} search
 * @returns {Partial<Look>}
 */
export function lookOf(search) {
  const query = new URLSearchParams(search);
  /** @type {Partial<Look>} */
  const look = {};
  const axis = query.get("axis") ?? "";
  if (AXES.has(axis)) look.x = /** @type {AxisName} */ (axis);
  if (query.has("log")) look.log = query.get("log") === "1";
  const smooth = Number(query.get("smooth") ?? NaN);
  if (smooth >= 0 && smooth < 1) look.smooth = smooth;
  const [from, to] = (query.get("range") ?? "").split(",").map(Number);
  if (from < to && Math.max(-from, to) <= FURTHEST) look.zoom = /** @type {Range} */ ([from, to]);
  return look;
}

/**
 * A query string with a look. The axis is always in it: without it, an address opens in the look
 * that its reader used last. Other parts are in it unless they are as usual.
 * @param {string} search
 * @param {Pick<Look, "x" | "log" | "smooth" | "zoom">} look
 */
export function withLook(search, { x, log, smooth, zoom }) {
  const query = new URLSearchParams(search);
  const digits = (/** @type {number} */ value) => Number(value.toPrecision(8));
  /** @type {Record<string, string>} */
  const values = {
    axis: x,
    log: log ? "1" : "",
    smooth: smooth ? String(smooth) : "",
    range: zoom ? zoom.map(digits).join(",") : "",
  };
  for (const [name, value] of Object.entries(values))
    if (value) query.set(name, value);
    else query.delete(name);
  return query.toString();
}

/** @returns {Partial<Look>} The look of the address; without one, the one that was used last. */
export function startLook() {
  const linked = lookOf(location.search);
  if (Object.keys(linked).length) return linked;
  return JSON.parse(localStorage.getItem("charts") ?? "{}");
}

/**
 * Keep a look in the browser, and soon in the address.
 * @param {Look} look
 */
export function keepLook(look) {
  const { x, log, smooth } = look;
  localStorage.setItem("charts", JSON.stringify({ x, log, smooth }));
  clearTimeout(timer);
  timer = setTimeout(() => {
    const query = withLook(location.search, look);
    const address = `${location.pathname}${query ? `?${query}` : ""}${location.hash}`;
    history.replaceState(history.state, "", address);
  }, DELAY_MS);
}
