// Buttons that copy a part of GET /api/v1/jobs/<id>/record: data-copy="command" or "record".
import { messageOf, request } from "./api.js";
import { element, findAll } from "./dom.js";

/** @import { RunRecord } from "./types.js" */

const FEEDBACK_MS = 2000;

/**
 * Bind the page's copy buttons to a job.
 * @param {string} job The job's id.
 */
export function bindCopyButtons(job) {
  for (const button of findAll(document, "[data-copy]")) {
    const label = button.textContent;
    button.addEventListener("click", async () => {
      try {
        /** @type {RunRecord} */
        const record = await request(`/jobs/${job}/record`);
        await copy(
          button.dataset.copy === "command" ? record.command : JSON.stringify(record.spec, null, 1),
        );
        button.textContent = "Copied";
      } catch (error) {
        button.textContent = `Not copied: ${messageOf(error)}`;
      }
      setTimeout(() => (button.textContent = label), FEEDBACK_MS);
    });
  }
}

/**
 * Copy a text to the clipboard. Browsers offer `navigator.clipboard` only to secure origins; over
 * plain HTTP from another machine, `execCommand` is the only way.
 * @param {string} text
 */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = element("textarea", { class: "unseen" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
