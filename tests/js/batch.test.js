// Batches of dropped files, and the progress of an upload as text.
import assert from "node:assert/strict";
import { test } from "node:test";

import { folderOf, planUpload, rateMeter, transferText } from "../../static/js/paths/batch.js";
import { part } from "./parts.js";

/** @param {...string} paths */
const files = (...paths) => paths.map((path) => part({ path, file: path }));
/** @param {Parameters<typeof planUpload>} request */
function problemOf(...request) {
  const plan = planUpload(...request);
  return "problem" in plan ? plan.problem : "";
}

test("a single file is sent as a file", () => {
  assert.deepEqual(planUpload(files("a.h264"), "any"), {
    name: "a.h264",
    folder: false,
    items: files("a.h264"),
  });
  assert.match(problemOf(files("a.png"), "folder"), /^This field accepts folders/);
});

test("a folder stays a folder, without the files of operating systems", () => {
  const batch = planUpload(
    files("orig/1.bmp", "orig/.DS_Store", "orig/Thumbs.db", "orig/.git/x", "orig/sub/2.bmp"),
    "folder",
  );
  assert.deepEqual(batch, {
    name: "orig",
    folder: true,
    items: files("orig/1.bmp", "orig/sub/2.bmp"),
  });
  assert.match(problemOf(files("orig/1.bmp"), "image"), /accepts one file/);
  assert.match(problemOf(files("a/1.bmp", "b/1.bmp"), "any"), /one folder at a time/);
  assert.match(problemOf(files("orig/.hidden"), "any"), /no files/);
});

test("loose files become a folder if the field accepts folders", () => {
  assert.deepEqual(planUpload(files("1.bmp", "2.bmp"), "any"), {
    name: "2 files",
    folder: true,
    items: [
      { path: "files/1.bmp", file: "1.bmp" },
      { path: "files/2.bmp", file: "2.bmp" },
    ],
  });
  assert.match(problemOf(files("1.bmp", "2.bmp"), "image"), /single file/);
});

test("the folder on the server is the folder of its files", () => {
  assert.equal(folderOf("/home/uploads/0a/orig/1.bmp", "orig/1.bmp"), "/home/uploads/0a/orig");
  assert.equal(
    folderOf("/home/uploads/0a/orig/sub/x.png", "orig/sub/x.bmp"),
    "/home/uploads/0a/orig",
  );
});

test("the rate is measured over the last moments", () => {
  const rate = rateMeter(1000);
  assert.equal(rate(0, 0), null);
  assert.equal(rate(500, 500), 1000);
  assert.equal(rate(600, 5000), null);
  assert.equal(rate(800, 5100), 2000);
});

test("the progress of an upload as text", () => {
  assert.equal(
    transferText(12_400_000, 96_000_000, 22_100_000),
    "12.4 MB of 96.0 MB · 13 % · 22.1 MB/s · 4 s left",
  );
  assert.equal(transferText(96, 96, 5), "96 B of 96 B · 100 %");
  assert.equal(transferText(0, 96, null), "0 B of 96 B · 0 %");
});
