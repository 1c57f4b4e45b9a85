// The visible part of a worker's log.
import assert from "node:assert/strict";
import { test } from "node:test";

import { isAtEnd, nextRequest, splitLines, visiblePart } from "../../static/js/runs/log.js";

test("the last drawing of a redrawn line is visible", () => {
  assert.equal(visiblePart("plain"), "plain");
  assert.equal(visiblePart("\r 1 %\r 20 %\r 100 %"), " 100 %");
  assert.equal(visiblePart("1 %\r20 %\r"), "20 %");
  assert.equal(visiblePart("of Windows\r"), "of Windows");
  assert.equal(visiblePart("\r\r"), "");
});

test("a line is complete when its end arrives", () => {
  assert.deepEqual(splitLines("", "one\ntwo\nthr"), { lines: ["one", "two"], tail: "thr" });
  assert.deepEqual(splitLines("thr", "ee\n"), { lines: ["three"], tail: "" });
  assert.deepEqual(splitLines("", "\n\n"), { lines: ["", ""], tail: "" });
  assert.deepEqual(splitLines("a", ""), { lines: [], tail: "a" });
});

test("a progress bar arrives in parts of any size", () => {
  const text = "begin\n\r 1 %|#\r 50 %|###\r 100 %|######\r\nend\r\n1 %\r2 %\r";
  for (let size = 1; size < text.length; size++) {
    let [lines, tail, longest] = [/** @type {string[]} */ ([]), "", 0];
    for (let at = 0; at < text.length; at += size) {
      const fresh = splitLines(tail, text.slice(at, at + size));
      lines = [...lines, ...fresh.lines];
      tail = fresh.tail;
      longest = Math.max(longest, tail.length);
    }
    assert.deepEqual(lines, ["begin", " 100 %|######", "end"]);
    assert.equal(visiblePart(tail), "2 %");
    assert.ok(longest < 20 + size, "earlier drawings are discarded");
  }
});

test("the request that follows a part", () => {
  assert.deepEqual(nextRequest({ text: "a", from: 0, next: 5, size: 5 }), { next: 5, more: false });
  assert.deepEqual(nextRequest({ text: "a", from: 0, next: 5, size: 9 }), { next: 5, more: true });
  assert.deepEqual(
    nextRequest({ text: "", from: 5, next: 5, size: 6 }),
    { next: 5, more: false },
    "an incomplete character waits for the next round",
  );
  assert.deepEqual(
    nextRequest({ text: "a", from: 0, next: 65536, size: 1e8 }),
    { next: null, more: true },
    "far behind, it continues at the end",
  );
});

test("whether a box is scrolled to its end", () => {
  assert.ok(isAtEnd({ scrollTop: 0, scrollHeight: 100, clientHeight: 100 }));
  assert.ok(isAtEnd({ scrollTop: 699.5, scrollHeight: 1000, clientHeight: 300 }));
  assert.ok(!isAtEnd({ scrollTop: 650, scrollHeight: 1000, clientHeight: 300 }));
});
