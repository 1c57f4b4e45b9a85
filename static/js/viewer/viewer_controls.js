// What people do the viewer's bidding with: its buttons, the divider, keys, and the clock of blinking.
import { element } from "../base/dom.js";

export const MODES = { slider: "Slider", side: "Side by side", blink: "Blink", difference: "Difference", error: "Error map" };
const GAINS = [1, 4, 8, 16];
const TOPS = [8, 16, 32, 64];
const BLINK_MS = 600;

/** Buttons for all that can be chosen; `show` brings them up to date. */
export function toolbar(shown, parts, change, moves) {
  const offered = Object.entries(MODES).filter(([mode]) => mode !== "error" || shown.truth >= 0);
  const modes = choices("Way of comparing", Object.fromEntries(offered), (mode) => change({ mode, held: false }));
  const gains = choices("Gain of the difference", Object.fromEntries(GAINS.map((gain) => [gain, `×${gain}`])), (gain) => change({ gain: Number(gain) }));
  const tops = choices("Error shown as the last colour", Object.fromEntries(TOPS.map((top) => [top, `0–${top}`])), (top) => change({ top: Number(top) }));
  const which = whichPictures(shown.pictures, change);
  parts.percent = element("output", { "aria-label": "Zoom" });
  const zoom = element(
    "span",
    { class: "group zoom" },
    element("button", { type: "button", "aria-label": "Zoom out", onclick: () => moves.step(-1) }, "−"),
    parts.percent,
    element("button", { type: "button", "aria-label": "Zoom in", onclick: () => moves.step(1) }, "+"),
    element("button", { type: "button", onclick: moves.fit }, "Fit"),
  );
  parts.tools.replaceChildren(modes.group, which, gains.group, tops.group, zoom);
  return {
    show: () => {
      modes.press(shown.mode);
      gains.press(String(shown.gain));
      gains.group.hidden = shown.mode !== "difference";
      tops.press(String(shown.top));
      tops.group.hidden = shown.mode !== "error";
      which.hidden = shown.pictures.length < 3 || shown.mode === "side";
    },
  };
}

/** A row of buttons, one of them pressed. */
function choices(label, names, choose) {
  const buttons = new Map(Object.entries(names).map(([value, name]) => [value, element("button", { type: "button", onclick: () => choose(value) }, name)]));
  const press = (chosen) => buttons.forEach((button, value) => button.setAttribute("aria-pressed", String(value === chosen)));
  return { group: element("span", { class: "group", role: "group", "aria-label": label }, ...buttons.values()), press };
}

/** Which two of several pictures are compared. */
function whichPictures(pictures, change) {
  const pairs = pictures.flatMap((_, left) => pictures.slice(left + 1).map((_, more) => [left, left + 1 + more]));
  const options = pairs.map(([left, right], index) => element("option", { value: index }, `${pictures[left].label} | ${pictures[right].label}`));
  const choose = (event) => {
    const [left, right] = pairs[event.target.value];
    change({ left, right });
  };
  return element("select", { "aria-label": "Compared pictures", onchange: choose }, ...options);
}

/** The divider follows the pointer and the keys. */
export function slide(divider, shown, glide, change) {
  const held = (cut) => ({ cut: Math.min(Math.max(cut, 0), 1) });
  divider.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    event.stopPropagation();
    const x = event.clientX - divider.parentElement.getBoundingClientRect().left;
    glide(held((x - shown.ends.left) / (shown.ends.right - shown.ends.left)));
  });
  divider.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: shown.cut - 0.01, ArrowRight: shown.cut + 0.01, PageDown: shown.cut - 0.1, PageUp: shown.cut + 0.1, Home: 0, End: 1 }[event.key];
    if (to == null || event.shiftKey) return;
    event.preventDefault();
    change(held(to));
  });
}

export function keys(whole, moves, blink) {
  const STEP = 40;
  const plain = { "+": () => moves.step(1), "=": () => moves.step(1), "-": () => moves.step(-1), 0: moves.fit, b: blink };
  const shifted = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
  document.addEventListener("keydown", (event) => {
    if (!whole.isConnected || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    if (event.shiftKey && shifted[event.key]) {
      event.preventDefault();
      moves.move(...shifted[event.key]);
    } else if (!event.repeat || event.key !== "b") plain[event.key]?.();
  });
}

/** In the mode blink the pictures change by themselves, until b is pressed or where motion is unwanted. */
export function blinking(shown, whole, change) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const timer = setInterval(() => {
    if (!whole.isConnected) clearInterval(timer);
    else if (shown.mode === "blink" && !shown.held && !still.matches) change({ flipped: !shown.flipped });
  }, BLINK_MS);
}
