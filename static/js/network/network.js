// A network in a worker of its own, so that the page answers while it computes.

/** @import { Size } from "../base/client_types.js" */

/**
 * @typedef {{ script: string, binary: string }} Runtime Addresses of ONNX Runtime.
 * @typedef {{ model: string, runtimes: { webgpu: Runtime, wasm: Runtime } }} Loading
 * @typedef {{ values: Float32Array<ArrayBuffer> } & Size} Running Planes of an image, 0 to 1.
 * @typedef {object} Facts
 * @property {number} planes Of an image: 1 or 3, and one more for a network that takes the QP.
 * @property {"webgpu" | "wasm"} device
 * @property {string} reason Why it is not the GPU; empty if it is.
 *
 * @typedef {(image: Running) => Promise<Float32Array>} Run Returns the restored planes, without QP.
 * @typedef {Facts & { run: Run, end: () => void }} Network
 */

const NO_WORKER =
  "This browser cannot load the worker that runs the network. Use its newest version.";

/**
 * Load a network. Fails with a sentence if the browser cannot run it.
 * @param {string} script Address of the worker.
 * @param {Loading} loading
 * @returns {Promise<Network>}
 */
export async function startNetwork(script, loading) {
  const worker = new Worker(script, { type: "module" });
  /** @type {Map<number, PromiseWithResolvers<any>>} */
  const waiting = new Map();
  let last = 0;
  worker.addEventListener("message", ({ data: { id, result, error } }) => {
    const answer = waiting.get(id);
    waiting.delete(id);
    if (error == null) answer?.resolve(result);
    else answer?.reject(new Error(error));
  });
  worker.addEventListener("error", () => {
    for (const { reject } of waiting.values()) reject(new Error(NO_WORKER));
    waiting.clear();
  });
  /**
   * @param {{ load: Loading } | { run: Running }} message
   * @param {Transferable[]} transfer
   */
  const ask = (message, transfer = []) => {
    last += 1;
    const answer = Promise.withResolvers();
    waiting.set(last, answer);
    worker.postMessage({ id: last, ...message }, transfer);
    return answer.promise;
  };
  try {
    /** @type {Facts} */
    const facts = await ask({ load: loading });
    const run = (/** @type {Running} */ image) => ask({ run: image }, [image.values.buffer]);
    return { ...facts, run, end: () => worker.terminate() };
  } catch (error) {
    worker.terminate();
    throw error;
  }
}
