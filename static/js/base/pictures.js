// Pictures that change: the new ones take the place of the old ones when they can be seen, so that nothing flickers.

const latest = new WeakMap();

/** Put elements in place of all that a holder has, once their pictures are loaded. Of several calls, the last one counts. */
export async function swap(holder, elements) {
  latest.set(holder, elements);
  const pictures = elements.flatMap((one) => [...one.querySelectorAll("img:not([loading=lazy])")]);
  await Promise.allSettled(pictures.map((picture) => picture.decode()));
  if (latest.get(holder) === elements) holder.replaceChildren(...elements);
}
