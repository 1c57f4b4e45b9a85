// Socket.IO clients of one job, some of them slow: node benchmarks/live_clients.mjs URL JOB CLIENTS SLOW
// Prints "ready" when all are connected. After a line "until SEQ" on its input, it waits until every
// client has that event, and prints a JSON object: {clients, events, wrong, delays_ms: {median, p99,
// worst} of the fast clients, slow_behind: the most events that a slow client was behind}.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, job, clientCount, slowCount] = process.argv.slice(2);
const PAUSED_MS = 4000;
const READING_MS = 1000;

const delays = [];
let behind = 0;
let wrong = 0;
let newest = 0;
let lastSeq = Infinity;
const clients = [];
for (let number = 0; number < Number(clientCount); number += 1)
  clients.push(await connect(number < Number(slowCount)));
console.log("ready");

/** Connect a client; resolves when it has got its first event. */
function connect(isSlow) {
  const client = { seq: 0 };
  return new Promise((resolve) => {
    const socket = io(`${url}/jobs`, { transports: ["websocket"], forceNew: true });
    socket.on("connect", () => socket.emit("watch", { job, since: client.seq }));
    socket.on("events", ({ events, error }) => {
      const now = Date.now();
      if (error) wrong += 1;
      for (const event of events) {
        if (event.seq !== client.seq + 1) wrong += 1;
        client.seq = event.seq;
        newest = Math.max(newest, event.seq);
        if (!isSlow && event.type === "scalars") delays.push(now - 1000 * event.time);
      }
      if (isSlow) behind = Math.max(behind, newest - client.seq);
      if (client.seq >= 1) resolve(client);
      finish();
    });
    if (isSlow) slowDown(socket, client);
  });
}

/** Let a client alternate between reading and letting the buffers of its connection fill up. */
function slowDown(socket, client) {
  let isReading = true;
  const toggle = () => {
    const wire = socket.io.engine.transport?.ws?._socket;
    isReading = !isReading;
    if (isReading || client.seq >= lastSeq) wire?.resume();
    else wire?.pause();
    if (client.seq < lastSeq) setTimeout(toggle, isReading ? READING_MS : PAUSED_MS);
  };
  setTimeout(toggle, READING_MS + Math.random() * PAUSED_MS);
}

/** Print the result when every client has the last event. */
function finish() {
  if (lastSeq === Infinity || !clients.every(({ seq }) => seq >= lastSeq)) return;
  delays.sort((a, b) => a - b);
  const quantile = (share) =>
    Math.round(10 * (delays[Math.floor(share * (delays.length - 1))] ?? NaN)) / 10;
  const summary = { median: quantile(0.5), p99: quantile(0.99), worst: quantile(1) };
  const result = { clients: clients.length, events: lastSeq, wrong, delays_ms: summary };
  console.log(JSON.stringify({ ...result, slow_behind: behind }));
  process.exit(0);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  lastSeq = Number(line.split(" ")[1]);
  finish();
});
