// Bundles the modules that templates name, and the stylesheets, to static/dist, so that a page loads
// a few small files instead of dozens. A file's name has the hash of its content, and the file lies
// there compressed as browsers accept it. app/web/bundles.py reads the manifest, which is written
// last. Files of earlier builds stay: servers that are running still send them.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "static", "dist");
const STYLES = "static/css/all.css";

/** @param {string} path */
const slashed = (path) => path.split(sep).join("/");

/** @param {string} folder Relative to the root. */
async function filesBelow(folder) {
  const found = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => slashed(relative(root, join(entry.parentPath, entry.name))));
}

/** The hash of all that bundles are made from, as `sources` of app/web/bundles.py computes it. */
async function sources() {
  const names = [...(await filesBelow("static")), ...(await filesBelow("templates"))]
    .filter((name) => !name.startsWith("static/dist/"))
    .sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(`${name}\0`).update(await readFile(join(root, name)));
  return hash.digest("hex");
}

/** The modules that templates load. */
async function entries() {
  const texts = (await filesBelow("templates")).map((name) => readFile(join(root, name), "utf8"));
  const names = (await Promise.all(texts)).flatMap((text) =>
    [...text.matchAll(/\bmodule\("([^"]+)"\)/g)].map(([, name]) => `static/js/${name}`),
  );
  return [...new Set(names)].sort();
}

/**
 * Write a file at once: another build or a server may use the same name.
 * @param {string} path
 * @param {string | Uint8Array} content
 */
async function write(path, content) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}.tmp`, content);
  await rename(`${path}.${process.pid}.tmp`, path);
}

/**
 * @param {string} path
 * @param {Uint8Array} content
 */
async function writeCompressed(path, content) {
  const best = { [zlib.constants.ZSTD_c_compressionLevel]: 19 };
  const compressed = {
    ".br": await promisify(zlib.brotliCompress)(content),
    ".zst": await promisify(zlib.zstdCompress)(content, { params: best }),
    ".gz": await promisify(zlib.gzip)(content, { level: 9 }),
  };
  await write(path, content);
  for (const [suffix, bytes] of Object.entries(compressed)) await write(path + suffix, bytes);
}

const hash = await sources();
const manifest = join(dist, "manifest.json");
const earlier = await readFile(manifest, "utf8").catch(() => "{}");
if (JSON.parse(earlier).sources === hash) process.exit();
const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: [...(await entries()), STYLES],
  // What every page loads becomes one chunk, as it belongs to every entry.
  inject: ["static/js/pages/common.js"],
  outdir: dist,
  outbase: "static",
  entryNames: "[dir]/[name]-[hash]",
  chunkNames: "js/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: "es2022",
  metafile: true,
  write: false,
  logLevel: "error",
});
for (const { path, contents } of outputFiles) await writeCompressed(path, contents);

/** @type {Record<string, { file: string, imports: string[] }>} */
const bundles = {};
for (const [path, { entryPoint, imports }] of Object.entries(metafile.outputs)) {
  const file = path.replace("static/dist/", "");
  const chunks = imports.filter(({ kind }) => kind === "import-statement");
  bundles[entryPoint?.replace("static/", "") ?? file] = {
    file,
    imports: chunks.map((chunk) => chunk.path.replace("static/dist/", "")),
  };
}
await write(manifest, JSON.stringify({ sources: hash, bundles }, null, 1));
