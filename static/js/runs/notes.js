// The messages of a job's log, as a list on its page. The server sends the earlier ones.
import { element } from "../base/dom.js";

/** @import { LogMessageEvent } from "../base/types.js" */

/**
 * @param {HTMLElement} list
 * @param {LogMessageEvent} message
 */
export function addNote(list, { text, level }) {
  list.append(element("li", { class: level }, text));
  list.hidden = false;
}

/** @param {HTMLElement} list */
export function clearNotes(list) {
  list.replaceChildren();
  list.hidden = true;
}
