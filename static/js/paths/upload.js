// "Upload…", and files and folders that are dropped onto a field for a path of the server.
import { dropped, meter, plan, transferWords } from "./batch.js";
import { element } from "../base/dom.js";
import { addPath, tools } from "./path_tools.js";
import { transfer } from "./transfer.js";

const IMAGES = "image/*,.gz";
const DROPPABLE = { file: "a file", image: "an image", folder: "a folder", any: "a file or folder" };

for (const input of document.querySelectorAll('[data-path]:not([data-path="python"])')) equip(input);

// What is dropped beside a field must not take the place of the page, and of all that was typed.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());

function equip(input) {
  const wanted = input.dataset.path;
  const field = input.closest(".field");
  const label = input.labels[0];
  const folders = wanted === "folder" || wanted === "any";
  let running = null;

  label.id ||= `${input.id}-label`;
  if (wanted !== "folder") offer(folders ? "Upload file…" : "Upload…", { multiple: folders, accept: wanted === "image" ? IMAGES : null });
  if (folders) offer("Upload folder…", { webkitdirectory: true });
  input.placeholder = `Type a path, or drop ${DROPPABLE[wanted]} here`;

  field.addEventListener("dragover", (event) => mark(event, event.dataTransfer.types.includes("Files")));
  field.addEventListener("dragleave", (event) => mark(event, field.contains(event.relatedTarget)));
  field.addEventListener("drop", async (event) => {
    mark(event, false);
    receive(await dropped(event.dataTransfer).catch(() => []));
  });
  input.addEventListener("input", () => running || showError(""));

  function offer(words, attributes) {
    const chooser = element("input", { type: "file", ...attributes });
    chooser.addEventListener("change", () => {
      receive([...chooser.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      chooser.value = "";
    });
    tools(input).append(element("button", { type: "button", "aria-describedby": label.id, onclick: () => chooser.click() }, words));
  }

  function mark(event, over) {
    event.preventDefault();
    field.classList.toggle("over", over);
  }

  async function receive(files) {
    if (running) return showError("A file is being uploaded here. Wait for it, or cancel it.");
    const batch = plan(files, wanted);
    if (batch.problem) return showError(batch.problem);
    showError("");
    const panel = progressPanel(batch, () => end(running.cancel()));
    tools(input).after(panel.whole);
    input.setCustomValidity("Wait for the upload, or cancel it.");
    const mine = transfer(batch, panel);
    running = mine;
    function end() {
      running = null;
      input.setCustomValidity("");
      if (panel.whole.contains(document.activeElement)) input.focus();
      panel.whole.remove();
    }
    try {
      const { path, kind, refused } = await mine.done;
      if (running !== mine) return;
      end();
      if (wanted === "image" && kind !== "image") return showError(`${path.split("/").pop()} is no image. An image is wanted here.`);
      addPath(input, path);
      if (refused.length) showError(`Left out of ${batch.name}: ${refused.slice(0, 3).join(" ")}${refused.length > 3 ? ` And ${refused.length - 3} more.` : ""}`);
    } catch (error) {
      if (running !== mine) return;
      end();
      showError(error.message);
    }
  }

  /** What is wrong stands at the field, as what the server finds wrong with a form does. */
  function showError(text) {
    const id = `${input.id}-error`;
    const shown = document.getElementById(id);
    field.classList.toggle("wrong", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    shown?.remove();
    const described = new Set((input.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one && one !== id));
    if (text) {
      tools(input).after(element("p", { class: "error", id, role: "alert" }, text));
      described.add(id);
    }
    input.setAttribute("aria-describedby", [...described].join(" "));
  }
}

/** Bar, numbers and Cancel; those who listen hear of every quarter only. */
function progressPanel({ name, items }, cancel) {
  const total = items.reduce((sum, { file }) => sum + file.size, 0);
  const rate = meter();
  const bar = element("progress", { max: total, value: 0, "aria-label": `Upload of ${name}` });
  const words = element("p", { class: "quiet" }, "Beginning…");
  const spoken = element("p", { class: "unseen", role: "status" });
  let quarter = 0;
  return {
    whole: element("div", { class: "transfer" }, element("strong", {}, name), element("button", { type: "button", onclick: cancel }, "Cancel"), bar, words, spoken),
    progress(sent) {
      bar.value = sent;
      words.textContent = transferWords(sent, total, rate(sent, performance.now()));
      if (Math.floor((4 * sent) / total) === quarter) return;
      quarter = Math.floor((4 * sent) / total);
      spoken.textContent = `${name}: ${25 * quarter} % uploaded`;
    },
    lost() {
      words.textContent = spoken.textContent = "The connection was lost. Trying again…";
    },
  };
}
