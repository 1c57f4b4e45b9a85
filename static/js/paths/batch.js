// Files that were dropped or chosen, and how they are sent. Without DOM except for reading folders:
// node runs the tests.
import { bytes, count, percent, seconds } from "../base/format.js";

/**
 * @typedef {{ file: File, path: string }} UploadItem `path` includes the folder, if it is in one.
 * @typedef {"file" | "image" | "folder" | "any"} PathKind What a field accepts.
 * @typedef {{ name: string, folder: boolean, items: UploadItem[] }} Batch
 */

/** Files that operating systems create. */
const JUNK = new Set(["thumbs.db", "desktop.ini"]);
/** The folder of files that were given without one. */
const LOOSE = "files";

/**
 * The files of a drop, including those in its folders.
 * @param {DataTransfer} transfer
 * @returns {Promise<UploadItem[]>}
 */
export async function droppedFiles(transfer) {
  // All entries are read before the first await: then the transfer becomes empty.
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile())
    .filter((entry) => entry != null);
  const files = entries.map((entry) =>
    entry instanceof File ? [{ file: entry, path: entry.name }] : filesIn(entry),
  );
  return (await Promise.all(files)).flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<UploadItem[]>}
 */
async function filesIn(entry) {
  if (entry.isFile) {
    const fileEntry = /** @type {FileSystemFileEntry} */ (entry);
    /** @type {File} */
    const file = await new Promise((resolve, reject) => fileEntry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  const entries = [];
  for (;;) {
    // Browsers return at most a hundred entries at a time.
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    entries.push(...some);
  }
  return (await Promise.all(entries.map(filesIn))).flat();
}

/**
 * Decide how files are sent to a field.
 * @param {UploadItem[]} files
 * @param {PathKind} accepted
 * @returns {Batch | { problem: string }} `problem`: the message if the field does not accept them.
 */
export function planUpload(files, accepted) {
  const items = files.filter(({ path }) => !path.split("/").some(isJunk));
  const tops = new Set(items.map(({ path }) => path.split("/")[0]));
  const isNested = items.some(({ path }) => path.includes("/"));
  if (!items.length) return { problem: "It contains no files." };
  if (items.length === 1 && !isNested) {
    if (accepted === "folder")
      return { problem: "This field accepts folders. Give a folder, or several files." };
    return { name: items[0].path, folder: false, items };
  }
  if (accepted === "file" || accepted === "image")
    return { problem: "This field accepts one file. Give a single file." };
  if (isNested && tops.size > 1) return { problem: "Give one folder at a time." };
  if (isNested) return { name: [...tops][0], folder: true, items };
  return {
    name: `${count(items.length)} files`,
    folder: true,
    items: items.map(({ file, path }) => ({ file, path: `${LOOSE}/${path}` })),
  };
}

/** @param {string} name */
const isJunk = (name) => name.startsWith(".") || JUNK.has(name.toLowerCase());

/**
 * The folder on the server, from the path of one of its files there and here.
 * @param {string} serverPath
 * @param {string} localPath
 */
export function folderOf(serverPath, localPath) {
  return serverPath
    .split("/")
    .slice(0, 1 - localPath.split("/").length)
    .join("/");
}

/**
 * Create a meter of the transfer rate.
 * @param {number} [span] Milliseconds that the rate is measured over.
 * @returns {(sent: number, now: number) => number | null} Takes all bytes so far and the time in
 *   milliseconds; returns bytes per second, null if unknown.
 */
export function rateMeter(span = 5000) {
  /** @type {[time: number, sent: number][]} */
  let samples = [];
  return (sent, now) => {
    samples = [...samples.filter(([time]) => time > now - span), [now, sent]];
    const [time, before] = samples[0];
    return now > time && sent > before ? (1000 * (sent - before)) / (now - time) : null;
  };
}

/**
 * "12.4 MB of 96.0 MB · 13 % · 22.1 MB/s · 4 s left"
 * @param {number} sent Bytes.
 * @param {number} total Bytes.
 * @param {number | null} rate Bytes per second.
 */
export function transferText(sent, total, rate) {
  const parts = [`${bytes(sent)} of ${bytes(total)}`, percent(sent / total)];
  if (rate && sent < total)
    parts.push(`${bytes(rate)}/s`, `${seconds(Math.max(1, (total - sent) / rate))} left`);
  return parts.join(" · ");
}
