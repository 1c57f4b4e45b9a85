// The worker that runs an exported network with ONNX Runtime. It is one file without imports: the
// server sends it alone, with the policy that lets it compile WASM (app/pages/in_browser.py).

/** @import { InferenceSession } from "onnxruntime-web" */
/** @import { Facts, Loading, Running } from "./network.js" */

/** @typedef {{ isFallbackAdapter?: boolean, info?: GpuAdapter }} GpuAdapter */

/** @type {typeof import("onnxruntime-web")} */
let runtime;
/** @type {InferenceSession} */
let session;

const WARM_UP = 64;

addEventListener("message", async ({ data: { id, load: loading, run: running } }) => {
  try {
    if (loading) postMessage({ id, result: await load(loading) });
    else {
      const result = await run(running);
      postMessage({ id, result }, { transfer: [result.buffer] });
    }
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});

/**
 * Load a network, on the GPU where that works.
 * @param {Loading} loading
 * @returns {Promise<Facts>}
 */
async function load({ model, runtimes }) {
  const response = await fetch(model);
  if (!response.ok) throw new Error(`The server responded with status ${response.status}.`);
  const content = new Uint8Array(await response.arrayBuffer());
  try {
    await requireGpu();
    const planes = await start(runtimes.webgpu, "webgpu", content);
    await run({ values: new Float32Array(planes * WARM_UP ** 2), width: WARM_UP, height: WARM_UP });
    return { planes, device: "webgpu", reason: "" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { planes: await start(runtimes.wasm, "wasm", content), device: "wasm", reason };
  }
}

/**
 * Fails before anything is loaded: many browsers have WebGPU, but no GPU that it can use. On a GPU
 * in software, a network is slower than as WASM.
 */
async function requireGpu() {
  /** @type {{ requestAdapter: () => Promise<GpuAdapter | null> } | undefined} */
  const gpu = "gpu" in navigator ? /** @type {any} */ (navigator).gpu : undefined;
  if (!gpu) throw new Error("this browser has no WebGPU");
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("WebGPU finds no graphics card");
  if (adapter.isFallbackAdapter || adapter.info?.isFallbackAdapter)
    throw new Error("WebGPU has only a graphics card in software");
}

/**
 * @param {{ script: string, binary: string }} files
 * @param {"webgpu" | "wasm"} device
 * @param {Uint8Array} content Of the ONNX file.
 * @returns {Promise<number>} The planes of its images.
 */
async function start({ script, binary }, device, content) {
  runtime = await import(script);
  runtime.env.logLevel = "error";
  runtime.env.wasm.numThreads = 1; // More need a page that is isolated from all other sites.
  runtime.env.wasm.wasmPaths = { wasm: binary };
  session = await runtime.InferenceSession.create(content, { executionProviders: [device] });
  const [image] = session.inputMetadata;
  return image.isTensor ? Number(image.shape[1]) : 0;
}

/**
 * Restore an image.
 * @param {Running} running
 * @returns {Promise<Float32Array<ArrayBuffer>>}
 */
async function run({ values, width, height }) {
  const planes = values.length / (width * height);
  const image = new runtime.Tensor("float32", values, [1, planes, height, width]);
  const { restored } = await session.run({ image });
  return /** @type {Float32Array<ArrayBuffer>} */ (restored.data);
}
