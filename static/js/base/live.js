// The page's connection to the namespace /jobs, shared by all jobs that the page watches. After a
// reconnection it requests the events that it missed. Notices report a lost connection.
import { withRoot } from "./address.js";
import { io } from "../../vendor/socket.io.esm.min.js";
import { newEvents } from "../charts/curves.js";
import { element } from "./dom.js";

/** @import { EventsMessage, JobEvent } from "./types.js" */

/**
 * @typedef {(events: JobEvent[]) => void} OnEvents
 * @typedef {{ seq: number, onEvents: OnEvents, onDeleted: () => void }} Watch
 */

const PATIENCE_MS = 1500;

/** @type {Map<string, Watch>} By the job's id. */
const watches = new Map();
/** @type {ReturnType<typeof io> | null} */
let socket = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let lossTimer;

/**
 * Watch one job: `onEvents` gets all its events after `since`, each once and in order.
 * @param {string} job
 * @param {number} since A sequence number.
 * @param {OnEvents} onEvents
 * @param {() => void} [onDeleted]
 * @returns {() => void} Stops watching.
 */
export function watchJob(
  job,
  since,
  onEvents,
  onDeleted = () => showNotice("gone", "This job was deleted. The page shows its last state."),
) {
  const watch = { seq: since, onEvents, onDeleted };
  watches.set(job, watch);
  if (connection().connected) connection().emit("watch", { job, since });
  return () => {
    watches.delete(job);
    connection().emit("unwatch", { job });
  };
}

/**
 * Watch all jobs, from now on: `onEvents` gets every state, and progress, curves, snapshots and
 * hardware of the jobs that `shown` lists. `onMissed` is called if events may have been missed.
 * @param {object} options
 * @param {(job: string, events: JobEvent[]) => void} options.onEvents
 * @param {() => void} options.onMissed
 * @param {() => string[]} [options.shown] Ids of jobs.
 * @returns {() => void} Sends the current value of `shown` to the server.
 */
export function watchAll({ onEvents, onMissed, shown = () => [] }) {
  let wasConnected = false;
  const watch = () => {
    if (connection().connected) connection().emit("watch", { job: "*", shown: shown() });
  };
  connection().on("connect", () => {
    if (wasConnected) onMissed();
    wasConnected = true;
    watch();
  });
  connection().on("events", (/** @type {EventsMessage} */ { job, events, missed }) =>
    missed ? onMissed() : onEvents(job, events),
  );
  return watch;
}

function connection() {
  if (socket) return socket;
  // A WebSocket first: polling before it would take four more requests. Some proxies allow polling only.
  const created = io("/jobs", {
    path: withRoot("/socket.io"),
    transports: ["websocket", "polling"],
    tryAllTransports: true,
  });
  socket = created;
  created.on("connect", () => {
    clearTimeout(lossTimer);
    showNotice("lost", "");
    for (const [job, { seq }] of watches) created.emit("watch", { job, since: seq });
  });
  created.on("disconnect", () => {
    lossTimer = setTimeout(
      () => showNotice("lost", "The server does not respond. This page reconnects automatically."),
      PATIENCE_MS,
    );
  });
  created.on("events", (/** @type {EventsMessage} */ { job, events, error }) => {
    const watch = watches.get(job);
    if (!watch) return;
    if (error) {
      watch.onDeleted();
      return;
    }
    const fresh = newEvents(events, watch.seq);
    if (!fresh.length) return;
    watch.seq = fresh[fresh.length - 1].seq;
    watch.onEvents(fresh);
  });
  // Leaving the page also disconnects: do not report that.
  addEventListener("pagehide", () => clearTimeout(lossTimer));
  return created;
}

/**
 * Show a notice at the bottom of the window, or remove it.
 * @param {string} id Of the notice: a new text replaces the old one.
 * @param {string} text Empty to remove it.
 */
export function showNotice(id, text) {
  const shown = document.getElementById(`said-${id}`);
  if (!text) shown?.remove();
  else if (shown) shown.textContent = text;
  else
    document.body.append(element("p", { id: `said-${id}`, class: "said", role: "status" }, text));
}
