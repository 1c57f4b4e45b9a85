// Sends files to the server in chunks, by tus: goes on after a lost connection, and after a reload with the same files.
import { at } from "../base/address.js";
import { folderOf } from "./batch.js";

const ENDPOINT = at("/api/v1/uploads");
const CHUNK = 8 * 2 ** 20;
const AT_ONCE = 3;
const DELAYS_MS = [0, 500, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000];
/** The browser keeps about 5 MB for a site: of larger folders it forgets on reload which files were sent. */
const MOST_REMEMBERED = 5000;

/**
 * Send what `plan` made. `told` hears of progress(bytes) and lost(). Gives {done, cancel}: done is a promise of
 * {path, kind, refused}, where `refused` are the sentences on files of a folder that are of no use.
 */
export function transfer({ items, folder }, told) {
  const group = folder ? rememberedGroup(items) : null;
  const sent = new Map();
  const uploads = [];
  const waiting = [...items];
  const refused = [];
  let first = null;
  let ended = false;

  async function sendAll() {
    const { Upload } = await import("../../vendor/tus.esm.min.js");
    const sendWaiting = async () => {
      while (waiting.length && !ended) await sendNext(Upload, waiting.shift());
    };
    try {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, sendWaiting));
    } catch (error) {
      const words = sentence(error); // Before all is stopped: that empties the answers.
      stop();
      throw new Error(words, { cause: error });
    }
    if (!first) throw new Error(refused[0]);
    if (group) forget(group);
    return { path: folder ? folderOf(first.path, first.item.path) : first.path, kind: folder ? "folder" : first.kind, refused };
  }

  async function sendNext(Upload, item) {
    try {
      const found = await sendOne(Upload, item);
      first ??= { item, ...found };
    } catch (error) {
      if (!folder || statusOf(error) !== 422) throw error;
      refused.push(sentence(error));
      progress(item, item.file.size);
    }
  }

  function sendOne(Upload, item) {
    return new Promise((resolve, reject) => {
      const upload = new Upload(item.file, {
        endpoint: ENDPOINT,
        chunkSize: CHUNK,
        retryDelays: DELAYS_MS,
        uploadDataDuringCreation: item.file.size <= CHUNK,
        storeFingerprintForResuming: items.length <= MOST_REMEMBERED,
        removeFingerprintOnSuccess: !group,
        fingerprint: async (file) => [prefix(group), item.path, file.size, file.lastModified].join("|"),
        metadata: { filename: item.file.name, ...(group ? { group: group.id, relativePath: item.path } : {}) },
        onProgress: (bytes) => progress(item, bytes),
        onShouldRetry: (error) => shouldRetry(statusOf(error)) && (told.lost(), true),
        onSuccess: ({ lastResponse }) => resolve({ path: decodeURIComponent(lastResponse.getHeader("Upload-Path")), kind: lastResponse.getHeader("Upload-Kind") }),
        onError: reject,
      });
      uploads.push(upload);
      upload.findPreviousUploads().then((before) => {
        if (ended) return;
        if (before.length) upload.resumeFromPreviousUpload(before.at(-1));
        upload.start();
      });
    });
  }

  function progress(item, bytes) {
    sent.set(item, bytes);
    let sum = 0;
    for (const each of sent.values()) sum += each;
    told.progress(sum);
  }

  function stop() {
    ended = true;
    for (const upload of uploads) upload.abort();
  }

  return {
    done: sendAll(),
    /** Stop, and take away what has arrived. */
    cancel() {
      ended = true;
      for (const upload of uploads) upload.abort(true).catch(() => {}); // What stays is removed by the server in days.
      if (group) forget(group);
    },
  };
}

/** A lost connection, a busy or restarting server: worth another try. A full disk (507) or a refusal is not. */
const shouldRetry = (status) => [0, 408, 409, 423].includes(status) || (status >= 500 && status !== 507);

const statusOf = (error) => error.originalResponse?.getStatus() ?? 0;

function sentence(error) {
  try {
    return JSON.parse(error.originalResponse.getBody()).error.message;
  } catch {
    if (error.originalRequest) return "The connection was lost. Give the same file or folder again, and it goes on from there.";
    return "The file cannot be read any more. Was it moved or changed? Give it again.";
  }
}

const prefix = (group) => `clearframe|${group?.id ?? ""}`;

/** The number under which the files of a folder find each other, the same one after a reload. */
function rememberedGroup(items) {
  const bytes = items.reduce((sum, { file }) => sum + file.size, 0);
  const newest = items.reduce((last, { file }) => Math.max(last, file.lastModified), 0);
  const key = ["clearframe.folder", items[0].path.split("/")[0], items.length, bytes, newest].join("|");
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const id = localStorage.getItem(key) ?? random();
  localStorage.setItem(key, id);
  return { key, id };
}

function forget(group) {
  const ours = Object.keys(localStorage).filter((key) => key === group.key || key.startsWith(`tus::${prefix(group)}|`));
  for (const key of ours) localStorage.removeItem(key);
}
