// Places and files in the dialog of paths. Without DOM: node runs the tests.

/** @import { Folder } from "../base/types.js" */

/** @type {Record<string, string>} By what the field accepts. */
const TITLES = {
  file: "Choose a file",
  folder: "Choose a folder",
  any: "Choose a file or a folder",
  image: "Choose an image",
  python: "Choose a Python file",
};

/**
 * The dialog's title.
 * @param {string} accepted What the field accepts.
 */
export const dialogTitle = (accepted) => TITLES[accepted];

/**
 * Whether a field accepts a file.
 * @param {string} kind Of the file.
 * @param {string} accepted
 */
export function isAccepted(kind, accepted) {
  if (accepted === "folder") return false;
  if (accepted === "image" || accepted === "python") return kind === accepted;
  return kind !== "other" && kind !== "python";
}

/**
 * The breadcrumbs of a folder: the list of roots, its root, and the folders below.
 * @param {Pick<Folder, "path" | "roots">} folder
 * @returns {{ name: string, path: string }[]}
 */
export function crumbs({ path, roots }) {
  const top = { name: "Data roots", path: "" };
  if (path === null) return [top];
  const [root] = roots
    .filter((name) => path === name || path.startsWith(name.endsWith("/") ? name : `${name}/`))
    .sort((a, b) => b.length - a.length);
  if (root === undefined) return [top, { name: path, path: `${path}/` }];
  const names = path.slice(root.length).split("/").filter(Boolean);
  const base = root.replace(/\/$/, "");
  const folders = names.map((name, index) => ({
    name,
    path: `${base}/${names.slice(0, index + 1).join("/")}/`,
  }));
  return [top, { name: root, path: `${base}/` }, ...folders];
}
