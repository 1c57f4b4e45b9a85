// Copies what the browser needs from node_modules to static/vendor, so that pages load nothing from
// other hosts. Next to each module is a .d.ts file with its types, for the type checks of static/js.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { build } from "esbuild";

const FILES = [
  "socket.io-client/dist/socket.io.esm.min.js",
  "swagger-ui-dist/swagger-ui.css",
  "uplot/dist/uPlot.esm.js",
  "uplot/dist/uPlot.min.css",
];

/** Each script with the WASM that it loads: for the CPU, and for WebGPU. */
const ONNX_RUNTIME = {
  "ort.wasm.bundle.min.mjs": "ort-wasm-simd-threaded.wasm",
  "ort.webgpu.bundle.min.mjs": "ort-wasm-simd-threaded.asyncify.wasm",
};

const TYPES = {
  "codemirror.d.ts": 'export * from "../../scripts/codemirror.mjs";\n',
  "socket.io.esm.min.d.ts": 'export { io } from "socket.io-client";\n',
  "swagger.d.ts": "export default function (options: object): unknown;\n",
  "tus.esm.min.d.ts": 'export { Upload } from "tus-js-client";\n',
  "uPlot.esm.d.ts": 'export { default } from "uplot";\n',
};

/** @param {string} script */
const withoutMap = (script) => script.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "");

const modules = new URL("../node_modules/", import.meta.url);
const vendor = new URL("../static/vendor/", import.meta.url);
await mkdir(vendor, { recursive: true });
for (const file of FILES) {
  const name = file.slice(file.lastIndexOf("/") + 1);
  await copyFile(new URL(file, modules), new URL(name, vendor));
}
for (const [name, text] of Object.entries(TYPES)) await writeFile(new URL(name, vendor), text);

// The server sends a .gz file as gzip: browsers load a quarter of the 41 MB.
for (const [script, binary] of Object.entries(ONNX_RUNTIME)) {
  const folder = new URL("onnxruntime-web/dist/", modules);
  const text = await readFile(new URL(script, folder), "utf8");
  await writeFile(new URL(script, vendor), withoutMap(text));
  const content = await readFile(new URL(binary, folder));
  const compressed = await promisify(zlib.gzip)(content, { level: 9 });
  await writeFile(new URL(`${binary}.gz`, vendor), compressed);
}

// tus-js-client has no module for browsers: its script sets window.tus, which the module exports.
const tus = await readFile(new URL("tus-js-client/dist/tus.min.js", modules), "utf8");
await writeFile(
  new URL("tus.esm.min.js", vendor),
  `${withoutMap(tus)}\nexport const { Upload } = window.tus;\n`,
);

await build({
  entryPoints: [fileURLToPath(new URL("codemirror.mjs", import.meta.url))],
  outfile: fileURLToPath(new URL("codemirror.js", vendor)),
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  logLevel: "warning",
});

// Swagger UI has no module with exports either.
await build({
  stdin: {
    contents: 'export { default } from "swagger-ui-dist/swagger-ui-es-bundle.js";',
    resolveDir: fileURLToPath(modules),
  },
  outfile: fileURLToPath(new URL("swagger.js", vendor)),
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  logLevel: "warning",
});
