// Thumbnails of validation pairs, worst first: a click fills in the pair's number.
import { messageOf, request, RequestError } from "../base/api.js";
import { ancestor, element, findAll } from "../base/dom.js";
import { count, decibel } from "../base/format.js";
import { worstFirst } from "./pair_list.js";
import { setValue } from "../paths/path_tools.js";

/** @import { Pair, PairPage } from "../base/types.js" */

const AT_ONCE = 24;

/**
 * Create a picker below the field of a pair's number.
 * @param {HTMLInputElement} input
 * @param {string[]} datasets Ids.
 * @returns {() => Promise<void>} Shows the picker. The first call requests the pairs.
 */
export function pairPicker(input, datasets) {
  const status = element("p", { class: "quiet", role: "status" }, "Looking for the pairs…");
  const list = element("div", {
    class: "pair-list",
    role: "radiogroup",
    "aria-label": "Validation pairs, the worst first",
  });
  let isShown = false;
  let isLoading = false;
  /** @type {Awaited<ReturnType<typeof worstFirst>> | null | void} */
  let pairs = null;

  const endObserver = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && loadMore(),
    { root: list, rootMargin: "200px" },
  );

  async function show() {
    if (isShown) return;
    isShown = true;
    ancestor(input, ".field").append(element("div", { class: "pair-picker" }, status, list));
    pairs = await worstFirst(datasets, fetchPage).catch(showError);
    if (!pairs) return;
    status.textContent = pairs.total
      ? `The worst of ${count(pairs.total)} first, by the PSNR of the input.`
      : "The model's datasets have no validation pairs.";
    await loadMore();
    const [worst] = findAll(list, "input", HTMLInputElement);
    if (worst && !input.value) worst.click();
  }

  async function loadMore() {
    if (isLoading || !pairs) return;
    isLoading = true;
    const loaded = (await pairs.more(AT_ONCE).catch(showError)) ?? [];
    endObserver.disconnect();
    list.append(...loaded.map(choice));
    if (loaded.length === AT_ONCE && list.lastElementChild)
      endObserver.observe(list.lastElementChild);
    markChosen();
    isLoading = false;
  }

  /** @param {unknown} error */
  function showError(error) {
    status.textContent = `The pairs cannot be shown: ${messageOf(error)} Type a number.`;
  }

  /** @param {Pair} pair */
  function choice({ number, input: picture, psnr_input, sequence, frame }) {
    const box = element("input", {
      type: "radio",
      name: "pair.chosen",
      value: number,
      onchange: () => setValue(input, String(number)),
    });
    const image = element("img", { src: picture, alt: "", loading: "lazy", decoding: "async" });
    const title = `${sequence ? `${sequence}, ` : ""}frame ${frame}`;
    return element(
      "label",
      { title },
      box,
      image,
      element(
        "span",
        {},
        element("b", {}, number),
        element("span", { class: "unseen" }, ", "),
        ` ${decibel(psnr_input)}`,
      ),
    );
  }

  /** Check the choice whose number is in the field. */
  function markChosen() {
    for (const box of findAll(list, "input", HTMLInputElement))
      box.checked = box.value === input.value.trim();
  }
  input.addEventListener("input", markChosen);
  return show;
}

/**
 * A page of a dataset's pairs; empty if the dataset was deleted, or has no validation split.
 * @param {string} dataset
 * @param {number} page
 * @returns {Promise<Pick<PairPage, "pairs" | "pages" | "total">>}
 */
async function fetchPage(dataset, page) {
  const query = `split=val&sort=psnr&order=asc&page=${page}`;
  try {
    const { pairs, pages, total } = await request(`/datasets/${dataset}/pairs?${query}`);
    return { pairs, pages, total };
  } catch (error) {
    if (error instanceof RequestError && (error.status === 404 || error.status === 422))
      return { pairs: [], pages: 0, total: 0 };
    throw error;
  }
}
