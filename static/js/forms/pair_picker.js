// Thumbnails of validation pairs, the worst first: choosing one fills its number in.
import { ask } from "../base/api.js";
import { element } from "../base/dom.js";
import { count, decibel } from "../base/format.js";
import { worstFirst } from "./pair_list.js";
import { fill } from "../paths/path_tools.js";

const AT_ONCE = 24;

/** Makes a picker below the field of a number. Returns what shows it: it asks for nothing before. */
export function pairPicker(input, datasets) {
  const words = element("p", { class: "quiet", role: "status" }, "Looking for the pairs…");
  const list = element("div", { class: "pair-list", role: "radiogroup", "aria-label": "Validation pairs, the worst first" });
  let begun = false;
  let known = null;
  let busy = false;

  const near = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { root: list, rootMargin: "200px" });

  async function begin() {
    if (begun) return;
    begun = true;
    input.closest(".field").append(element("div", { class: "pair-picker" }, words, list));
    known = await worstFirst(datasets, pageOf).catch(failed);
    if (!known) return;
    words.textContent = known.total ? `The worst of ${count(known.total)} first, by the PSNR of the input.` : "The model's datasets have no validation pairs any more.";
    await more();
  }

  async function more() {
    if (busy) return;
    busy = true;
    const pairs = (await known.more(AT_ONCE).catch(failed)) ?? [];
    near.disconnect();
    list.append(...pairs.map(choice));
    if (pairs.length === AT_ONCE) near.observe(list.lastElementChild);
    mark();
    busy = false;
  }

  function failed(error) {
    words.textContent = `The pairs cannot be shown: ${error.message} Type a number.`;
  }

  function choice({ number, input: picture, psnr_input, sequence, frame }) {
    const box = element("input", { type: "radio", name: "pair.chosen", value: number, onchange: () => fill(input, String(number)) });
    const image = element("img", { src: picture, alt: "", loading: "lazy", decoding: "async" });
    const title = `${sequence ? `${sequence}, ` : ""}frame ${frame}`;
    return element("label", { title }, box, image, element("span", {}, element("b", {}, number), element("span", { class: "unseen" }, ", "), ` ${decibel(psnr_input)}`));
  }

  /** The choice of the number that stands in the field. */
  function mark() {
    for (const box of list.querySelectorAll("input")) box.checked = box.value === input.value.trim();
  }
  input.addEventListener("input", mark);
  return begin;
}

/** What a dataset that was deleted has, or one without a validation split, is no pair. */
async function pageOf(dataset, page) {
  try {
    const { pairs, pages, total } = await ask(`/datasets/${dataset}/pairs?split=val&sort=psnr&order=asc&page=${page}`);
    return { pairs, pages, total };
  } catch (error) {
    if (error.status === 404 || error.status === 422) return { pairs: [], pages: 0, total: 0 };
    throw error;
  }
}
