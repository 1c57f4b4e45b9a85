// "Browse…": a dialog that shows the folders that the server may read.
import { messageOf, request } from "../base/api.js";
import { element, findAll } from "../base/dom.js";
import { bytes, count, counted } from "../base/format.js";
import { addPath, isTextField, toolRow } from "./path_tools.js";
import { crumbs, dialogTitle, isAccepted } from "./places.js";

/** @import { Folder, FolderEntry } from "../base/types.js" */
/** @import { TextField } from "./path_tools.js" */

for (const field of findAll(document, "[data-path]").filter(isTextField)) {
  const [label] = field.labels ?? [];
  label.id ||= `${field.id}-label`;
  toolRow(field).prepend(
    element(
      "button",
      { type: "button", "aria-describedby": label.id, onclick: () => browse(field) },
      "Browse…",
    ),
  );
}

/**
 * Open the dialog of a field.
 * @param {TextField} field
 */
function browse(field) {
  const accepted = field.dataset.path ?? "";
  const title = dialogTitle(accepted);
  const dialog = element("dialog", { class: "picker", "aria-label": title });
  const trail = element("nav", { class: "crumbs", "aria-label": "Parent folders" });
  const filter = element("input", {
    type: "search",
    placeholder: "Filter",
    "aria-label": "Filter by name",
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = element("ul", {});
  const status = element("p", { class: "quiet", role: "status" });
  const useFolder = element(
    "button",
    { type: "button", class: "primary", onclick: () => folder.path !== null && use(folder.path) },
    "Use this folder",
  );
  /** @type {Folder} */
  let folder = { path: null, roots: [], entries: [], left_out: 0 };
  let latest = 0;

  const cancel = element("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  dialog.append(
    element("h2", {}, title),
    trail,
    filter,
    list,
    element("div", { class: "foot" }, status, cancel, useFolder),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", onKey);
  filter.addEventListener("input", show);
  document.body.append(dialog);
  dialog.showModal();
  start();

  /** Go to the path in the field, or to the roots. A single root is opened immediately. */
  async function start() {
    const typed = field.value.trim().split("\n").at(-1) ?? "";
    if (typed && (await go(typed.endsWith("/") ? typed : `${typed}/`, true))) return;
    if (typed.includes("/") && (await go(typed.slice(0, typed.lastIndexOf("/") + 1), true))) return;
    await go("");
    if (folder.entries.length === 1) await go(`${folder.entries[0].path}/`);
  }

  /**
   * Go to a folder.
   * @param {string} path
   * @param {boolean} [isSilent] Whether an error is not shown.
   * @returns {Promise<boolean>} False if the folder cannot be read.
   */
  async function go(path, isSilent = false) {
    const turn = ++latest;
    const isOutdated = () => turn !== latest || !dialog.open;
    try {
      const response = await request(`/files?path=${encodeURIComponent(path)}`);
      if (isOutdated()) return true;
      folder = response;
    } catch (error) {
      if (isOutdated()) return true;
      if (!isSilent) status.textContent = messageOf(error);
      return false;
    }
    filter.value = "";
    show();
    filter.focus();
    return true;
  }

  function show() {
    const { path: current, entries } = folder;
    const pattern = filter.value.trim().toLowerCase();
    const shown = entries.filter(({ name }) => name.toLowerCase().includes(pattern));
    trail.replaceChildren(
      ...crumbs(folder).map(({ name, path }) =>
        element(
          "button",
          {
            type: "button",
            onclick: () => go(path),
            "aria-current": path === `${current}/` ? "location" : null,
          },
          name,
        ),
      ),
    );
    list.replaceChildren(...shown.map(row));
    useFolder.hidden = accepted === "file" || accepted === "image" || current === null;
    status.textContent = statusText(shown.length);
  }

  /** @param {number} shown The number of entries. */
  function statusText(shown) {
    if (!shown) return folder.entries.length ? "No name matches." : "The folder is empty.";
    const more = folder.left_out
      ? `; ${count(folder.left_out)} more are not listed: type their path`
      : "";
    return `${counted(shown, "entry", "entries")}${more}`;
  }

  /** @param {FolderEntry} entry */
  function row(entry) {
    const isFolder = entry.type === "folder";
    const about = isFolder ? "folder" : `${entry.kind} · ${bytes(entry.size ?? 0)}`;
    const date = entry.modified ? new Date(entry.modified * 1000).toLocaleDateString() : "";
    const open = () => (isFolder ? go(`${entry.path}/`) : use(entry.path));
    return element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          class: isFolder ? "folder" : "",
          disabled: !isFolder && !isAccepted(entry.kind, accepted),
          onclick: open,
        },
        element("span", { class: "name" }, entry.name),
        element("span", { class: "quiet" }, about),
        element("span", { class: "quiet date" }, date),
      ),
    );
  }

  /** @param {string} path */
  function use(path) {
    dialog.close();
    addPath(field, path);
  }

  /**
   * Arrow keys move through the list, also from the filter. Backspace in an empty filter goes up.
   * @param {KeyboardEvent} event
   */
  function onKey(event) {
    const rows = findAll(list, "button:enabled");
    const focused = rows.findIndex((button) => button === document.activeElement);
    const isInFilter = event.target === filter;
    const parent = crumbs(folder).at(-2);
    if (event.key === "ArrowDown") rows[Math.min(focused + 1, rows.length - 1)]?.focus();
    else if (event.key === "ArrowUp") (focused > 0 ? rows[focused - 1] : filter).focus();
    else if (event.key === "Enter" && isInFilter) rows[0]?.click();
    else if (event.key === "Backspace" && isInFilter && !filter.value && parent) go(parent.path);
    else return;
    event.preventDefault();
  }
}
