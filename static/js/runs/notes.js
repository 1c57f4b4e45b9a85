// The messages of a job's log, as a list on its page.
import { request } from "../base/api.js";
import { element } from "../base/dom.js";

/** @import { EventList, Job, LogMessageEvent } from "../base/types.js" */

/** @param {LogMessageEvent} message */
const item = ({ text, level }) => element("li", { class: level }, text);

/**
 * @param {HTMLElement} list
 * @param {LogMessageEvent} message
 */
export function addNote(list, message) {
  list.append(item(message));
  list.hidden = false;
}

/** @param {HTMLElement} list */
export function clearNotes(list) {
  list.replaceChildren();
  list.hidden = true;
}

/**
 * Put the messages before the others that the log had when the server made the page.
 * @param {HTMLElement} list
 * @param {Job} job As in the page.
 */
export async function showEarlierNotes(list, { id, seq }) {
  /** @type {EventList} */
  const { events } = await request(`/jobs/${id}/events?type=message,state`);
  const earlier = events.filter((event) => event.seq <= seq);
  const start = earlier.findLastIndex(
    (event) => event.type === "state" && event.state === "running",
  );
  const messages = earlier.slice(start + 1).filter((event) => event.type === "message");
  if (!messages.length) return;
  list.prepend(...messages.map(item));
  list.hidden = false;
}
