// What a dataset would be made of, shown beside the form as soon as its sources are named.
import { at } from "../base/address.js";
import { element, svg } from "../base/dom.js";
import { bytes, count, decibel, seconds } from "../base/format.js";
import { nested, suggestedName } from "./form_values.js";
import { viewer } from "../viewer/viewer.js";

const form = document.querySelector("#dataset-form");
const panel = document.querySelector("#probe");
const aside = panel.closest("aside");
const DELAY_MS = 400;

let turn = 0;
let timer = 0;
let asked = "";
let named = "";

form.addEventListener("input", later);
form.addEventListener("change", later);
later();

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => ask(), DELAY_MS);
}

const sent = () => nested([...new FormData(form)]);
const complete = () => [...form.querySelectorAll("[required]")].every((field) => field.name === "name" || field.matches(":disabled") || field.value.trim());

async function ask(thorough = false) {
  const values = sent();
  suggestName(values.source);
  delete values.name;
  const question = JSON.stringify(values);
  if (!complete() || (question === asked && !thorough)) return;
  asked = question;
  const mine = ++turn;
  aside.setAttribute("aria-busy", "true");
  const answer = await fetch(at("/api/v1/probe"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...values, ...(thorough ? { thorough } : {}) }),
  }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (mine !== turn) return;
  aside.setAttribute("aria-busy", "false");
  if (!answer?.ok) showErrors(told?.error);
  else show(told);
}

/** As long as nobody has typed a name, it follows the files. */
function suggestName(source) {
  const field = form.elements.namedItem("name");
  if (field.value !== named) return;
  named = suggestedName(source);
  field.value = named;
}

function showErrors(error) {
  const fields = Object.values(error?.fields ?? {});
  const words = fields.length ? fields : [error?.message ?? "The server does not answer. Is it still running?"];
  panel.replaceChildren(notice("bad", words));
}

function show(told) {
  panel.replaceChildren(
    ...[
      told.problems.length ? notice("bad", told.problems) : null,
      told.warnings.length ? notice("warn", told.warnings, offer(told.alignment)) : null,
      told.problems.length || told.warnings.length ? null : element("p", { class: "fits" }, "✓ ", matchWords(told)),
      told.sequences.length ? sequences(told) : null,
      estimate(told),
      told.rates ? rates(told.rates) : null,
      told.first ? element("h3", {}, "First pair", told.first.psnr === undefined ? "" : `: ${told.first.psnr === null ? "equal" : decibel(told.first.psnr)}`) : null,
      told.first ? firstPair(told.first) : null,
      told.alignment ? alignment(told.alignment) : null,
      told.skipped.length ? skipped(told.skipped) : null,
    ].filter(Boolean),
  );
}

const notice = (kind, sentences, more) => element("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : null }, ...sentences.map((text) => element("p", {}, text)), more);

function matchWords(told) {
  if (told.rates) return `${count(told.originals)} originals, ${told.target_size}`;
  const aligned = told.alignment ? `, aligned at offset ${told.alignment.best}` : "";
  return `${count(told.frames)} inputs and ${count(told.originals)} originals, both ${told.target_size}${aligned}`;
}

/** The button that sets the offset at which the frames match. */
function offer(alignment) {
  const field = form.querySelector('[name="source.offset"]:enabled');
  if (!alignment || !field || Number(field.value || 0) === alignment.best) return null;
  const use = () => {
    field.value = alignment.best;
    field.closest("details").open = true;
    later();
  };
  return element("button", { type: "button", onclick: use }, `Use offset ${alignment.best}`);
}

function sequences(told) {
  const rows = told.sequences.map(({ name, input, inputs, original, originals }) => {
    const video = input ?? original;
    const facts = video
      ? [video.codec === "h264" ? `H.264 ${video.profile}` : video.codec, `${video.width}×${video.height}`, video.pixel_format, video.colour, video.frame_rate && `${Number(video.frame_rate.toFixed(2))}/s`, video.bit_rate && `${bytes(video.bit_rate / 8)}/s`, video.rate]
      : ["images"];
    const counts = inputs === undefined ? `${count(originals)} originals` : `${count(inputs)} inputs, ${count(originals)} originals`;
    return element("li", {}, element("strong", {}, name), element("span", { class: "quiet" }, facts.filter(Boolean).join(" · ")), element("span", {}, counts));
  });
  return element("ul", { class: "sources" }, ...rows);
}

function estimate({ estimate, free }) {
  if (!estimate) return null;
  const short = free != null && estimate.bytes > free;
  const words = `Needs about ${bytes(estimate.bytes)} and ${seconds(Math.max(1, estimate.seconds))} for ${count(estimate.pairs)} pairs; ${bytes(free)} are free.`;
  return short ? notice("bad", [words, "Make room, take fewer frames, or choose a smaller encoding."]) : element("p", { class: "quiet" }, words);
}

function rates(list) {
  const rows = list.map(({ name, psnr, bytes_a_frame }) => element("tr", {}, element("td", {}, name), element("td", { class: "number" }, decibel(psnr)), element("td", { class: "number" }, bytes(bytes_a_frame))));
  const head = element("tr", {}, ...["Rate", "PSNR", "a frame"].map((text, index) => element("th", { class: index ? "number" : null }, text)));
  return element("table", { class: "narrow" }, element("thead", {}, head), element("tbody", {}, ...rows));
}

function firstPair({ input, target }) {
  const holder = element("div", { class: "first-pair" });
  viewer(holder, [
    { role: "input", label: "Input", url: input },
    { role: "target", label: "Original", url: target },
  ]);
  return holder;
}

/** PSNR at each offset, as bars; the best one marked. */
function alignment(found) {
  const known = found.psnr.filter((value) => value !== null);
  const [low, high] = [Math.min(...known) - 2, Math.max(...known)];
  const chart = svg("svg", { viewBox: "0 0 340 72", class: "offsets", role: "img", "aria-label": `PSNR by frame offset: best at ${found.best}` });
  found.offsets.forEach((offset, index) => {
    const value = found.psnr[index];
    const height = value === null ? 0 : (50 * (value - low)) / Math.max(high - low, 0.1);
    chart.append(svg("rect", { x: index * 20 + 3, y: 54 - height, width: 14, height, class: offset === found.best ? "best" : "" }));
    const label = svg("text", { x: index * 20 + 10, y: 68, "text-anchor": "middle" });
    label.textContent = offset > 0 ? `+${offset}` : offset;
    chart.append(label);
    const hint = svg("title", {});
    hint.textContent = `offset ${offset}: ${value === null ? "no pair" : `${value.toFixed(2)} dB`}`;
    chart.lastChild.append(hint);
  });
  const whole = found.whole ? `all ${count(found.frames)} frames compared` : `the first ${count(found.frames)} frames compared`;
  const further = found.whole ? null : element("button", { type: "button", onclick: () => ask(true) }, "Compare all");
  return element("figure", { class: "alignment" }, element("figcaption", {}, `PSNR by frame offset; ${whole} `, further), chart);
}

function skipped(list) {
  return element("details", {}, element("summary", {}, `${count(list.length)} left out`), element("ul", {}, ...list.map(({ name, why }) => element("li", {}, `${name}: ${why}`))));
}
