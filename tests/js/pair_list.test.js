// The pairs of several datasets as one list.
import assert from "node:assert/strict";
import { test } from "node:test";

import { worstFirst } from "../../static/js/forms/pair_list.js";

const PAGE_SIZE = 2;

/**
 * A fake server: sorts each dataset by PSNR, in pages of two pairs.
 * @param {Record<string, (number | null)[]>} datasets The PSNR of each pair.
 * @param {string[]} requests Gets the requested pages.
 * @returns {(id: string, page: number) => Promise<any>}
 */
const serverOf =
  (datasets, requests = []) =>
  async (id, page) => {
    requests.push(`${id} ${page}`);
    const sorted = datasets[id]
      .map((psnr_input, number) => ({ number, psnr_input }))
      .sort((a, b) => (a.psnr_input ?? Infinity) - (b.psnr_input ?? Infinity));
    return {
      pairs: sorted.slice(PAGE_SIZE * (page - 1), PAGE_SIZE * page),
      pages: Math.ceil(sorted.length / PAGE_SIZE),
      total: sorted.length,
    };
  };

test("the pairs of several datasets, worst first, with numbers through all datasets", async () => {
  const { total, more } = await worstFirst(
    ["a", "b"],
    serverOf({ a: [33, 30, null], b: [31, 29, 35, 28] }),
  );
  assert.equal(total, 7);
  assert.deepEqual(
    (await more(4)).map(({ number }) => number),
    [6, 4, 1, 3],
  );
  assert.deepEqual(
    (await more(9)).map(({ number }) => number),
    [0, 5, 2],
  );
  assert.deepEqual(await more(1), []);
});

test("pages are requested when they are needed", async () => {
  /** @type {string[]} */
  const requests = [];
  const { more } = await worstFirst(["a"], serverOf({ a: [1, 2, 3, 4, 5] }, requests));
  await more(2);
  assert.deepEqual(requests, ["a 1"]);
  await more(1);
  assert.deepEqual(requests, ["a 1", "a 2"]);
});

test("a dataset without pairs does not change numbers", async () => {
  const { more } = await worstFirst(["none", "b"], serverOf({ none: [], b: [31, 29] }));
  assert.deepEqual(
    (await more(5)).map(({ number }) => number),
    [1, 0],
  );
});
