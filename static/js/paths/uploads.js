// Uploads of files in chunks (tus), with retries. They continue after a lost connection, and after a
// reload if the same files are given.
import { withRoot } from "../base/address.js";
import { folderOf } from "./batch.js";

/** @import { DetailedError, Upload } from "tus-js-client" */
/** @import { Batch, UploadItem } from "./batch.js" */

/**
 * @typedef {{ path: string, kind: string }} Uploaded `path` is on the server.
 * @typedef {Uploaded & { refused: string[] }} Outcome `refused`: messages on files of a folder that
 *   the server did not accept.
 * @typedef {{ progress: (sent: number) => void, lost: () => void }} TransferListener
 * @typedef {{ done: Promise<Outcome>, cancel: () => void }} Transfer
 * @typedef {{ key: string, id: string }} Group The files of a folder.
 */

const ENDPOINT = withRoot("/api/v1/uploads");
/** Bytes. */
const CHUNK = 8 * 2 ** 20;
const AT_ONCE = 3;
/** Before the first retry, the second, and so on. */
const RETRY_DELAYS_MS = [0, 500, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000];
/** Browsers store about 5 MB per site. Larger folders start again after a reload. */
const MAX_REMEMBERED = 5000;
/** Files that cannot be processed, such as those of an unknown type. */
const UNPROCESSABLE = 422;

/**
 * Send files.
 * @param {Batch} batch
 * @param {TransferListener} listener Reports the bytes sent, and a lost connection.
 * @returns {Transfer}
 */
export function transfer({ items, folder }, listener) {
  const group = folder ? rememberedGroup(items) : null;
  /** @type {Map<UploadItem, number>} Bytes. */
  const sent = new Map();
  /** @type {Upload[]} */
  const uploads = [];
  const waiting = [...items];
  /** @type {string[]} */
  const refused = [];
  /** @type {(Uploaded & { item: UploadItem }) | null} */
  let first = null;
  let isEnded = false;

  async function sendAll() {
    const tus = await import("../../vendor/tus.esm.min.js");
    const sendWaiting = async () => {
      for (let item = waiting.shift(); item && !isEnded; item = waiting.shift())
        await sendNext(tus.Upload, item);
    };
    try {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, sendWaiting));
    } catch (error) {
      const message = messageOf(error); // Read before the uploads stop, which discards responses.
      stop();
      throw new Error(message, { cause: error });
    }
    if (!first) throw new Error(refused[0]);
    if (group) forget(group);
    return {
      path: folder ? folderOf(first.path, first.item.path) : first.path,
      kind: folder ? "folder" : first.kind,
      refused,
    };
  }

  /**
   * @param {typeof Upload} UploadClass
   * @param {UploadItem} item
   */
  async function sendNext(UploadClass, item) {
    try {
      const uploaded = await sendOne(UploadClass, item);
      first ??= { item, ...uploaded };
    } catch (error) {
      if (!folder || statusOf(error) !== UNPROCESSABLE) throw error;
      refused.push(messageOf(error));
      progress(item, item.file.size);
    }
  }

  /**
   * @param {typeof Upload} UploadClass
   * @param {UploadItem} item
   * @returns {Promise<Uploaded>}
   */
  function sendOne(UploadClass, item) {
    /** @type {Record<string, string>} */
    const metadata = { filename: item.file.name };
    if (group) Object.assign(metadata, { group: group.id, relativePath: item.path });
    return new Promise((resolve, reject) => {
      const upload = new UploadClass(item.file, {
        endpoint: ENDPOINT,
        chunkSize: CHUNK,
        retryDelays: RETRY_DELAYS_MS,
        uploadDataDuringCreation: item.file.size <= CHUNK,
        storeFingerprintForResuming: items.length <= MAX_REMEMBERED,
        removeFingerprintOnSuccess: !group,
        fingerprint: async ({ size, lastModified }) =>
          [prefixOf(group), item.path, size, lastModified].join("|"),
        metadata,
        onProgress: (bytes) => progress(item, bytes),
        onShouldRetry: (error) => {
          const isRetried = shouldRetry(statusOf(error));
          if (isRetried) listener.lost();
          return isRetried;
        },
        onSuccess: ({ lastResponse }) =>
          resolve({
            path: decodeURIComponent(lastResponse.getHeader("Upload-Path") ?? ""),
            kind: lastResponse.getHeader("Upload-Kind") ?? "",
          }),
        onError: reject,
      });
      uploads.push(upload);
      upload.findPreviousUploads().then((previous) => {
        if (isEnded) return;
        if (previous.length) upload.resumeFromPreviousUpload(previous[previous.length - 1]);
        upload.start();
      });
    });
  }

  /**
   * @param {UploadItem} item
   * @param {number} bytes
   */
  function progress(item, bytes) {
    sent.set(item, bytes);
    let sum = 0;
    for (const size of sent.values()) sum += size;
    listener.progress(sum);
  }

  function stop() {
    isEnded = true;
    for (const upload of uploads) upload.abort();
  }

  return {
    done: sendAll(),
    /** Stop, and delete what was sent. */
    cancel() {
      isEnded = true;
      // If a deletion fails, the server deletes the unfinished file after some days.
      for (const upload of uploads) upload.abort(true).catch(() => {});
      if (group) forget(group);
    },
  };
}

/**
 * Whether to retry: after a lost connection (0), or if the server is busy or restarts; but not if
 * the disk is full (507) or the file is refused.
 * @param {number} status
 */
const shouldRetry = (status) =>
  [0, 408, 409, 423].includes(status) || (status >= 500 && status !== 507);

/**
 * Errors of tus have the request and the response; other errors come from reading the file.
 * @param {unknown} error
 */
const detailsOf = (error) => /** @type {Partial<DetailedError>} */ (error);

/**
 * The status of the response; 0 without one.
 * @param {unknown} error
 */
const statusOf = (error) => detailsOf(error).originalResponse?.getStatus() ?? 0;

/**
 * @param {unknown} error
 * @returns {string}
 */
function messageOf(error) {
  const { originalRequest, originalResponse } = detailsOf(error);
  try {
    return JSON.parse(originalResponse?.getBody() ?? "").error.message;
  } catch {
    if (originalRequest)
      return "The connection was lost. Give the same file or folder again to continue.";
    return "The file cannot be read. It may have been moved or changed. Give it again.";
  }
}

/**
 * The prefix of the fingerprints in the local storage.
 * @param {Group | null} group
 */
const prefixOf = (group) => `clearframe|${group?.id ?? ""}`;

/**
 * The group of a folder's files. After a reload the same files get the same group.
 * @param {UploadItem[]} items
 * @returns {Group}
 */
function rememberedGroup(items) {
  const bytes = items.reduce((sum, { file }) => sum + file.size, 0);
  const newest = items.reduce((time, { file }) => Math.max(time, file.lastModified), 0);
  const [folder] = items[0].path.split("/");
  const key = ["clearframe.folder", folder, items.length, bytes, newest].join("|");
  const id = localStorage.getItem(key) ?? randomId();
  localStorage.setItem(key, id);
  return { key, id };
}

/** 16 random bytes in hexadecimal. `crypto.randomUUID` exists only in secure origins. */
const randomId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

/** @param {Group} group */
function forget(group) {
  const prefix = `tus::${prefixOf(group)}|`;
  const keys = Object.keys(localStorage).filter(
    (key) => key === group.key || key.startsWith(prefix),
  );
  for (const key of keys) localStorage.removeItem(key);
}
