// Turning pages: ◂ channels 0–63 of 256 ▸
import { element } from "./dom.js";

/** {element, show(page, pages, words)}; nothing is seen where there is but one page. */
export function pager(turnTo) {
  let at = 0;
  const button = (by, sign, label) => element("button", { type: "button", class: "small", "aria-label": label, onclick: () => turnTo(at + by) }, sign);
  const [back, on] = [button(-1, "◂", "Page before"), button(1, "▸", "Next page")];
  const words = element("span", { "aria-live": "polite" });
  const whole = element("span", { class: "turning", hidden: true }, back, words, on);
  return {
    element: whole,
    show: (page, pages, said) => {
      at = page;
      words.textContent = said;
      whole.hidden = pages < 2;
      back.disabled = page === 0;
      on.disabled = page === pages - 1;
    },
  };
}
