// The preview of a training next to its form: the server computes it while the form is filled in.
import { post } from "../base/api.js";
import {
  ancestor,
  definitions,
  element,
  find,
  findAll,
  isField,
  targetWithin,
} from "../base/dom.js";
import { count, seconds } from "../base/format.js";
import { nested } from "./form_values.js";
import { drawing } from "./graph.js";
import { rateCurve } from "../charts/ratecurve.js";

/** @import { RequestError } from "../base/api.js" */
/** @import { Preview, PreviewNetwork } from "../base/types.js" */

const DELAY_MS = 250;
const RETRY_MS = 3000;

const form = find(document, "#model-form", HTMLFormElement);
const aside = find(document, "#preview");
const nameField = find(form, '[name="name"]', HTMLInputElement);
const part = (/** @type {string} */ name) => find(aside, `[data-part="${name}"]`);
const showRate = rateCurve(part("rate"));

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let latest = 0;
let requested = "";
let drawn = "";
let checked = "";

form.addEventListener("input", removeError);
form.addEventListener("input", updateSoon);
form.addEventListener("change", updateSoon);
update();

function updateSoon() {
  clearTimeout(timer);
  timer = setTimeout(update, DELAY_MS);
}

async function update() {
  const values = nested([...new FormData(form)]);
  const needed = JSON.stringify(values);
  if (needed === requested) return;
  requested = needed;
  const turn = ++latest;
  /** @type {Preview | null} */
  const preview = await post("/models/preview", values).catch(() => null);
  if (turn !== latest) return;
  part("silence").hidden = Boolean(preview);
  if (preview) {
    show(preview);
    checkStartFile(values, preview);
    return;
  }
  requested = "";
  timer = setTimeout(update, RETRY_MS);
}

/**
 * Show what the network takes from the weights file, once both are chosen.
 * @param {Record<string, any>} values
 * @param {Preview} preview
 */
async function checkStartFile(values, { problems }) {
  const { start_file: file, network, dataset, channels } = values;
  const needed = JSON.stringify([file, network, dataset, channels, problems]);
  if (needed === checked) return;
  checked = needed;
  const texts =
    file && !Object.keys(problems).length
      ? await post("/models/start-file", values).then(({ sentences }) => sentences, reasons)
      : [];
  if (needed !== checked) return;
  part("start").replaceChildren(
    ...texts.map((/** @type {string} */ text) => element("li", {}, text)),
  );
}

/**
 * What is wrong with the weights file; other problems are shown at their fields.
 * @param {RequestError} error
 */
const reasons = ({ fields }) => ("start_file" in fields ? [fields.start_file] : []);

/**
 * Remove the error that the server reported for a field: the field was changed.
 * @param {Event} event
 */
function removeError(event) {
  const holder = targetWithin(event, ".field");
  holder?.querySelector(".error:not(.live)")?.remove();
  holder?.classList.remove("wrong");
  if (isField(event.target)) event.target.removeAttribute("aria-invalid");
}

/** @param {Preview} preview */
function show(preview) {
  const { network, rate, jobs, notes, problems, lines } = preview;
  suggestName(preview.name);
  showNetwork(network);
  part("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
  part("rate").hidden = !rate;
  if (rate) showRate(rate);
  const warning = part("warning");
  warning.hidden = !rate?.warning;
  announce(find(warning, "p"), rate?.warning ?? "");
  part("guess").textContent = rate?.note ?? "";
  part("run").replaceChildren(...definitions(runFacts(preview)));
  part("sweep").hidden = jobs === 1;
  announce(part("sweep"), `A sweep: ${jobs} trainings, compared on one page.`);
  find(form, 'button[type="submit"]').textContent =
    jobs > 1 ? `Start ${jobs} trainings` : "Start training";
  showProblems(problems);
  document.dispatchEvent(new CustomEvent("lines", { detail: { lines, problems } }));
}

/**
 * Fill in a name, unless a user has typed one.
 * @param {string} name
 */
function suggestName(name) {
  if (nameField.value === form.dataset.suggested) nameField.value = name;
  form.dataset.suggested = name;
}

/** @param {PreviewNetwork | null} network */
function showNetwork(network) {
  const needed = JSON.stringify(network);
  if (needed === drawn) return;
  drawn = needed;
  part("unknown").hidden = Boolean(network);
  part("paper").textContent = network?.paper ?? "";
  part("network").replaceChildren(...definitions(network ? networkFacts(network) : []));
  part("graph").replaceChildren(...(network ? [drawing(network)] : []));
}

/**
 * @param {PreviewNetwork} network
 * @returns {[string, string][]}
 */
function networkFacts({ parameters, receptive_field, multiply_adds, identity }) {
  const [rows, columns] = receptive_field;
  return [
    ["Parameters", count(parameters)],
    ["Receptive field", `${columns}×${rows} px`],
    ["Multiply-adds per pixel", count(multiply_adds)],
    ["Can start as identity", identity ? "yes" : "no"],
  ];
}

/**
 * @param {Preview} preview
 * @returns {[string, string][]}
 */
function runFacts({ patches_an_epoch, steps_an_epoch, steps, seconds: duration }) {
  return [
    ["Patches per epoch", count(patches_an_epoch)],
    ["Steps per epoch", count(steps_an_epoch)],
    ["Steps", count(steps)],
    ["Estimated time", duration == null ? "known after a first training" : seconds(duration)],
  ];
}

/**
 * Set the text of a live region. Screen readers announce every change: an equal text is not set.
 * @param {HTMLElement} holder
 * @param {string} text
 */
function announce(holder, text) {
  if (holder.textContent !== text) holder.textContent = text;
}

/**
 * Show each problem at its field.
 * @param {Record<string, string>} problems
 */
function showProblems(problems) {
  for (const error of findAll(form, ".error.live")) {
    ancestor(error, ".field").querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    error.remove();
  }
  for (const [name, text] of Object.entries(problems)) {
    const fields = findAll(form, `[name="${CSS.escape(name)}"]`);
    const field = fields.find((candidate) => !candidate.matches(":disabled"));
    if (!field) continue;
    const holder = ancestor(field, ".field");
    if (!holder.querySelector(".error")) {
      const id = `${field.id}-error`;
      find(holder, ".help").before(element("p", { class: "error live", id }, text));
      field.setAttribute("aria-invalid", "true");
      const described = new Set((field.getAttribute("aria-describedby") ?? "").split(" "));
      field.setAttribute("aria-describedby", [...described.add(id)].join(" ").trim());
    }
    const fold = field.closest("details");
    if (fold) fold.open = true;
  }
}
