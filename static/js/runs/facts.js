// What a training is made of, in words: the `facts` and `hardware` events.
import { bytes, count, gain, percent } from "../base/format.js";

/** [[name, words], …] of what is known so far. */
export function factsOf(summary, hardware) {
  const { parameters, receptive_field: field, multiply_adds: cost, device, precision, placement } = summary;
  const facts = [
    ["Parameters", parameters != null && count(parameters)],
    ["Receptive field", field && `${field[1]}×${field[0]} px`],
    ["Multiply-adds", cost != null && `${count(cost)} a pixel`],
    ["Computed by", device && `${device}, ${precision}`],
    ["Dataset", placement],
    ["Test split", summary.test && `${gain(summary.test["test/psnr"] - summary.test["test/psnr_input"])} over its input, by ${summary.test.snapshot}`],
    ["Hardware", hardware && hardwareWords(hardware)],
  ];
  return facts.filter(([, words]) => words);
}

/** "GPU 97 %, 12.1 GB, 61 °C · CPU 1.8 of 2 cores · 1.2 GB of memory" */
export function hardwareWords({ cpu, cores, rss, gpus }) {
  const cards = gpus.map((gpu, index) => `GPU${gpus.length > 1 ? ` ${index}` : ""} ${percent((gpu.utilisation ?? 0) / 100)}, ${bytes(gpu.memory_used)}, ${gpu.temperature ?? "–"} °C`);
  return [...cards, `CPU ${(cpu / 100).toFixed(1)} of ${cores} cores`, `${bytes(rss)} of memory`].join(" · ");
}
