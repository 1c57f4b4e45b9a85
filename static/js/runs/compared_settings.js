// The table of the settings of the compared runs: all of them or the differences, and a search.
import { find, findAll } from "../base/dom.js";
import { bindRowSearch } from "./row_search.js";

/** Bind the table. The address contains the choice. */
export function bindComparedSettings() {
  const table = find(document, "#settings");
  const only = find(document, "#differences-only", HTMLInputElement);
  const none = find(document, "#no-settings");

  function showNone() {
    const isShown = (/** @type {HTMLElement} */ row) =>
      !row.classList.contains("unmatched") && (!only.checked || "differs" in row.dataset);
    none.hidden = findAll(table, "tbody tr").some(isShown);
  }

  function show() {
    table.classList.toggle("differences-only", only.checked);
    showNone();
    const address = new URL(location.href);
    if (only.checked) address.searchParams.delete("settings");
    else address.searchParams.set("settings", "all");
    history.replaceState(null, "", address);
  }

  only.checked = new URL(location.href).searchParams.get("settings") !== "all";
  only.addEventListener("change", show);
  bindRowSearch(
    find(document, "#search-settings", HTMLInputElement),
    () => findAll(table, "tbody tr"),
    showNone,
  );
  show();
}
