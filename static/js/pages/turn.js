// Arrow keys turn pages: they follow the page's links rel=prev and rel=next.
import { findOptional, targetOf } from "../base/dom.js";

/** Elements that use arrow keys themselves. */
const USES_ARROWS = "input, select, textarea, [role=slider]";

/** @type {Record<string, string>} */
const LINKS = { ArrowLeft: "prev", ArrowRight: "next" };

document.addEventListener("keydown", (event) => {
  if (event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  const rel = LINKS[event.key];
  if (!rel || targetOf(event)?.matches(USES_ARROWS)) return;
  const link = findOptional(document, `a[rel=${rel}]`, HTMLAnchorElement);
  if (link) location.assign(link.href);
});
