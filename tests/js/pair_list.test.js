// Pairs of several datasets as one list.
import assert from "node:assert/strict";
import { test } from "node:test";

import { worstFirst } from "../../static/js/forms/pair_list.js";

/** Datasets by name: the PSNR of each pair. Pages of two, sorted as the server does. */
const serverOf = (datasets, asked = []) => async (id, page) => {
  asked.push(`${id} ${page}`);
  const sorted = datasets[id].map((psnr_input, number) => ({ number, psnr_input })).sort((a, b) => (a.psnr_input ?? Infinity) - (b.psnr_input ?? Infinity));
  return { pairs: sorted.slice(2 * page - 2, 2 * page), pages: Math.ceil(sorted.length / 2), total: sorted.length };
};

test("pairs of several datasets come worst first, numbered through all of them", async () => {
  const { total, more } = await worstFirst(["a", "b"], serverOf({ a: [33, 30, null], b: [31, 29, 35, 28] }));
  assert.equal(total, 7);
  assert.deepEqual((await more(4)).map(({ number }) => number), [6, 4, 1, 3]);
  assert.deepEqual((await more(9)).map(({ number }) => number), [0, 5, 2]);
  assert.deepEqual(await more(1), []);
});

test("a page is asked for when it is needed", async () => {
  const asked = [];
  const { more } = await worstFirst(["a"], serverOf({ a: [1, 2, 3, 4, 5] }, asked));
  await more(2);
  assert.deepEqual(asked, ["a 1"]);
  await more(1);
  assert.deepEqual(asked, ["a 1", "a 2"]);
});

test("a dataset without pairs moves no number", async () => {
  const { more } = await worstFirst(["none", "b"], serverOf({ none: [], b: [31, 29] }));
  assert.deepEqual((await more(5)).map(({ number }) => number), [1, 0]);
});
