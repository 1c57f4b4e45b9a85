// What is dropped, and what is said while it is sent.
import assert from "node:assert/strict";
import { test } from "node:test";

import { folderOf, meter, plan, transferWords } from "../../static/js/paths/batch.js";

const files = (...paths) => paths.map((path) => ({ path, file: path }));

test("one file is sent as it is", () => {
  assert.deepEqual(plan(files("a.h264"), "any"), { name: "a.h264", folder: false, items: files("a.h264") });
  assert.match(plan(files("a.png"), "folder").problem, /^A folder is wanted/);
});

test("a folder stays one, without what systems put into it", () => {
  const batch = plan(files("orig/1.bmp", "orig/.DS_Store", "orig/Thumbs.db", "orig/.git/x", "orig/sub/2.bmp"), "folder");
  assert.deepEqual(batch, { name: "orig", folder: true, items: files("orig/1.bmp", "orig/sub/2.bmp") });
  assert.match(plan(files("orig/1.bmp"), "image").problem, /^One file/);
  assert.match(plan(files("a/1.bmp", "b/1.bmp"), "any").problem, /one folder at a time/);
  assert.match(plan(files("orig/.hidden"), "any").problem, /no file/);
});

test("loose files become a folder where one may be given", () => {
  assert.deepEqual(plan(files("1.bmp", "2.bmp"), "any"), { name: "2 files", folder: true, items: [{ path: "files/1.bmp", file: "1.bmp" }, { path: "files/2.bmp", file: "2.bmp" }] });
  assert.match(plan(files("1.bmp", "2.bmp"), "image").problem, /single one/);
});

test("the folder on the server is that of its files", () => {
  assert.equal(folderOf("/home/uploads/0a/orig/1.bmp", "orig/1.bmp"), "/home/uploads/0a/orig");
  assert.equal(folderOf("/home/uploads/0a/orig/sub/x.png", "orig/sub/x.bmp"), "/home/uploads/0a/orig");
});

test("the rate is that of the last moments", () => {
  const rate = meter(1000);
  assert.equal(rate(0, 0), null);
  assert.equal(rate(500, 500), 1000);
  assert.equal(rate(600, 5000), null);
  assert.equal(rate(800, 5100), 2000);
});

test("an upload in words", () => {
  assert.equal(transferWords(12_400_000, 96_000_000, 22_100_000), "12.4 MB of 96.0 MB · 13 % · 22.1 MB/s · 4 s left");
  assert.equal(transferWords(96, 96, 5), "96 B of 96 B · 100 %");
  assert.equal(transferWords(0, 96, null), "0 B of 96 B · 0 %");
});
