// What a run says of itself: its messages as they come, and what it takes to make it again.
import { ask } from "../base/api.js";
import { element } from "../base/dom.js";
import { bytes, count, epochs } from "../base/format.js";

/** A message of the list for an event, null for those that are none. */
export function messageOf(event) {
  switch (event.type) {
    case "message":
      return event.text;
    case "state":
      return `${event.state}${event.reason ? `: ${event.reason}` : ""}`;
    case "resumed":
      return `Goes on from step ${count(event.step)}.`;
    case "snapshot":
      return `Snapshot ${event.name} after epoch ${epochs(event.epoch)}.`;
    default:
      return null;
  }
}

/** Returns `show(events)`, which adds the messages of events that were not shown before. */
export function messagesOf(list) {
  let seq = 0;
  return (events) => {
    for (const event of events) {
      const words = event.seq > seq ? messageOf(event) : null;
      if (words == null) continue;
      seq = event.seq;
      const at = new Date(event.time * 1000);
      list.append(element("li", { class: event.level === "warning" || event.state === "error" ? "wrong" : "" }, element("time", { datetime: at.toISOString(), title: at.toLocaleString() }, at.toLocaleTimeString([], { hour12: false })), " ", words));
    }
  };
}

/** [[name, words], …] of a run's record. */
export function factsOfRecord({ facts, spec }) {
  const { hardware, packages, dataset_hash: hash, device, precision } = facts;
  return [
    ["Seed", spec.seed != null && String(spec.seed)],
    ["Computed by", device && `${device}, ${precision}`],
    ["Machine", hardware && `${hardware.processor}, ${hardware.cores} cores, ${bytes(hardware.memory)}, ${hardware.system}`],
    ["Packages", packages && Object.entries(packages).map((parts) => parts.join(" ")).join(", ")],
    ["Datasets, SHA-256", hash && (typeof hash === "string" ? hash : JSON.stringify(hash))],
  ].filter(([, words]) => words);
}

/** Fill the record once it is unfolded. */
export function recordOf(details, job) {
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    const record = await ask(`/jobs/${job}/record`).catch((error) => ({ facts: {}, spec: {}, command: error.message }));
    details.querySelector("dl").replaceChildren(...factsOfRecord(record).map(([name, words]) => element("div", {}, element("dt", {}, name), element("dd", {}, words))));
    details.querySelector("pre").textContent = record.command;
  });
}
