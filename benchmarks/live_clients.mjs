// Many Socket.IO clients on one job, some of them slow: node benchmarks/live_clients.mjs URL JOB CLIENTS SLOW
// Prints "ready" when all are there. Told "until SEQ" on its input, it waits until each has seen that event, and prints one JSON
// object: {clients, events, wrong, delays: {median, p99, worst} in ms of those that are not slow, behind: the most of a slow one}.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, job, count, slowCount] = process.argv.slice(2);
const PAUSED_MS = 4000;
const READING_MS = 1000;

const delays = [];
let behind = 0;
let wrong = 0;
let newest = 0;
let wanted = Infinity;
const clients = [];
for (let number = 0; number < Number(count); number += 1) clients.push(await client(number < Number(slowCount)));
console.log("ready");

function client(slow) {
  const one = { seq: 0, slow };
  return new Promise((ready) => {
    const socket = io(`${url}/jobs`, { transports: ["websocket"], forceNew: true });
    socket.on("connect", () => socket.emit("watch", { job, since: one.seq }));
    socket.on("events", ({ events, error }) => {
      const now = Date.now();
      if (error) wrong += 1;
      for (const event of events) {
        if (event.seq !== one.seq + 1) wrong += 1;
        one.seq = event.seq;
        newest = Math.max(newest, event.seq);
        if (!slow && event.type === "scalars") delays.push(now - 1000 * event.time);
      }
      if (slow) behind = Math.max(behind, newest - one.seq);
      if (one.seq >= 1) ready(one);
      finish();
    });
    if (slow) {
      // It reads for a moment, and then leaves what comes in its connection's buffers, until these are full.
      let reading = true;
      const turn = () => {
        const wire = socket.io.engine.transport?.ws?._socket;
        reading = !reading;
        if (wire) reading ? wire.resume() : wire.pause();
        if (one.seq < wanted) setTimeout(turn, reading ? READING_MS : PAUSED_MS);
        else wire?.resume();
      };
      setTimeout(turn, READING_MS + Math.random() * PAUSED_MS);
    }
  });
}

function finish() {
  if (wanted === Infinity || !clients.every(({ seq }) => seq >= wanted)) return;
  delays.sort((a, b) => a - b);
  const at = (share) => Math.round(10 * (delays[Math.floor(share * (delays.length - 1))] ?? NaN)) / 10;
  const told = { median: at(0.5), p99: at(0.99), worst: at(1) };
  console.log(JSON.stringify({ clients: clients.length, events: wanted, wrong, delays_ms: told, slow_behind: behind }));
  process.exit(0);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  wanted = Number(line.split(" ")[1]);
  finish();
});
