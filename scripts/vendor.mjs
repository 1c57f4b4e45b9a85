// Copies what the browser needs from node_modules to static/vendor, so that nothing comes from another host.
import { copyFile, mkdir } from "node:fs/promises";

const files = [
  "socket.io-client/dist/socket.io.esm.min.js",
  "uplot/dist/uPlot.esm.js",
  "uplot/dist/uPlot.min.css",
];

const root = new URL("..", import.meta.url);
await mkdir(new URL("static/vendor/", root), { recursive: true });
for (const file of files) {
  await copyFile(new URL(`node_modules/${file}`, root), new URL(`static/vendor/${file.split("/").pop()}`, root));
}
