// What was dropped or chosen, and what becomes of it. Pure but for reading folders: tested with node.
import { bytes, count, percent, seconds } from "../base/format.js";

const JUNK = new Set(["thumbs.db", "desktop.ini"]);
const LOOSE = "files";

/** What a drop brought, as [{file, path}], with all that is in its folders. */
export async function dropped(transfer) {
  // All at once: after the first await the transfer is empty.
  const items = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return (await Promise.all(items.filter(Boolean).map((item) => (item instanceof File ? [{ file: item, path: item.name }] : inside(item))))).flat();
}

async function inside(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // A hundred at a time.
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(inside))).flat();
}

/** What to send for a field that wants a file, an image, a folder or any: {name, folder, items}, or {problem}. */
export function plan(files, wanted) {
  const items = files.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".") || JUNK.has(part.toLowerCase())));
  const tops = new Set(items.map(({ path }) => path.split("/")[0]));
  const nested = items.some(({ path }) => path.includes("/"));
  if (!items.length) return { problem: "There is no file in it." };
  if (items.length === 1 && !nested) {
    if (wanted === "folder") return { problem: "A folder is wanted here: give a folder, or several files." };
    return { name: items[0].path, folder: false, items };
  }
  if (wanted === "file" || wanted === "image") return { problem: "One file is wanted here: give a single one." };
  if (nested && tops.size > 1) return { problem: "Give one folder at a time." };
  if (nested) return { name: [...tops][0], folder: true, items };
  return { name: `${count(items.length)} files`, folder: true, items: items.map(({ file, path }) => ({ file, path: `${LOOSE}/${path}` })) };
}

/** The folder on the server, by the place of one of its files there and here. */
export function folderOf(there, here) {
  return there.split("/").slice(0, 1 - here.split("/").length).join("/");
}

/** Bytes a second over the last moments; `now` in milliseconds. */
export function meter(span = 5000) {
  let seen = [];
  return (sent, now) => {
    seen = [...seen.filter(([at]) => at > now - span), [now, sent]];
    const [at, before] = seen[0];
    return now > at && sent > before ? (1000 * (sent - before)) / (now - at) : null;
  };
}

/** "12.4 MB of 96.0 MB · 13 % · 22.1 MB/s · 4 s left" */
export function transferWords(sent, total, rate) {
  const words = [`${bytes(sent)} of ${bytes(total)}`, percent(sent / total)];
  if (rate && sent < total) words.push(`${bytes(rate)}/s`, `${seconds(Math.max(1, (total - sent) / rate))} left`);
  return words.join(" · ");
}
