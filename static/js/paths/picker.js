// "Browse…": a dialog that walks through the folders that the server may read.
import { at } from "../base/address.js";
import { element } from "../base/dom.js";
import { bytes, count } from "../base/format.js";
import { addPath, tools } from "./path_tools.js";
import { crumbs, suits, words } from "./places.js";

for (const input of document.querySelectorAll("[data-path]")) {
  const [label] = input.labels;
  label.id ||= `${input.id}-label`;
  tools(input).prepend(element("button", { type: "button", "aria-describedby": label.id, onclick: () => browse(input) }, "Browse…"));
}

function browse(input) {
  const wanted = input.dataset.path;
  const dialog = element("dialog", { class: "picker", "aria-label": words(wanted) });
  const trail = element("nav", { class: "crumbs", "aria-label": "Folders above" });
  const filter = element("input", { type: "search", placeholder: "Filter", "aria-label": "Filter by name", autocomplete: "off", spellcheck: "false" });
  const list = element("ul", {});
  const status = element("p", { class: "quiet", role: "status" });
  const use = element("button", { type: "button", class: "primary", onclick: () => choose(place.path) }, "Use this folder");
  let place = { path: null, roots: [], entries: [], left_out: 0 };
  let turn = 0;

  const cancel = element("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  dialog.append(element("h2", {}, words(wanted)), trail, filter, list, element("div", { class: "foot" }, status, cancel, use));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", onKey);
  filter.addEventListener("input", show);
  document.body.append(dialog);
  dialog.showModal();
  start();

  /** Where the field points to, else the roots; a single root is opened at once. */
  async function start() {
    const typed = input.value.trim().split("\n").at(-1);
    if (typed && (await go(typed.endsWith("/") ? typed : `${typed}/`, true))) return;
    if (typed.includes("/") && (await go(typed.slice(0, typed.lastIndexOf("/") + 1), true))) return;
    await go("");
    if (place.entries.length === 1) await go(`${place.entries[0].path}/`);
  }

  async function go(path, quietly = false) {
    const mine = ++turn;
    const answer = await fetch(at(`/api/v1/files?path=${encodeURIComponent(path)}`)).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (mine !== turn || !dialog.open) return true;
    if (!answer?.ok) {
      if (!quietly) status.textContent = told?.error?.message ?? "The server does not answer. Is it still running?";
      return false;
    }
    place = told;
    filter.value = "";
    show();
    filter.focus();
    return true;
  }

  function show() {
    const shown = place.entries.filter(({ name }) => name.toLowerCase().includes(filter.value.trim().toLowerCase()));
    trail.replaceChildren(...crumbs(place).map(({ name, path }) => element("button", { type: "button", onclick: () => go(path), "aria-current": path === `${place.path}/` ? "location" : null }, name)));
    list.replaceChildren(...shown.map(row));
    use.hidden = wanted === "file" || wanted === "image" || place.path === null;
    status.textContent = shown.length ? summary(shown.length) : place.entries.length ? "No name has that in it." : "The folder is empty.";
  }

  const summary = (shown) => `${count(shown)} ${shown === 1 ? "entry" : "entries"}${place.left_out ? `; ${count(place.left_out)} more are not listed: type their path` : ""}`;

  function row(entry) {
    const folder = entry.type === "folder";
    const about = folder ? "folder" : `${entry.kind} · ${bytes(entry.size ?? 0)}`;
    const date = entry.modified ? new Date(entry.modified * 1000).toLocaleDateString() : "";
    const open = () => (folder ? go(`${entry.path}/`) : choose(entry.path));
    return element(
      "li",
      {},
      element(
        "button",
        { type: "button", class: folder ? "folder" : "", disabled: !folder && !suits(entry.kind, wanted), onclick: open },
        element("span", { class: "name" }, entry.name),
        element("span", { class: "quiet" }, about),
        element("span", { class: "quiet date" }, date),
      ),
    );
  }

  function choose(path) {
    dialog.close();
    addPath(input, path);
  }

  /** Arrows walk through the list, from the filter too; Backspace in an empty filter goes up. */
  function onKey(event) {
    const rows = [...list.querySelectorAll("button:enabled")];
    const at = rows.indexOf(document.activeElement);
    const above = crumbs(place).at(-2);
    if (event.key === "ArrowDown") rows[Math.min(at + 1, rows.length - 1)]?.focus();
    else if (event.key === "ArrowUp") (at > 0 ? rows[at - 1] : filter).focus();
    else if (event.key === "Enter" && event.target === filter) rows[0]?.click();
    else if (event.key === "Backspace" && event.target === filter && !filter.value && above) go(above.path);
    else return;
    event.preventDefault();
  }
}
