// Gestures of mouse, pen and fingers on an element.

/** @import { Point } from "../base/client_types.js" */

/**
 * @typedef {object} GestureActions Points are relative to the element's corner.
 * @property {(dx: number, dy: number) => void} move
 * @property {(factor: number, point: Point) => void} zoom
 * @property {(point: Point | null) => void} look The pointer is at the point; null if it has left.
 */

/**
 * Bind gestures.
 * @param {HTMLElement} surface
 * @param {GestureActions} actions
 */
export function gestures(surface, actions) {
  /** @type {Map<number, Point>} The pressed pointers by id. */
  const pressed = new Map();
  /** @param {MouseEvent} event */
  const pointOf = (event) => {
    const corner = surface.getBoundingClientRect();
    return { x: event.clientX - corner.left, y: event.clientY - corner.top };
  };
  surface.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    surface.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, pointOf(event));
    actions.look(pointOf(event));
  });
  surface.addEventListener("pointermove", (event) => {
    const before = pressed.get(event.pointerId);
    const now = pointOf(event);
    if (before && pressed.size === 1) actions.move(now.x - before.x, now.y - before.y);
    if (before && pressed.size === 2) {
      const [, other] = [...pressed].find(([id]) => id !== event.pointerId) ?? [];
      if (other) pinch(other, before, now, actions);
    }
    if (before) pressed.set(event.pointerId, now);
    actions.look(now);
  });
  const release = (/** @type {PointerEvent} */ event) => pressed.delete(event.pointerId);
  surface.addEventListener("pointerup", release);
  surface.addEventListener("pointercancel", release);
  // A lifted finger leaves as well: what it pointed at stays.
  surface.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") actions.look(null);
  });
  // Without a modifier the wheel scrolls the page, until a click shows that the picture is meant.
  // A pinch on a touchpad arrives as a wheel with Ctrl.
  let isMeant = false;
  const note = (/** @type {PointerEvent} */ { target }) => {
    if (!surface.isConnected) document.removeEventListener("pointerdown", note);
    isMeant = target instanceof Node && surface.contains(target);
  };
  document.addEventListener("pointerdown", note);
  surface.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && !isMeant && !document.fullscreenElement) return;
      event.preventDefault();
      const pixels = event.deltaMode ? 33 * event.deltaY : event.deltaY;
      actions.zoom(2 ** (-pixels / 240), pointOf(event));
    },
    { passive: false },
  );
}

/**
 * One of two fingers has moved: what was between them stays there.
 * @param {Point} other
 * @param {Point} before
 * @param {Point} now
 * @param {GestureActions} actions
 */
function pinch(other, before, now, actions) {
  const distance = (/** @type {Point} */ point) => Math.hypot(point.x - other.x, point.y - other.y);
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  actions.move((now.x - before.x) / 2, (now.y - before.y) / 2);
  actions.zoom(distance(now) / Math.max(distance(before), 1), middle);
}
