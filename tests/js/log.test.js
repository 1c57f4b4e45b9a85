// What is seen of a worker's log.
import assert from "node:assert/strict";
import { test } from "node:test";

import { after, drawn, isAtEnd, taken } from "../../static/js/runs/log.js";

test("of a line that was drawn over itself the last drawing is seen", () => {
  assert.equal(drawn("plain"), "plain");
  assert.equal(drawn("\r 1 %\r 20 %\r 100 %"), " 100 %");
  assert.equal(drawn("1 %\r20 %\r"), "20 %");
  assert.equal(drawn("of Windows\r"), "of Windows");
  assert.equal(drawn("\r\r"), "");
});

test("lines are whole only when their end has come", () => {
  assert.deepEqual(taken("", "one\ntwo\nthr"), { lines: ["one", "two"], tail: "thr" });
  assert.deepEqual(taken("thr", "ee\n"), { lines: ["three"], tail: "" });
  assert.deepEqual(taken("", "\n\n"), { lines: ["", ""], tail: "" });
  assert.deepEqual(taken("a", ""), { lines: [], tail: "a" });
});

test("a bar of progress comes in parts, cut anywhere", () => {
  const text = "begin\n\r 1 %|#\r 50 %|###\r 100 %|######\r\nend\r\n1 %\r2 %\r";
  for (let size = 1; size < text.length; size++) {
    let [lines, tail, longest] = [[], "", 0];
    for (let at = 0; at < text.length; at += size) {
      const fresh = taken(tail, text.slice(at, at + size));
      lines = [...lines, ...fresh.lines];
      tail = fresh.tail;
      longest = Math.max(longest, tail.length);
    }
    assert.deepEqual(lines, ["begin", " 100 %|######", "end"]);
    assert.equal(drawn(tail), "2 %");
    assert.ok(longest < 20 + size, "what was drawn over is let go");
  }
});

test("what is asked for next", () => {
  assert.deepEqual(after({ text: "a", from: 0, next: 5, size: 5 }), { next: 5, more: false });
  assert.deepEqual(after({ text: "a", from: 0, next: 5, size: 9 }), { next: 5, more: true });
  assert.deepEqual(after({ text: "", from: 5, next: 5, size: 6 }), { next: 5, more: false }, "half a character is waited for");
  assert.deepEqual(after({ text: "a", from: 0, next: 65536, size: 1e8 }), { next: null, more: true }, "the end is what counts");
});

test("the end is in sight", () => {
  assert.ok(isAtEnd({ scrollTop: 0, scrollHeight: 100, clientHeight: 100 }));
  assert.ok(isAtEnd({ scrollTop: 699.5, scrollHeight: 1000, clientHeight: 300 }));
  assert.ok(!isAtEnd({ scrollTop: 650, scrollHeight: 1000, clientHeight: 300 }));
});
