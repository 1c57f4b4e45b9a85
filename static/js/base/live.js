// One connection to the server's namespace /jobs, for all jobs that a page watches. After a lost connection it asks for what it
// missed; that it is lost, and that a job is gone, is said on the page.
import { at } from "./address.js";
import { io } from "../../vendor/socket.io.esm.min.js";
import { unseen } from "../charts/curves.js";
import { element } from "./dom.js";

const PATIENCE_MS = 1500;

const watched = new Map();
let socket = null;
let lost = 0;

/** Call `seen(events)` with all events of a job after `since`, each once and in order. Returns what ends it. */
export function watchJob(job, since, seen, gone = () => say("gone", "This job was deleted. What you see is what it was.")) {
  const one = { seq: since, seen, gone };
  watched.set(job, one);
  const ask = () => connection().emit("watch", { job, since: one.seq });
  if (connection().connected) ask();
  return () => {
    watched.delete(job);
    connection().emit("unwatch", { job });
  };
}

/** Call `seen(job, events)` for the states of all jobs, and for progress, curves, snapshots and hardware of those that `shown()`
 *  names, from now on; and `missed()` after a lost connection. Returns what tells the server that others are shown now. */
export function watchAll({ seen, missed, shown = () => [] }) {
  let before = false;
  const ask = () => connection().connected && connection().emit("watch", { job: "*", shown: shown() });
  connection().on("connect", () => {
    if (before) missed();
    before = true;
    ask();
  });
  connection().on("events", ({ job, events, missed: more }) => (more ? missed() : seen(job, events)));
  return ask;
}

function connection() {
  if (socket) return socket;
  socket = io("/jobs", { path: at("/socket.io") });
  socket.on("connect", () => {
    clearTimeout(lost);
    say("lost", "");
    for (const [job, { seq }] of watched) socket.emit("watch", { job, since: seq });
  });
  socket.on("disconnect", () => {
    lost = setTimeout(() => say("lost", "The server does not answer. This page goes on by itself as soon as it does."), PATIENCE_MS);
  });
  socket.on("events", ({ job, events, error }) => {
    const one = watched.get(job);
    if (!one) return;
    if (error) return one.gone(error);
    const fresh = unseen(events, one.seq);
    if (!fresh.length) return;
    one.seq = fresh.at(-1).seq;
    one.seen(fresh);
  });
  // A page that is left must not say, for its last moment, that the server is gone.
  addEventListener("pagehide", () => clearTimeout(lost));
  return socket;
}

/** A sentence at the foot of the window, or none. */
export function say(id, words) {
  const there = document.getElementById(`said-${id}`);
  if (!words) return there?.remove();
  if (there) there.textContent = words;
  else document.body.append(element("p", { id: `said-${id}`, class: "said", role: "status" }, words));
}
