// Uploads to a field for a path on the server: "Upload…", and files and folders dropped on it.
import { droppedFiles, planUpload, rateMeter, transferText } from "./batch.js";
import { messageOf } from "../base/api.js";
import { ancestor, element, findAll } from "../base/dom.js";

import { addPath, isTextField, toolRow } from "./path_tools.js";
import { transfer } from "./uploads.js";

/** @import { Attribute } from "../base/dom.js" */
/** @import { Batch, PathKind, UploadItem } from "./batch.js" */
/** @import { TextField } from "./path_tools.js" */
/** @import { Transfer } from "./uploads.js" */

const IMAGES = "image/*,.gz";
/** @type {Record<PathKind, string>} */
const DROPPABLE = {
  file: "a file",
  image: "an image",
  folder: "a folder",
  any: "a file or folder",
};

const FIELDS = '[data-path]:not([data-path="python"])';
for (const field of findAll(document, FIELDS).filter(isTextField)) bind(field);

// A file that is dropped outside a field would replace the page, and discard what was typed.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());

/** @param {TextField} field */
function bind(field) {
  const accepted = /** @type {PathKind} */ (field.dataset.path);
  const holder = ancestor(field, ".field");
  const [label] = field.labels ?? [];
  const acceptsFolders = accepted === "folder" || accepted === "any";
  /** @type {Transfer | null} */
  let running = null;

  label.id ||= `${field.id}-label`;
  if (accepted !== "folder")
    addButton(acceptsFolders ? "Upload file…" : "Upload…", {
      multiple: acceptsFolders,
      accept: accepted === "image" ? IMAGES : null,
    });
  if (acceptsFolders) addButton("Upload folder…", { webkitdirectory: true });
  field.placeholder = `Type a path, or drop ${DROPPABLE[accepted]} here`;

  holder.addEventListener("dragover", (event) =>
    markDrop(event, Boolean(event.dataTransfer?.types.includes("Files"))),
  );
  holder.addEventListener("dragleave", (event) =>
    markDrop(event, event.relatedTarget instanceof Node && holder.contains(event.relatedTarget)),
  );
  holder.addEventListener("drop", async (event) => {
    markDrop(event, false);
    receive(event.dataTransfer ? await droppedFiles(event.dataTransfer).catch(() => []) : []);
  });
  field.addEventListener("input", () => running || showError(""));

  /**
   * @param {string} text
   * @param {Record<string, Attribute>} attributes Of the file input.
   */
  function addButton(text, attributes) {
    const chooser = element("input", { type: "file", ...attributes });
    chooser.addEventListener("change", () => {
      const files = [...(chooser.files ?? [])];
      receive(files.map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      chooser.value = "";
    });
    toolRow(field).append(
      element(
        "button",
        { type: "button", "aria-describedby": label.id, onclick: () => chooser.click() },
        text,
      ),
    );
  }

  /**
   * @param {DragEvent} event
   * @param {boolean} isOver
   */
  function markDrop(event, isOver) {
    event.preventDefault();
    holder.classList.toggle("over", isOver);
  }

  /** @param {UploadItem[]} files */
  async function receive(files) {
    if (running) {
      showError("An upload is running here. Wait for it, or cancel it.");
      return;
    }
    const batch = planUpload(files, accepted);
    if ("problem" in batch) {
      showError(batch.problem);
      return;
    }
    showError("");
    const panel = progressPanel(batch, () => {
      running?.cancel();
      end();
    });
    toolRow(field).after(panel.element);
    field.setCustomValidity("Wait for the upload, or cancel it.");
    const started = transfer(batch, panel);
    running = started;
    function end() {
      running = null;
      field.setCustomValidity("");
      if (panel.element.contains(document.activeElement)) field.focus();
      panel.element.remove();
    }
    try {
      const { path, kind, refused } = await started.done;
      if (running !== started) return;
      end();
      if (accepted === "image" && kind !== "image") {
        showError(`${path.split("/").pop()} is not an image. Give an image.`);
        return;
      }
      addPath(field, path);
      if (refused.length) showError(`Left out of ${batch.name}: ${refusedText(refused)}`);
    } catch (error) {
      if (running !== started) return;
      end();
      showError(messageOf(error));
    }
  }

  /**
   * Show an error at the field, like the errors of the server, or remove it.
   * @param {string} text Empty to remove it.
   */
  function showError(text) {
    const id = `${field.id}-error`;
    document.getElementById(id)?.remove();
    holder.classList.toggle("wrong", Boolean(text));
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    const described = new Set((field.getAttribute("aria-describedby") ?? "").split(" "));
    described.delete("");
    described.delete(id);
    if (text) {
      toolRow(field).after(element("p", { class: "error", id, role: "alert" }, text));
      described.add(id);
    }
    field.setAttribute("aria-describedby", [...described].join(" "));
  }
}

/** @param {string[]} messages */
function refusedText(messages) {
  const more = messages.length > 3 ? ` And ${messages.length - 3} more.` : "";
  return `${messages.slice(0, 3).join(" ")}${more}`;
}

/**
 * Create the panel of an upload: bar, numbers and Cancel. Screen readers announce each quarter.
 * @param {Batch} batch
 * @param {() => void} cancel
 */
function progressPanel({ name, items }, cancel) {
  const total = items.reduce((sum, { file }) => sum + file.size, 0);
  const rate = rateMeter();
  const bar = element("progress", { max: total, value: 0, "aria-label": `Upload of ${name}` });
  const status = element("p", { class: "quiet" }, "Starting…");
  const spoken = element("p", { class: "unseen", role: "status" });
  let quarter = 0;
  return {
    element: element(
      "div",
      { class: "transfer" },
      element("strong", {}, name),
      element("button", { type: "button", onclick: cancel }, "Cancel"),
      bar,
      status,
      spoken,
    ),
    /** @param {number} sent */
    progress(sent) {
      bar.value = sent;
      status.textContent = transferText(sent, total, rate(sent, performance.now()));
      if (Math.floor((4 * sent) / total) === quarter) return;
      quarter = Math.floor((4 * sent) / total);
      spoken.textContent = `${name}: ${25 * quarter} % uploaded`;
    },
    lost() {
      status.textContent = spoken.textContent = "The connection was lost. Trying again…";
    },
  };
}
