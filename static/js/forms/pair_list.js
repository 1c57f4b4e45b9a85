// The validation pairs of several datasets as one list, worst first. Without DOM: node runs the
// tests.

/** @import { Pair, PairPage } from "../base/types.js" */

/**
 * Merge the pairs of some datasets.
 * @param {string[]} datasets Ids.
 * @param {(dataset: string, page: number) => Promise<Pick<PairPage, "pairs" | "pages" | "total">>} fetchPage Pages count from 1; each
 *   dataset is sorted by PSNR.
 * @returns {Promise<{ total: number, more: (count: number) => Promise<Pair[]> }>} `more` gets the
 *   next pairs, with the numbers that tests use: they count through all datasets in order.
 */
export async function worstFirst(datasets, fetchPage) {
  const firstPages = await Promise.all(datasets.map((id) => fetchPage(id, 1)));
  let total = 0;
  const sources = firstPages.map((content, index) => {
    const source = { id: datasets[index], page: 1, offset: total, ...content };
    total += content.total;
    return source;
  });

  /** @returns {Promise<Pair | null>} */
  async function next() {
    for (const source of sources) {
      if (source.pairs.length || source.page >= source.pages) continue;
      source.page += 1;
      Object.assign(source, await fetchPage(source.id, source.page));
    }
    const left = sources.filter(({ pairs }) => pairs.length);
    if (!left.length) return null;
    const worst = left.reduce((low, source) =>
      quality(source.pairs[0]) < quality(low.pairs[0]) ? source : low,
    );
    const [pair, ...rest] = worst.pairs;
    worst.pairs = rest;
    return { ...pair, number: worst.offset + pair.number };
  }

  /** @param {number} count */
  const more = async (count) => {
    /** @type {Pair[]} */
    const pairs = [];
    while (pairs.length < count) {
      const pair = await next();
      if (!pair) break;
      pairs.push(pair);
    }
    return pairs;
  };
  return { total, more };
}

/**
 * The PSNR, which is infinite if input and target are equal.
 * @param {Pair} pair
 */
const quality = ({ psnr_input }) => psnr_input ?? Infinity;
