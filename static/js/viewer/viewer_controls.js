// Controls of the viewer: buttons, divider, keyboard, and the timer of the mode blink.
import { element, svg, targetOf } from "../base/dom.js";

/** @import { ViewerState } from "./viewer.js" */

/**
 * @typedef {keyof typeof MODES} ModeName
 * @typedef {object} Picture
 * @property {string} role
 * @property {string} label
 * @property {string} url
 * @property {number} [width] With its height, the viewer keeps the room for a picture that loads.
 * @property {number} [height]
 *
 * @typedef {(values: Partial<ViewerState>) => void} Change Changes the state, and draws.
 *
 * @typedef {object} Moves
 * @property {(dx: number, dy: number) => void} move
 * @property {(direction: number) => void} step Zooms in (+1) or out (-1).
 * @property {() => void} fit
 */

export const MODES = {
  slider: "Slider",
  side: "Side by side",
  blink: "Blink",
  difference: "Difference",
  error: "Error map",
  qp: "QP map",
};
const GAINS = [1, 4, 8, 16];
const TOPS = [8, 16, 32, 64];
const BLINK_MS = 600;
/** CSS pixels that an arrow key moves the picture. */
const KEY_STEP = 40;

/**
 * Fill the toolbar.
 * @param {ViewerState} state
 * @param {{ tools: HTMLElement, zoom: HTMLElement, holder: HTMLElement }} parts
 * @param {Change} change
 * @param {Moves} moves
 * @returns {{ show: () => void }} `show` updates the buttons from the state.
 */
export function toolbar(state, { tools, zoom, holder }, change, moves) {
  const offered = Object.entries(MODES).filter(
    ([mode]) => (mode !== "error" || state.truth >= 0) && (mode !== "qp" || state.qp),
  );
  const modes = choices("Comparison mode", Object.fromEntries(offered), (mode) =>
    change({ mode: /** @type {ModeName} */ (mode), held: false }),
  );
  const gains = choices(
    "Gain of the difference",
    Object.fromEntries(GAINS.map((gain) => [gain, `×${gain}`])),
    (gain) => change({ gain: Number(gain) }),
  );
  const tops = choices(
    "Error of the last colour",
    Object.fromEntries(TOPS.map((top) => [top, `0–${top}`])),
    (top) => change({ top: Number(top) }),
  );
  const pair = pairChoice(state.pictures, change);
  const zoomGroup = element(
    "span",
    { class: "group zoom" },
    element(
      "button",
      { type: "button", "aria-label": "Zoom out", onclick: () => moves.step(-1) },
      "−",
    ),
    zoom,
    element(
      "button",
      { type: "button", "aria-label": "Zoom in", onclick: () => moves.step(1) },
      "+",
    ),
    element("button", { type: "button", onclick: moves.fit }, "Fit"),
  );
  tools.replaceChildren(modes.group, pair, gains.group, tops.group, zoomGroup, wholeScreen(holder));
  return {
    show: () => {
      modes.press(state.mode);
      gains.press(String(state.gain));
      gains.group.hidden = state.mode !== "difference";
      tops.press(String(state.top));
      tops.group.hidden = state.mode !== "error";
      pair.hidden = state.pictures.length < 3 || state.mode === "side";
    },
  };
}

/**
 * The button that shows the viewer on the whole screen, and back.
 * @param {HTMLElement} holder
 */
function wholeScreen(holder) {
  const toggle = () =>
    document.fullscreenElement ? document.exitFullscreen() : holder.requestFullscreen();
  const icon = svg("svg", { viewBox: "0 0 14 14", class: "icon", "aria-hidden": "true" });
  icon.append(svg("path", { d: "M1 5V1h4M9 1h4v4M13 9v4H9M5 13H1V9" }));
  return element(
    "button",
    {
      type: "button",
      "aria-label": "Full screen",
      title: "Full screen (f)",
      "data-key": "f",
      hidden: !document.fullscreenEnabled,
      onclick: toggle,
    },
    icon,
  );
}

/**
 * A row of buttons, of which one is pressed.
 * @param {string} label
 * @param {Record<string, string>} options Labels by value.
 * @param {(value: string) => void} choose
 */
function choices(label, options, choose) {
  const buttons = new Map(
    Object.entries(options).map(([value, text]) => [
      value,
      element("button", { type: "button", onclick: () => choose(value) }, text),
    ]),
  );
  /** @param {string} chosen */
  const press = (chosen) =>
    buttons.forEach((button, value) =>
      button.setAttribute("aria-pressed", String(value === chosen)),
    );
  return {
    group: element(
      "span",
      { class: "group", role: "group", "aria-label": label },
      ...buttons.values(),
    ),
    press,
  };
}

/**
 * The choice of the two pictures that are compared.
 * @param {Picture[]} pictures
 * @param {Change} change
 */
function pairChoice(pictures, change) {
  const pairs = pictures.flatMap((_, left) =>
    pictures.slice(left + 1).map((_picture, offset) => [left, left + 1 + offset]),
  );
  const options = pairs.map(([left, right], index) =>
    element("option", { value: index }, `${pictures[left].label} | ${pictures[right].label}`),
  );
  /** @type {HTMLSelectElement} */
  const select = element(
    "select",
    {
      "aria-label": "Compared pictures",
      onchange: () => {
        const [left, right] = pairs[Number(select.value)];
        change({ left, right });
      },
    },
    ...options,
  );
  return select;
}

/**
 * Bind the divider to pointers and keys.
 * @param {HTMLElement} divider
 * @param {Pick<ViewerState, "cut" | "ends">} state
 * @param {(values: { cut: number }) => void} changeSoon For pointers.
 * @param {(values: { cut: number }) => void} change For keys.
 */
export function bindDivider(divider, state, changeSoon, change) {
  const clamped = (/** @type {number} */ cut) => ({ cut: Math.min(Math.max(cut, 0), 1) });
  divider.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId) || !divider.parentElement) return;
    event.stopPropagation();
    const x = event.clientX - divider.parentElement.getBoundingClientRect().left;
    const { left, right } = state.ends;
    changeSoon(clamped((x - left) / (right - left)));
  });
  divider.addEventListener("keydown", (event) => {
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: state.cut - 0.01,
      ArrowRight: state.cut + 0.01,
      PageDown: state.cut - 0.1,
      PageUp: state.cut + 0.1,
      Home: 0,
      End: 1,
    };
    const target = targets[event.key];
    if (target == null || event.shiftKey) return;
    event.preventDefault();
    change(clamped(target));
  });
}

/**
 * Bind the viewer's keyboard shortcuts.
 * @param {HTMLElement} holder
 * @param {Moves} moves
 * @param {() => void} blink
 */
export function bindKeys(holder, moves, blink) {
  /** @type {Record<string, () => void>} */
  const actions = {
    "+": () => moves.step(1),
    "=": () => moves.step(1),
    "-": () => moves.step(-1),
    0: moves.fit,
    b: blink,
  };
  /** @type {Record<string, [dx: number, dy: number]>} With Shift. */
  const directions = {
    ArrowLeft: [KEY_STEP, 0],
    ArrowRight: [-KEY_STEP, 0],
    ArrowUp: [0, KEY_STEP],
    ArrowDown: [0, -KEY_STEP],
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (!holder.isConnected) document.removeEventListener("keydown", onKey);
    if (!holder.isConnected || event.ctrlKey || event.altKey || event.metaKey) return;
    if (targetOf(event)?.matches("input, select, textarea")) return;
    const direction = event.shiftKey && directions[event.key];
    if (direction) {
      event.preventDefault();
      moves.move(...direction);
    } else if (!event.repeat || event.key !== "b") actions[event.key]?.();
  };
  document.addEventListener("keydown", onKey);
}

/**
 * Start the timer of the mode blink. It does not blink after a user pressed b, or if reduced motion
 * is preferred.
 * @param {ViewerState} state
 * @param {HTMLElement} holder
 * @param {Change} change
 */
export function startBlinking(state, holder, change) {
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const timer = setInterval(() => {
    if (!holder.isConnected) clearInterval(timer);
    else if (state.mode === "blink" && !state.held && !reducedMotion.matches)
      change({ flipped: !state.flipped });
  }, BLINK_MS);
}
