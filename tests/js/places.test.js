// Breadcrumbs and accepted files of the dialog of paths.
import assert from "node:assert/strict";
import { test } from "node:test";

import { crumbs, isAccepted } from "../../static/js/paths/places.js";

test("breadcrumbs begin at the root that contains the folder", () => {
  const roots = ["/data", "/data/clips"];
  assert.deepEqual(
    crumbs({ path: "/data/clips/a/b", roots }).map(({ name, path }) => [name, path]),
    [
      ["Data roots", ""],
      ["/data/clips", "/data/clips/"],
      ["a", "/data/clips/a/"],
      ["b", "/data/clips/a/b/"],
    ],
  );
  assert.deepEqual(crumbs({ path: "/data", roots }).at(-1), { name: "/data", path: "/data/" });
  assert.deepEqual(crumbs({ path: "/datasets", roots: ["/data"] }).at(-1), {
    name: "/datasets",
    path: "/datasets/",
  });
  assert.deepEqual(
    crumbs({ path: "/a", roots: ["/"] }).map(({ path }) => path),
    ["", "/", "/a/"],
  );
  assert.equal(crumbs({ path: null, roots }).length, 1);
});

test("a field accepts the kinds of files that it can use", () => {
  assert.ok(isAccepted("image", "image") && !isAccepted("video", "image"));
  assert.ok(isAccepted("stream", "any") && isAccepted("manifest", "any"));
  assert.ok(!isAccepted("other", "any"));
  assert.ok(!isAccepted("image", "folder"));
});
