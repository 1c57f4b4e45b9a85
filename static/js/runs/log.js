// What a worker says outside its events, followed while it says it: worker.log, a part at a time.
import { at } from "../base/address.js";
import { element } from "../base/dom.js";

const EVERY_MS = 1000;

/** Lines that a page holds; the whole log is a file. */
export const MOST_LINES = 5000;

/** Bytes of which the page is behind, from which on it goes on from the end of the log and not from where it was. */
const FAR_BEHIND = 2 ** 20;

/** What is seen of a line that was drawn over itself, as bars of progress are: what follows the last return. A return at its
 * end has not drawn anything yet. */
export function drawn(line) {
  return beforeReturns(line).split("\r").at(-1);
}

const beforeReturns = (line) => line.replace(/\r+$/, "");

/** The lines that have their end when `text` follows `tail`, the line without an end so far; and the new tail, without what
 * was drawn over. */
export function taken(tail, text) {
  const lines = (tail + text).split("\n");
  const last = lines.pop();
  return { lines: lines.map(drawn), tail: last.slice(beforeReturns(last).lastIndexOf("\r") + 1) };
}

/** Whether the end of what a box scrolls through is in sight. */
export const isAtEnd = ({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - scrollTop - clientHeight < 8;

/** What to ask for after an answer: {next, more}: the offset, null for the end of the log, and whether to ask at once. */
export function after({ text, next, size }) {
  const far = size - next > FAR_BEHIND;
  return { next: far ? null : next, more: far || (text !== "" && next < size) };
}

/**
 * Show the log of `holder.dataset.log` in the `<pre>` of `holder` for as long as the `<details>` around it are open; asks every
 * second while `isLive()`. The end stays in sight, unless the reader has scrolled away from it.
 */
export function follow(holder, isLive) {
  const [details, pre, url] = [holder.closest("details"), holder.querySelector("pre"), holder.dataset.log];
  const whole = element("a", { href: url.replace("/api/v1/", "/").replace(/log$/, "files/worker.log") }, "worker.log");
  const beginning = element("p", { class: "quiet", hidden: true }, "The beginning is left out here: ", whole, " has all.");
  const end = document.createTextNode("");
  let [next, tail, atEnd, reading, isWhole] = [null, "", true, false, false];
  pre.before(beginning);
  pre.style.overflowAnchor = "none"; // Where the reader is, is kept below: two that do so would do it twice.

  function clear() {
    pre.replaceChildren(end);
    [end.data, tail, beginning.hidden] = ["", "", true];
  }

  function add(text) {
    const fresh = taken(tail, text);
    tail = fresh.tail;
    // A node for each line: those that go or come leave what the reader has marked in the others.
    end.before(...fresh.lines.slice(-MOST_LINES).map((line) => document.createTextNode(`${line}\n`)));
    end.data = drawn(tail);
    const tooMany = [...pre.childNodes].slice(0, -MOST_LINES);
    if (tooMany.length || fresh.lines.length > MOST_LINES) beginning.hidden = false;
    const height = pre.scrollHeight;
    for (const line of tooMany) line.remove();
    if (atEnd) pre.scrollTop = pre.scrollHeight;
    else if (tooMany.length) pre.scrollTop -= height - pre.scrollHeight;
  }

  /** Ask for one part; whether there is more. */
  async function readPart() {
    const answer = await fetch(at(next == null ? url : `${url}?from=${next}`));
    if (!answer.ok) return false;
    const part = await answer.json();
    if (part.from !== next) {
      clear();
      beginning.hidden = part.from === 0;
    }
    if (part.text) add(part.text);
    const then = after(part);
    next = then.next;
    return then.more;
  }

  async function read() {
    const live = isLive();
    if (reading || !details.open || document.hidden || (isWhole && !live)) return;
    reading = true;
    try {
      while (await readPart());
      isWhole = !live; // What was said after the last question of a live job is asked for once more.
    } catch {
      // The server does not answer now: the next round asks again.
    } finally {
      reading = false;
    }
  }

  pre.addEventListener("scroll", () => {
    if (details.open) atEnd = isAtEnd(pre);
  });
  details.addEventListener("toggle", () => {
    if (details.open && atEnd) pre.scrollTop = pre.scrollHeight;
    read();
  });
  document.addEventListener("visibilitychange", read);
  setInterval(read, EVERY_MS);
  read();
}
