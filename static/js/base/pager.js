// Buttons that turn pages: ◂ channels 0–63 of 256 ▸
import { element } from "./dom.js";

/**
 * Create a pager. It is hidden while it has a single page.
 * @param {(page: number) => void} turnTo
 * @returns {{ element: HTMLElement, show: (page: number, pages: number, text: string) => void }}
 */
export function pager(turnTo) {
  let current = 0;
  /**
   * @param {number} by
   * @param {string} sign
   * @param {string} label
   */
  const button = (by, sign, label) =>
    element(
      "button",
      { type: "button", class: "small", "aria-label": label, onclick: () => turnTo(current + by) },
      sign,
    );
  const [previous, next] = [button(-1, "◂", "Previous page"), button(1, "▸", "Next page")];
  const label = element("span", { "aria-live": "polite" });
  const holder = element("span", { class: "turning", hidden: true }, previous, label, next);
  return {
    element: holder,
    show: (page, pages, text) => {
      current = page;
      label.textContent = text;
      holder.hidden = pages < 2;
      previous.disabled = page === 0;
      next.disabled = page === pages - 1;
    },
  };
}
