// The validation pairs of a model's datasets as one list, the worst first. Pure: tested with node.

/**
 * `pageOf(dataset, page)` gives a promise of {pairs, pages, total}, each page sorted by PSNR. Returns {total, more}: `more(count)`
 * is a promise of the next pairs, with their number as tests know it: through all datasets, in their order.
 */
export async function worstFirst(datasets, pageOf) {
  const sources = await Promise.all(datasets.map(async (id) => ({ id, page: 1, ...(await pageOf(id, 1)) })));
  let total = 0;
  for (const source of sources) {
    source.first = total;
    total += source.total;
  }

  async function next() {
    for (const source of sources) {
      if (!source.pairs.length && source.page < source.pages) Object.assign(source, await pageOf(source.id, (source.page += 1)));
    }
    const left = sources.filter(({ pairs }) => pairs.length);
    if (!left.length) return null;
    const worst = left.reduce((low, source) => (quality(source.pairs[0]) < quality(low.pairs[0]) ? source : low));
    const [pair, ...rest] = worst.pairs;
    worst.pairs = rest;
    return { ...pair, number: worst.first + pair.number };
  }

  const more = async (count) => {
    const found = [];
    while (found.length < count) {
      const pair = await next();
      if (!pair) break;
      found.push(pair);
    }
    return found;
  };
  return { total, more };
}

/** The PSNR of pictures that are equal is without an end. */
const quality = ({ psnr_input }) => psnr_input ?? Infinity;
