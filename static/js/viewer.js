// The pictures of a test in one viewer: side by side, or two of them with a slider; shared zoom.
import { element } from "./dom.js";

const NAMES = { input: "Input", output: "Output", target: "Ground truth" };

/** Fill the holder with the pictures of a `sample` event. */
export function viewer(holder, sample) {
  const roles = ["input", "output", "target"].filter((role) => sample[role]);
  const figures = roles.map((role) => figure(role, sample[role]));
  const stage = element("div", { class: "side-by-side" }, ...figures);
  const split = splitter(sample);
  holder.replaceChildren(tools(holder, stage, split, figures), stage, split);
  split.hidden = true;
}

function figure(role, source) {
  const image = element("img", { src: source, alt: NAMES[role], "data-role": role });
  return element("figure", {}, element("div", { class: "pane" }, image), element("figcaption", {}, NAMES[role], " ", element("a", { href: source, download: `${role}.png` }, "PNG")));
}

/** Output over input, cut at a slider. */
function splitter(sample) {
  const over = element("img", { src: sample.output, alt: "Output", class: "over" });
  const slider = element("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Where input ends and output begins" });
  const cut = () => over.style.setProperty("--cut", `${slider.value}%`);
  slider.addEventListener("input", cut);
  cut();
  return element("div", { class: "split" }, element("div", { class: "pane" }, element("img", { src: sample.input, alt: "Input" }), over), slider, element("p", { class: "quiet" }, "Input on the left, output on the right."));
}

function tools(holder, stage, split, figures) {
  const mode = element("button", { type: "button", "aria-pressed": "false" }, "Slider");
  mode.addEventListener("click", () => {
    split.hidden = !split.hidden;
    stage.hidden = !split.hidden;
    mode.setAttribute("aria-pressed", String(!split.hidden));
  });
  let zoom = 1;
  const set = (value) => {
    zoom = Math.min(Math.max(value, 1), 16);
    holder.style.setProperty("--zoom", zoom);
    shown.textContent = `${zoom}×`;
  };
  const shown = element("span", { class: "quiet" }, "1×");
  const blink = (on) => {
    const [input, output] = figures.map((one) => one.querySelector("img"));
    output.src = on ? input.src : figures[1].querySelector("a").href;
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select, textarea")) return;
    if (event.key === "+") set(zoom * 2);
    if (event.key === "-") set(zoom / 2);
    if (event.key === "0") set(1);
    if (event.key === "b" && !event.repeat) blink(true);
  });
  document.addEventListener("keyup", (event) => event.key === "b" && blink(false));
  syncScroll([...figures, split].map((one) => one.querySelector(".pane")));
  return element(
    "div",
    { class: "tools" },
    mode,
    element("button", { type: "button", "aria-label": "Zoom out", onclick: () => set(zoom / 2) }, "−"),
    element("button", { type: "button", "aria-label": "Zoom in", onclick: () => set(zoom * 2) }, "+"),
    shown,
    element("span", { class: "quiet keys" }, "Keys: + − 0 zoom, b blinks output to input"),
  );
}

function syncScroll(panes) {
  for (const pane of panes) {
    pane.addEventListener("scroll", () => {
      for (const other of panes) {
        if (other !== pane) other.scrollTo(pane.scrollLeft, pane.scrollTop);
      }
    });
  }
}
