// Facts about a training as text: its `facts` and `hardware` events.
import { bytes, count, decimals, gain, NO_VALUE, percentage } from "../base/format.js";

/** @import { Hardware, JobSummary } from "../base/types.js" */

/**
 * The facts that are known.
 * @param {JobSummary} summary
 * @param {Hardware | null} hardware null if the training does not run.
 * @returns {[term: string, text: string][]}
 */
export function factsOf(summary, hardware) {
  const {
    parameters,
    receptive_field,
    multiply_adds,
    device,
    precision,
    placement,
    step_times,
    test,
  } = summary;
  /** @type {[term: string, text: string][]} */
  const facts = [];
  if (parameters != null) facts.push(["Parameters", count(parameters)]);
  if (receptive_field) {
    const [height, width] = receptive_field;
    facts.push(["Receptive field", `${width}×${height} px`]);
  }
  if (multiply_adds != null) facts.push(["Multiply-adds", `${count(multiply_adds)} per pixel`]);
  if (device) facts.push(["Device", `${device}, ${precision}`]);
  if (placement) facts.push(["Dataset", placement]);
  if (step_times) facts.push(["Step", step_times]);
  if (test) {
    const { "test/psnr": after, "test/psnr_input": before } = test;
    const gained = after == null || before == null ? NO_VALUE : gain(after - before);
    facts.push(["Test split", `${gained} over the input, by ${test.snapshot}`]);
  }
  if (hardware) facts.push(["Hardware", hardwareDetails(hardware)]);
  return facts;
}

/**
 * "GPU 97 %, 12.1 GB, 61 °C · CPU 1.8 of 2 cores · 1.2 GB of memory"
 * @param {Hardware} hardware
 */
export function hardwareDetails({ cpu, cores, rss, gpus }) {
  const cards = gpus.map(({ utilisation, memory_used, temperature }, index) => {
    const name = gpus.length > 1 ? `GPU ${index}` : "GPU";
    const load = percentage(utilisation ?? 0);
    return `${name} ${load}, ${bytes(memory_used)}, ${temperature ?? NO_VALUE} °C`;
  });
  const processor = `CPU ${decimals(cpu / 100, 1)} of ${cores} cores`;
  return [...cards, processor, `${bytes(rss)} of memory`].join(" · ");
}
