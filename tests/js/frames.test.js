// Frames of a video by time.
import assert from "node:assert/strict";
import { test } from "node:test";

import { frameAt, middleOf } from "../../static/js/viewer/frames.js";

const uneven = [0, 0.04, 0.1, 0.2];

test("a frame is shown from its time until the time of the next frame", () => {
  assert.deepEqual(
    [-1, 0, 0.039, 0.04, 0.0999, 0.15, 0.2, 9].map((time) => frameAt(uneven, time)),
    [0, 0, 0, 1, 2, 2, 3, 3],
  );
  assert.equal(frameAt([0], 5), 0);
});

test("the middle of a frame's time selects that frame", () => {
  for (const times of [uneven, [0], Array.from({ length: 300 }, (_, index) => index / 29.97)]) {
    for (let frame = 0; frame < times.length; frame += 1)
      assert.equal(frameAt(times, middleOf(times, frame)), frame);
  }
  assert.equal(middleOf(uneven, 99), middleOf(uneven, 3));
  assert.equal(middleOf(uneven, -5), middleOf(uneven, 0));
});
