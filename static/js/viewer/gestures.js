// Mouse, pen and fingers on an element, as three wishes: move by, zoom by a factor about a point, and look at a point.

/** Call `wishes` {move(dx, dy), zoom(factor, point), look(point or null)}; points count from the element's corner. */
export function gestures(surface, wishes) {
  const held = new Map();
  const pointOf = (event) => {
    const corner = surface.getBoundingClientRect();
    return { x: event.clientX - corner.left, y: event.clientY - corner.top };
  };
  surface.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    surface.setPointerCapture(event.pointerId);
    held.set(event.pointerId, pointOf(event));
    wishes.look(pointOf(event));
  });
  surface.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    const now = pointOf(event);
    if (before && held.size === 1) wishes.move(now.x - before.x, now.y - before.y);
    if (before && held.size === 2) pinch([...held].find(([id]) => id !== event.pointerId)[1], before, now, wishes);
    if (before) held.set(event.pointerId, now);
    wishes.look(now);
  });
  for (const end of ["pointerup", "pointercancel"]) surface.addEventListener(end, (event) => held.delete(event.pointerId));
  // A finger that is lifted has left as well: what it pointed at stays.
  surface.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && wishes.look(null));
  surface.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode ? 33 * event.deltaY : event.deltaY;
      wishes.zoom(2 ** (-pixels / 240), pointOf(event));
    },
    { passive: false },
  );
}

/** Two fingers, one of them moved: what was between them stays there. */
function pinch(other, before, now, wishes) {
  const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y);
  const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
  wishes.move((now.x - before.x) / 2, (now.y - before.y) / 2);
  wishes.zoom(apart(now) / Math.max(apart(before), 1), middle);
}
