// A run's live messages, and its record: what is needed to reproduce it.
import { messageOf, request } from "../base/api.js";
import { definitions, element, find } from "../base/dom.js";
import { bytes, count, epoch } from "../base/format.js";

/** @import { JobEvent, RunRecord } from "../base/types.js" */

/**
 * The message of an event; null if it has none.
 * @param {JobEvent} event
 * @returns {string | null}
 */
export function eventText(event) {
  switch (event.type) {
    case "message":
      return event.text;
    case "state":
      return `${event.state}${event.reason ? `: ${event.reason}` : ""}`;
    case "resumed":
      return `Resumed from step ${count(event.step)}.`;
    case "snapshot":
      return `Snapshot ${event.name} after epoch ${epoch(event.epoch)}.`;
    default:
      return null;
  }
}

/**
 * Fill a list with messages.
 * @param {HTMLElement} list
 * @returns {(events: JobEvent[]) => void} Adds the messages of events that were not added before.
 */
export function messageList(list) {
  let seq = 0;
  return (events) => {
    for (const event of events) {
      const text = event.seq > seq ? eventText(event) : null;
      if (text == null) continue;
      seq = event.seq;
      const time = new Date(event.time * 1000);
      list.append(
        element(
          "li",
          { class: isProblem(event) ? "wrong" : "" },
          element(
            "time",
            { datetime: time.toISOString(), title: time.toLocaleString() },
            time.toLocaleTimeString([], { hour12: false }),
          ),
          " ",
          text,
        ),
      );
    }
  };
}

/** @param {JobEvent} event */
const isProblem = (event) =>
  (event.type === "message" && event.level === "warning") ||
  (event.type === "state" && event.state === "error");

/**
 * The facts of a record that are known.
 * @param {Pick<RunRecord, "facts" | "spec">} record
 * @returns {[term: string, text: string][]}
 */
export function recordFacts({ facts, spec }) {
  const { hardware, packages, dataset_hash: hash, device, precision } = facts;
  /** @type {[term: string, text: string][]} */
  const known = [];
  if (spec.seed != null) known.push(["Seed", String(spec.seed)]);
  if (device) known.push(["Device", `${device}, ${precision}`]);
  if (hardware) {
    const { processor, cores, memory, system } = hardware;
    known.push(["Machine", `${processor}, ${cores} cores, ${bytes(memory)}, ${system}`]);
  }
  if (packages) {
    const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
    known.push(["Packages", versions.join(", ")]);
  }
  if (hash)
    known.push(["Datasets, SHA-256", typeof hash === "string" ? hash : JSON.stringify(hash)]);
  return known;
}

/**
 * Fill in a job's record when its `<details>` are opened.
 * @param {HTMLDetailsElement} details
 * @param {string} job The job's id.
 */
export function fillRecord(details, job) {
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    /** @type {RunRecord} */
    const record = await request(`/jobs/${job}/record`).catch((error) => ({
      facts: {},
      spec: {},
      command: messageOf(error),
    }));
    find(details, "dl").replaceChildren(...definitions(recordFacts(record)));
    find(details, "pre").textContent = record.command;
  });
}
