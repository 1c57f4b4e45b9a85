// The preview of a dataset next to its form: what its sources contain and whether they match.
import { messageOf, post, RequestError } from "../base/api.js";
import { ancestor, element, find, findAll, findOptional, isField, svg } from "../base/dom.js";
import { bytes, count, decibel, rounded, seconds } from "../base/format.js";
import { fieldOf, showFieldErrors } from "./field_errors.js";
import { nested, suggestedName } from "./form_values.js";
import { viewer } from "../viewer/viewer.js";

/** @import { Alignment, Probe } from "../base/types.js" */
/** @import { Values } from "./form_values.js" */

const DELAY_MS = 400;

const form = find(document, "#dataset-form", HTMLFormElement);
const panel = find(document, "#probe");
const aside = ancestor(panel, "aside");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let latest = 0;
let requested = "";
/** What the server knows to fail with the values of `requested`; empty if it knows nothing. */
let refusals = "";
/** The name that was suggested last. */
let suggestion = "";

form.addEventListener("input", updateSoon);
form.addEventListener("change", updateSoon);
form.addEventListener("submit", refuse);
// A user may have corrected the files in another window.
window.addEventListener("focus", () => {
  if (!refusals) return;
  requested = "";
  updateSoon();
});
updateSoon();

function updateSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => update(), DELAY_MS);
}

/** Whether all required fields have a value; the name does not matter. */
const isComplete = () =>
  findAll(form, "[required]")
    .filter(isField)
    .every((field) => field.name === "name" || field.matches(":disabled") || field.value.trim());

/**
 * A form that the server knows to fail is not sent: its reasons are shown at the sources.
 * @param {SubmitEvent} event
 */
function refuse(event) {
  const values = nested([...new FormData(form)]);
  delete values.name;
  if (!refusals || JSON.stringify(values) !== requested) return;
  event.preventDefault();
  const [name] = findAll(form, '[name^="source."][data-path]:enabled').slice(-1);
  const last = name?.getAttribute("name") ?? "";
  showFieldErrors(form, { [last]: refusals });
  fieldOf(form, last)?.field.focus();
}

/** @param {boolean} thorough Whether all frames are compared. */
async function update(thorough = false) {
  const values = nested([...new FormData(form)]);
  suggestName(values.source);
  delete values.name;
  const needed = JSON.stringify(values);
  if (!isComplete() || (needed === requested && !thorough)) return;
  requested = needed;
  refusals = "";
  const turn = ++latest;
  aside.setAttribute("aria-busy", "true");
  const response = await post("/probe", thorough ? { ...values, thorough } : values).then(
    (/** @type {Probe} */ probe) => ({ probe }),
    (/** @type {unknown} */ error) => ({ error }),
  );
  if (turn !== latest) return;
  aside.setAttribute("aria-busy", "false");
  if ("probe" in response) show(response.probe);
  else showErrors(response.error);
}

/**
 * Fill in a name from the files, unless a user has typed one.
 * @param {Values | undefined} source
 */
function suggestName(source) {
  const field = find(form, '[name="name"]', HTMLInputElement);
  if (field.value !== suggestion) return;
  suggestion = suggestedName(source);
  field.value = suggestion;
}

/** @param {unknown} error */
function showErrors(error) {
  const errors = error instanceof RequestError ? error.fields : {};
  showFieldErrors(form, errors);
  const messages = Object.entries(errors).map(
    ([name, text]) => `${fieldOf(form, name)?.label ?? name}: ${text}`,
  );
  panel.replaceChildren(notice("bad", messages.length ? messages : [messageOf(error)]));
}

/** @param {Probe} probe */
function show(probe) {
  const { problems, warnings, sequences, rates, first, alignment, skipped } = probe;
  refusals = problems.join(" ");
  showFieldErrors(form, {});
  const parts = [
    problems.length ? notice("bad", problems) : null,
    warnings.length ? notice("warn", warnings, offsetButton(alignment)) : null,
    problems.length || warnings.length
      ? null
      : element("p", { class: "fits" }, "✓ ", matchText(probe)),
    sequences.length ? sequenceList(probe) : null,
    estimateText(probe),
    rates ? rateTable(rates) : null,
    first ? element("h3", {}, firstPairTitle(first)) : null,
    first ? firstPair(first, probe.target_size) : null,
    alignment ? alignmentChart(alignment) : null,
    skipped.length ? skippedList(skipped) : null,
  ];
  panel.replaceChildren(...parts.filter((part) => part != null));
}

/**
 * @param {"bad" | "warn"} kind
 * @param {string[]} sentences
 * @param {HTMLElement | null} [more]
 */
const notice = (kind, sentences, more) =>
  element(
    "div",
    { class: `notice ${kind}`, role: kind === "bad" ? "alert" : null },
    ...sentences.map((text) => element("p", {}, text)),
    more,
  );

/** @param {Probe} probe */
function matchText({ rates, counted, frames, originals, target_size, alignment }) {
  const about = counted ? "" : "about ";
  const size = (target_size ?? "").replace("x", "×");
  if (rates) return `${about}${count(originals)} originals, ${size}`;
  const aligned = alignment ? `, aligned at offset ${alignment.best}` : "";
  const counts = `${about}${count(frames)} inputs and ${count(originals)} originals`;
  return `${counts}, both ${size}${aligned}`;
}

/**
 * The button that sets the offset at which the frames match; null if it is set.
 * @param {Alignment | undefined} alignment
 */
function offsetButton(alignment) {
  const field = findOptional(form, '[name="source.offset"]:enabled', HTMLInputElement);
  if (!alignment || !field || Number(field.value || 0) === alignment.best) return null;
  const setOffset = () => {
    field.value = String(alignment.best);
    ancestor(field, "details", HTMLDetailsElement).open = true;
    updateSoon();
  };
  return element("button", { type: "button", onclick: setOffset }, `Use offset ${alignment.best}`);
}

/** @param {Probe} probe */
function sequenceList({ sequences }) {
  const rows = sequences.map(({ name, input, inputs, original, originals }) => {
    const video = input ?? original;
    const facts = video
      ? [
          video.codec === "h264" ? `H.264 ${video.profile}` : video.codec,
          `${video.width}×${video.height}`,
          video.pixel_format,
          video.colour,
          video.frame_rate && `${rounded(video.frame_rate, 2)}/s`,
          video.bit_rate && `${bytes(video.bit_rate / 8)}/s`,
          video.rate,
        ]
      : ["images"];
    const guessed = [input, original].some((side) => side?.counted === false);
    const about = guessed ? "about " : "";
    const counts =
      inputs === undefined
        ? `${about}${count(originals)} originals`
        : `${about}${count(inputs)} inputs, ${count(originals)} originals`;
    return element(
      "li",
      {},
      element("strong", {}, name),
      element("span", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
      element("span", {}, counts),
    );
  });
  return element("ul", { class: "sources" }, ...rows);
}

/** @param {Probe} probe */
function estimateText({ estimate, free }) {
  if (!estimate) return null;
  const time = seconds(Math.max(1, estimate.seconds));
  const needed = `${bytes(estimate.bytes)} and ${time} for ${count(estimate.pairs)} pairs`;
  const text = `Needs about ${needed}; ${bytes(free)} are free.`;
  return free != null && estimate.bytes > free
    ? notice("bad", [text, "Free disk space, use fewer frames, or choose a smaller encoding."])
    : element("p", { class: "quiet" }, text);
}

/** @param {NonNullable<Probe["rates"]>} rates */
function rateTable(rates) {
  const rows = rates.map(({ name, psnr, bytes_a_frame }) =>
    element(
      "tr",
      {},
      element("td", {}, name),
      element("td", { class: "number" }, decibel(psnr)),
      element("td", { class: "number" }, bytes(bytes_a_frame)),
    ),
  );
  const head = element(
    "tr",
    {},
    ...["Rate", "PSNR", "per frame"].map((text, index) =>
      element("th", { class: index ? "number" : null }, text),
    ),
  );
  return element(
    "table",
    { class: "narrow" },
    element("thead", {}, head),
    element("tbody", {}, ...rows),
  );
}

/** @param {NonNullable<Probe["first"]>} pair */
function firstPairTitle({ psnr }) {
  if (psnr === undefined) return "First pair";
  return `First pair: ${psnr === null ? "equal" : decibel(psnr)}`;
}

/**
 * @param {NonNullable<Probe["first"]>} pair
 * @param {string} [size] Such as 352x288.
 */
function firstPair({ input, target }, size = "") {
  const holder = element("div", { class: "first-pair" });
  const [width, height] = size.split("x").map(Number);
  viewer(holder, [
    { role: "input", label: "Input", url: input, width, height },
    { role: "target", label: "Original", url: target },
  ]);
  return holder;
}

/**
 * The PSNR at each offset as bars; the best one is marked.
 * @param {Alignment} alignment
 */
function alignmentChart({ offsets, psnr, best, frames, whole }) {
  const finite = psnr.filter((value) => value !== null);
  const [low, high] = [Math.min(...finite) - 2, Math.max(...finite)];
  const chart = svg("svg", {
    viewBox: "0 0 340 72",
    class: "offsets",
    role: "img",
    "aria-label": `PSNR by frame offset: best at ${best}`,
  });
  offsets.forEach((offset, index) => {
    const value = psnr[index];
    const height = value === null ? 0 : (50 * (value - low)) / Math.max(high - low, 0.1);
    const label = svg(
      "text",
      { x: index * 20 + 10, y: 68, "text-anchor": "middle" },
      offset > 0 ? `+${offset}` : String(offset),
    );
    label.append(
      svg("title", {}, `offset ${offset}: ${value === null ? "no pair" : decibel(value)}`),
    );
    const bar = svg("rect", {
      x: index * 20 + 3,
      y: 54 - height,
      width: 14,
      height,
      class: offset === best ? "best" : "",
    });
    chart.append(bar, label);
  });
  const compared = whole
    ? `all ${count(frames)} frames compared`
    : `the first ${count(frames)} frames compared`;
  const compareAll = whole
    ? null
    : element("button", { type: "button", onclick: () => update(true) }, "Compare all");
  return element(
    "figure",
    { class: "alignment" },
    element("figcaption", {}, `PSNR by frame offset; ${compared} `, compareAll),
    chart,
  );
}

/** @param {Probe["skipped"]} skipped */
function skippedList(skipped) {
  return element(
    "details",
    {},
    element("summary", {}, `${count(skipped.length)} left out`),
    element("ul", {}, ...skipped.map(({ name, why }) => element("li", {}, `${name}: ${why}`))),
  );
}
