// What the picker says of places. Pure: tested with node.

const WORDS = { file: "Choose a file", folder: "Choose a folder", any: "Choose a file or a folder", image: "Choose an image", python: "Choose a Python file" };

export const words = (wanted) => WORDS[wanted];

/** Whether a file of a kind is what a field wants. */
export function suits(kind, wanted) {
  if (wanted === "folder") return false;
  if (wanted === "image" || wanted === "python") return kind === wanted;
  return kind !== "other" && kind !== "python";
}

/** The way to a place, as [{name, path}]: all roots, the root that it lies in, and the folders down to it. */
export function crumbs({ path, roots }) {
  const top = { name: "Data roots", path: "" };
  if (path === null) return [top];
  const root = roots.filter((one) => path === one || path.startsWith(one.endsWith("/") ? one : `${one}/`)).sort((a, b) => b.length - a.length)[0];
  if (root === undefined) return [top, { name: path, path: `${path}/` }];
  const below = path.slice(root.length).split("/").filter(Boolean);
  const base = root.replace(/\/$/, "");
  const down = below.map((name, index) => ({ name, path: `${base}/${below.slice(0, index + 1).join("/")}/` }));
  return [top, { name: root, path: `${base}/` }, ...down];
}
