// Copies what the browser needs from node_modules to static/vendor, so that nothing comes from another host.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

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

// tus-js-client has no module for browsers: its script sets window.tus, and as a module it passes that on.
const script = await readFile(new URL("node_modules/tus-js-client/dist/tus.min.js", root), "utf8");
const module = `${script.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "")}\nexport const { Upload } = window.tus;\n`;
await writeFile(new URL("static/vendor/tus.esm.min.js", root), module);

await build({
  entryPoints: [fileURLToPath(new URL("codemirror.mjs", import.meta.url))],
  outfile: fileURLToPath(new URL("static/vendor/codemirror.js", root)),
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  logLevel: "warning",
});
