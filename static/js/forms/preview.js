// What a training would be, shown beside the form while it is filled in. The server computes, here it is drawn.
import { at } from "../base/address.js";
import { element } from "../base/dom.js";
import { count, seconds } from "../base/format.js";
import { nested } from "./form_values.js";
import { drawing } from "./graph.js";
import { rateCurve } from "../charts/ratecurve.js";

const DELAY_MS = 250;
const AGAIN_MS = 3000;

const form = document.querySelector("#model-form");
const aside = document.querySelector("#preview");
const find = (name) => aside.querySelector(`[data-part="${name}"]`);
const showRate = rateCurve(find("rate"));

let timer = 0;
let turn = 0;
let asked = "";
let drawn = "";

form.addEventListener("input", forget);
form.addEventListener("input", later);
form.addEventListener("change", later);
ask();

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY_MS);
}

async function ask() {
  const values = nested([...new FormData(form)]);
  const question = JSON.stringify(values);
  if (question === asked) return;
  asked = question;
  const mine = ++turn;
  const answer = await fetch(at("/api/v1/models/preview"), { method: "POST", headers: { "Content-Type": "application/json" }, body: question }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (mine !== turn) return;
  find("silence").hidden = Boolean(answer?.ok);
  if (answer?.ok) return show(told);
  asked = "";
  timer = setTimeout(ask, AGAIN_MS);
}

/** What the server found wrong with a field does not hold any more once it is changed. */
function forget({ target }) {
  const holder = target.closest(".field");
  holder?.querySelector(".error:not(.live)")?.remove();
  holder?.classList.remove("wrong");
  target.removeAttribute("aria-invalid");
}

function show(told) {
  showNetwork(told.network);
  find("notes").replaceChildren(...told.notes.map((note) => element("li", {}, note)));
  find("rate").hidden = !told.rate;
  if (told.rate) showRate(told.rate);
  const warning = find("warning");
  warning.hidden = !told.rate?.warning;
  say(warning.querySelector("p"), told.rate?.warning ?? "");
  find("guess").textContent = told.rate?.note ?? "";
  find("run").replaceChildren(...facts(runOf(told)));
  find("sweep").hidden = told.jobs === 1;
  say(find("sweep"), `A sweep: ${told.jobs} trainings, compared on one page.`);
  form.querySelector('button[type="submit"]').textContent = told.jobs > 1 ? `Start ${told.jobs} trainings` : "Start training";
  showProblems(told.problems);
  document.dispatchEvent(new CustomEvent("lines", { detail: { lines: told.lines, problems: told.problems } }));
}

function showNetwork(network) {
  const same = JSON.stringify(network);
  if (same === drawn) return;
  drawn = same;
  find("unknown").hidden = Boolean(network);
  find("paper").textContent = network?.paper ?? "";
  find("network").replaceChildren(...facts(network ? networkOf(network) : []));
  find("graph").replaceChildren(...(network ? [drawing(network)] : []));
}

function networkOf({ parameters, receptive_field: [rows, columns], multiply_adds: cost, identity }) {
  return [
    ["Parameters", count(parameters)],
    ["Receptive field", `${columns}×${rows} px`],
    ["Multiply-adds a pixel", count(cost)],
    ["Can start as identity", identity ? "yes" : "no"],
  ];
}

function runOf({ patches_an_epoch: patches, steps_an_epoch: an_epoch, steps, seconds: time }) {
  return [
    ["Patches an epoch", patches == null ? "–" : count(patches)],
    ["Steps an epoch", an_epoch == null ? "–" : count(an_epoch)],
    ["Steps", steps == null ? "–" : count(steps)],
    ["Time, about", time == null ? "known after a first training" : seconds(time)],
  ];
}

/** What is said aloud is said once. */
function say(holder, words) {
  if (holder.textContent !== words) holder.textContent = words;
}

const facts = (pairs) => pairs.map(([name, words]) => element("div", {}, element("dt", {}, name), element("dd", {}, words)));

/** Each problem at its field. */
function showProblems(problems) {
  for (const old of form.querySelectorAll(".error.live")) {
    old.closest(".field").querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    old.remove();
  }
  for (const [name, text] of Object.entries(problems)) {
    const field = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)].find((one) => !one.matches(":disabled"));
    if (!field) continue;
    const holder = field.closest(".field");
    if (!holder.querySelector(".error")) {
      holder.querySelector(".help").before(element("p", { class: "error live", id: `${field.id}-error` }, text));
      field.setAttribute("aria-invalid", "true");
      const described = new Set((field.getAttribute("aria-describedby") ?? "").split(" "));
      field.setAttribute("aria-describedby", [...described.add(`${field.id}-error`)].join(" ").trim());
    }
    const fold = field.closest("details");
    if (fold) fold.open = true;
  }
}
