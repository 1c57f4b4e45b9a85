// The live output of a worker outside its events: worker.log, one part at a time.
import { withRoot } from "../base/address.js";
import { ancestor, element, find } from "../base/dom.js";

/**
 * @typedef {object} LogPart GET /api/v1/jobs/<id>/log
 * @property {string} text
 * @property {number} from Offset of the text, in bytes.
 * @property {number} next Offset after the text.
 * @property {number} size Of the log, in bytes.
 */

const EVERY_MS = 1000;

/** Lines that a page keeps; the whole log is available as a file. */
export const MAX_LINES = 5000;

/** A page that is more bytes behind than this continues at the end of the log. */
const FAR_BEHIND = 2 ** 20;

/**
 * The visible part of a line. Progress bars redraw a line after a carriage return; after one at the
 * end of the line nothing is drawn yet.
 * @param {string} line
 */
export const visiblePart = (line) => withoutReturns(line).split("\r").at(-1) ?? "";

/** @param {string} line */
const withoutReturns = (line) => line.replace(/\r+$/, "");

/**
 * Add text to a log.
 * @param {string} tail The last line so far, which is incomplete.
 * @param {string} text
 * @returns {{ lines: string[], tail: string }} The lines that are now complete, and the new tail
 *   without what was drawn over.
 */
export function splitLines(tail, text) {
  const lines = (tail + text).split("\n");
  const last = lines.pop() ?? "";
  return {
    lines: lines.map(visiblePart),
    tail: last.slice(withoutReturns(last).lastIndexOf("\r") + 1),
  };
}

/**
 * Whether a box is scrolled to its end.
 * @param {Pick<Element, "scrollTop" | "scrollHeight" | "clientHeight">} box
 */
export const isAtEnd = ({ scrollTop, scrollHeight, clientHeight }) =>
  scrollHeight - scrollTop - clientHeight < 8;

/**
 * The request that follows a part.
 * @param {LogPart} part
 * @returns {{ next: number | null, more: boolean }} `next` is the offset, null for the end of the
 *   log; `more` is whether to send it immediately.
 */
export function nextRequest({ text, next, size }) {
  const isFarBehind = size - next > FAR_BEHIND;
  return { next: isFarBehind ? null : next, more: isFarBehind || (text !== "" && next < size) };
}

/**
 * Show the log of `data-log` in the holder's `<pre>` while its `<details>` are open. The view stays
 * at the end unless a user scrolls away from it.
 * @param {HTMLElement} holder
 * @param {() => boolean} isLive While it is true, the log is requested every second.
 */
export function followLog(holder, isLive) {
  const details = ancestor(holder, "details", HTMLDetailsElement);
  const pre = find(holder, "pre");
  const url = holder.dataset.log ?? "";
  const file = url.replace("/api/v1/", "/").replace(/log$/, "files/worker.log");
  const notice = element(
    "p",
    { class: "quiet", hidden: true },
    "Only the end is shown. The complete log is ",
    element("a", { href: file }, "worker.log"),
    ".",
  );
  const end = document.createTextNode("");
  /** @type {number | null} */
  let next = null;
  let tail = "";
  let followsEnd = true;
  let isReading = false;
  let isComplete = false;
  pre.before(notice);
  pre.style.overflowAnchor = "none"; // `add` keeps the scroll position itself.

  function clear() {
    pre.replaceChildren(end);
    end.data = "";
    tail = "";
    notice.hidden = true;
  }

  /** @param {string} text */
  function add(text) {
    const fresh = splitLines(tail, text);
    tail = fresh.tail;
    // One node per line: adding and removing lines keeps a selection in the others.
    end.before(
      ...fresh.lines.slice(-MAX_LINES).map((line) => document.createTextNode(`${line}\n`)),
    );
    end.data = visiblePart(tail);
    const surplus = [...pre.childNodes].slice(0, -MAX_LINES);
    if (surplus.length || fresh.lines.length > MAX_LINES) notice.hidden = false;
    const height = pre.scrollHeight;
    for (const line of surplus) line.remove();
    if (followsEnd) pre.scrollTop = pre.scrollHeight;
    else if (surplus.length) pre.scrollTop -= height - pre.scrollHeight;
  }

  /** Request one part. Returns whether to request another one. */
  async function readPart() {
    const response = await fetch(withRoot(next == null ? url : `${url}?from=${next}`));
    if (!response.ok) return false;
    /** @type {LogPart} */
    const part = await response.json();
    if (part.from !== next) {
      clear();
      notice.hidden = part.from === 0;
    }
    if (part.text) add(part.text);
    const following = nextRequest(part);
    next = following.next;
    return following.more;
  }

  async function read() {
    const live = isLive();
    if (isReading || !details.open || document.hidden || (isComplete && !live)) return;
    isReading = true;
    try {
      while (await readPart());
      isComplete = !live; // Text that a live job writes after this request needs another one.
    } catch {
      // The server does not respond: the next round retries.
    } finally {
      isReading = false;
    }
  }

  pre.addEventListener("scroll", () => {
    if (details.open) followsEnd = isAtEnd(pre);
  });
  details.addEventListener("toggle", () => {
    if (details.open && followsEnd) pre.scrollTop = pre.scrollHeight;
    read();
  });
  document.addEventListener("visibilitychange", read);
  setInterval(read, EVERY_MS);
  read();
}
