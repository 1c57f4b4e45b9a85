// The table of the compared runs: its search, and the buttons that show a run in the charts or not.
import { find, findAll } from "../base/dom.js";
import { counted } from "../base/format.js";
import { nthStyle, swatch } from "../charts/styles.js";
import { bindRowSearch } from "./row_search.js";

/**
 * Bind the table.
 * @param {() => void} onChanged
 * @returns {(id: string) => boolean} Whether a run is in the charts.
 */
export function comparedRuns(onChanged) {
  const rows = findAll(document, "#models tbody tr");
  const count = find(document, "#runs-shown");
  const hidden = new Set();

  rows.forEach((row, index) => {
    const button = find(row, "button.swatch", HTMLButtonElement);
    button.append(swatch(nthStyle(index)));
    button.addEventListener("click", () => {
      const id = row.dataset.job ?? "";
      if (!hidden.delete(id)) hidden.add(id);
      button.setAttribute("aria-pressed", String(!hidden.has(id)));
      onChanged();
    });
  });

  bindRowSearch(find(document, "#search-runs", HTMLInputElement), () => rows, showCount);

  /**
   * @param {number} shown
   * @param {number} all
   */
  function showCount(shown, all) {
    count.textContent = shown === all ? "" : `${shown} of ${counted(all, "run")}`;
    onChanged();
  }

  /** @param {string} id */
  return (id) =>
    !hidden.has(id) &&
    !rows.some((row) => row.dataset.job === id && row.classList.contains("unmatched"));
}
