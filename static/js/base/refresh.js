// Parts of a page that the server writes: they are asked for again while there is more to tell.
import { tellTimes } from "./times.js";

const INTERVAL_MS = 1500;

/** Returns a function that brings the parts up to date soon, or with `true` at once: those that `selector` finds, each with an
 *  id. `drawn` is called behind it, and nothing is done while `isBusy()`. */
export function refresher(selector, drawn = () => {}, isBusy = () => false) {
  let asked = 0;
  let turn = 0;

  /** The same page as it is now: same order, same place in it. Nobody's keyboard is taken away. */
  async function again() {
    if (isBusy()) return (asked = setTimeout(again, INTERVAL_MS));
    asked = 0;
    const mine = ++turn;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer || answer.status >= 500) return (asked ||= setTimeout(again, INTERVAL_MS)); // live.js says that the server is away.
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== turn) return; // A later answer, perhaps to another address, was asked for meanwhile.
    if (isBusy()) return (asked ||= setTimeout(again, INTERVAL_MS));
    for (const there of document.querySelectorAll(selector)) replace(there, page.getElementById(there.id));
    tellTimes();
    drawn();
  }

  return (now = false) => {
    if (now) clearTimeout(asked);
    if (now || !asked) asked = setTimeout(again, now ? 0 : INTERVAL_MS);
  };
}

function replace(there, fresh) {
  if (there.isEqualNode(fresh)) return;
  const focused = there.contains(document.activeElement) && same(document.activeElement);
  const across = [...there.querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
  there.replaceWith(document.adoptNode(fresh));
  fresh.querySelectorAll(".scroll").forEach((one, at) => (one.scrollLeft = across[at] ?? 0));
  if (focused) fresh.querySelector(focused)?.focus();
}

/** What finds an element again on a fresh page: its id, or where it leads. */
const same = (one) => (one.id ? `#${CSS.escape(one.id)}` : `a[href="${CSS.escape(one.getAttribute("href"))}"]`);
