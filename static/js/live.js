// One connection to the server's namespace /jobs. After a lost connection it asks for what it missed.
import { io } from "../vendor/socket.io.esm.min.js";
import { unseen } from "./curves.js";

/** Call `seen(events)` with all events of a job after `since`, each once and in order. */
export function watchJob(job, since, seen) {
  const socket = io("/jobs");
  let seq = since;
  socket.on("connect", () => socket.emit("watch", { job, since: seq }));
  socket.on("events", (message) => {
    const fresh = unseen(message.events, seq);
    if (!fresh.length) return;
    seq = fresh.at(-1).seq;
    seen(fresh);
  });
}

/** Call `seen(job, events)` for the states, progress and snapshots of all jobs, from now on. */
export function watchAll(seen) {
  const socket = io("/jobs");
  let before = false;
  socket.on("connect", () => {
    // What happened while the line was down is on a fresh page.
    if (before) location.reload();
    before = true;
    socket.emit("watch", { job: "*" });
  });
  socket.on("events", (message) => seen(message.job, message.events));
}
