// The places of the picker.
import assert from "node:assert/strict";
import { test } from "node:test";

import { crumbs, suits } from "../../static/js/paths/places.js";

test("the way to a place begins at its root", () => {
  const roots = ["/data", "/data/clips"];
  assert.deepEqual(crumbs({ path: "/data/clips/a/b", roots }).map(({ name, path }) => [name, path]), [
    ["Data roots", ""],
    ["/data/clips", "/data/clips/"],
    ["a", "/data/clips/a/"],
    ["b", "/data/clips/a/b/"],
  ]);
  assert.deepEqual(crumbs({ path: "/data", roots }).at(-1), { name: "/data", path: "/data/" });
  assert.deepEqual(crumbs({ path: "/datasets", roots: ["/data"] }).at(-1), { name: "/datasets", path: "/datasets/" });
  assert.deepEqual(crumbs({ path: "/a", roots: ["/"] }).map(({ path }) => path), ["", "/", "/a/"]);
  assert.equal(crumbs({ path: null, roots }).length, 1);
});

test("a field takes what it can use", () => {
  assert.ok(suits("image", "image") && !suits("video", "image"));
  assert.ok(suits("stream", "any") && suits("manifest", "any") && !suits("other", "any"));
  assert.ok(!suits("image", "folder"));
});
