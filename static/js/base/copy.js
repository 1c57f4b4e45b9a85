// Buttons that copy something about a job: data-copy="command" or "record", of GET /api/v1/jobs/<id>/record.
import { ask } from "./api.js";
import { element } from "./dom.js";

const SAID_MS = 2000;

/** Make the page's copy buttons work for a job. */
export function copyButtons(job) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const label = button.textContent;
    button.addEventListener("click", async () => {
      try {
        const record = await ask(`/jobs/${job}/record`);
        await copy(button.dataset.copy === "command" ? record.command : JSON.stringify(record.spec, null, 1));
        button.textContent = "Copied";
      } catch (error) {
        button.textContent = `Not copied: ${error.message}`;
      }
      setTimeout(() => (button.textContent = label), SAID_MS);
    });
  }
}

/** Put a text where it can be pasted from; browsers give pages of plain http from other machines the old way only. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = element("textarea", { class: "unseen" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
