// A search field over the rows of a table.

/**
 * Bind a search field: rows whose text lacks one of its words are hidden.
 * @param {HTMLInputElement} field
 * @param {() => HTMLElement[]} rows
 * @param {(shown: number, all: number) => void} [onSearched] Gets the numbers of rows.
 * @returns {() => void} Applies the search again.
 */
export function bindRowSearch(field, rows, onSearched) {
  function search() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = rows();
    for (const row of all) {
      const text = row.textContent.toLowerCase();
      row.classList.toggle("unmatched", !words.every((word) => text.includes(word)));
    }
    const shown = all.filter((row) => !row.classList.contains("unmatched"));
    onSearched?.(shown.length, all.length);
  }
  field.addEventListener("input", search);
  window.addEventListener("pageshow", search); // The browser may have restored a search.
  return search;
}
