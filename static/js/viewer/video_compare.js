// Player of two videos with the same frame times, one over the other under a slider. The output
// leads, and the input is synchronised with it.
import { element } from "../base/dom.js";
import { count, decimals } from "../base/format.js";
import { frameAt, middleOf } from "./frames.js";
import { bindDivider } from "./viewer_controls.js";

/**
 * @typedef {object} ComparedVideos
 * @property {string} input URL.
 * @property {string} output URL.
 * @property {number[]} times Of the frames, in seconds.
 * @property {boolean} [sound] Whether the videos have sound.
 * @property {number} width
 * @property {number} height
 */

const SPEEDS = [0.25, 0.5, 1];
/** Seconds. If the input is farther off, it jumps; otherwise its speed changes. */
const JUMP = 0.15;
/** The largest relative change of the input's speed. */
const SPEED_CHANGE = 0.1;

/**
 * Create the player in a holder.
 * @param {HTMLElement} holder
 * @param {ComparedVideos} videos
 * @param {(frame: number) => void} onFrame Called when another frame is shown.
 * @returns {(frame: number) => void} Stops at a frame.
 */
export function videoCompare(
  holder,
  { input: inputUrl, output: outputUrl, times, sound, width, height },
  onFrame,
) {
  const [output, input] = [videoOf(outputUrl, "Output"), videoOf(inputUrl, "Input")];
  const divider = element("div", {
    class: "divider",
    role: "slider",
    tabindex: 0,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-label": "Boundary between input and output",
  });
  const outputTag = element("span", { class: "end" }, "Output");
  const tags = element(
    "div",
    { class: "tags", "aria-hidden": "true" },
    element("span", {}, "Input"),
    outputTag,
  );
  const stage = element("div", { class: "stage video-stage" }, output, input, tags, divider);
  stage.style.aspectRatio = `${width} / ${height}`;
  // As high as the window allows, and not wider than the picture.
  stage.style.maxWidth = `calc(70vh * ${width / height})`;

  const play = element(
    "button",
    {
      type: "button",
      class: "play",
      onclick: () => (output.paused ? output.play() : output.pause()),
    },
    "Play",
  );
  /** @type {HTMLInputElement} */
  const slider = element("input", {
    type: "range",
    min: 0,
    max: times.length - 1,
    step: 1,
    value: 0,
    "aria-label": "Frame",
    oninput: () => showFrame(Number(slider.value)),
  });
  const label = element("output", {});
  /** @type {HTMLSelectElement} */
  const speed = element(
    "select",
    { "aria-label": "Speed", onchange: () => setSpeed(Number(speed.value)) },
    ...SPEEDS.map((value) => element("option", { value, selected: value === 1 }, `${value}×`)),
  );
  const soundButton = element(
    "button",
    {
      type: "button",
      "aria-pressed": "false",
      hidden: !sound,
      onclick: () => setSound(output.muted),
    },
    "Sound",
  );
  /**
   * @param {number} by
   * @param {string} sign
   * @param {string} text
   */
  const stepButton = (by, sign, text) =>
    element(
      "button",
      { type: "button", "aria-label": text, onclick: () => showFrame(currentFrame() + by) },
      sign,
    );
  const tools = element(
    "div",
    { class: "tools video-tools", role: "toolbar", "aria-label": "Player" },
    play,
    stepButton(-1, "‹", "Previous frame"),
    stepButton(1, "›", "Next frame"),
    slider,
    label,
    speed,
    soundButton,
  );
  const error = element("p", { class: "notice", role: "status", hidden: true });
  holder.replaceChildren(stage, tools, error);

  const currentFrame = () => frameAt(times, output.currentTime);

  /** @param {number} frame */
  function showFrame(frame) {
    output.pause();
    output.currentTime = middleOf(times, frame);
    report();
  }

  /** @param {number} value */
  function setSpeed(value) {
    output.playbackRate = input.playbackRate = value;
  }

  /** @param {boolean} isOn */
  function setSound(isOn) {
    output.muted = !isOn;
    soundButton.setAttribute("aria-pressed", String(isOn));
  }

  function synchronise() {
    const delay = output.currentTime - input.currentTime;
    if (output.paused || Math.abs(delay) > JUMP) {
      input.currentTime = output.currentTime;
      return;
    }
    const change = Math.max(-SPEED_CHANGE, Math.min(SPEED_CHANGE, delay));
    input.playbackRate = output.playbackRate * (1 + change);
  }

  let reported = -1;
  function report() {
    const frame = currentFrame();
    if (frame === reported) return;
    reported = frame;
    slider.value = String(frame);
    const time = decimals(times[frame], 2);
    label.textContent = `frame ${count(frame)} of ${count(times.length)}, ${time} s`;
    slider.setAttribute("aria-valuetext", label.textContent);
    onFrame(frame);
  }

  function follow() {
    if (!holder.isConnected) return;
    report();
    if (output.paused) return;
    synchronise();
    requestAnimationFrame(follow);
  }
  output.addEventListener("play", () => {
    play.textContent = "Pause";
    input.play();
    follow();
  });
  output.addEventListener("pause", () => {
    play.textContent = "Play";
    input.pause();
    synchronise();
  });
  output.addEventListener("seeked", () => {
    synchronise();
    report();
  });
  for (const video of [output, input]) {
    video.addEventListener("error", () => {
      error.hidden = false;
      error.textContent =
        "The browser cannot play the video. Save the video, and play it with another program.";
    });
  }

  const state = { cut: 0.5, ends: { left: 0, right: 1 } };
  /** @param {{ cut?: number }} values */
  const moveDivider = (values) => {
    Object.assign(state, values);
    state.ends.right = stage.clientWidth;
    const at = state.cut * stage.clientWidth;
    input.style.clipPath = `inset(0 ${stage.clientWidth - at}px 0 0)`;
    divider.style.translate = `${at}px`;
    outputTag.style.left = `${stage.clientWidth}px`;
    divider.setAttribute("aria-valuenow", String(Math.round(100 * state.cut)));
  };
  bindDivider(divider, state, moveDivider, moveDivider);
  new ResizeObserver(() => moveDivider({})).observe(stage);
  bindKeys(stage, {
    " ": () => play.click(),
    ArrowLeft: () => showFrame(currentFrame() - 1),
    ArrowRight: () => showFrame(currentFrame() + 1),
    ",": () => showFrame(currentFrame() - 1),
    ".": () => showFrame(currentFrame() + 1),
  });
  output.addEventListener("loadeddata", () => showFrame(0), { once: true });
  return showFrame;
}

/**
 * @param {string} src
 * @param {string} label
 */
function videoOf(src, label) {
  const video = element("video", {
    src,
    preload: "auto",
    playsInline: true,
    "aria-label": label,
    tabIndex: -1,
  });
  video.muted = true; // The attribute only mutes videos that are in the page's HTML.
  return video;
}

/**
 * @param {HTMLElement} stage
 * @param {Record<string, () => void>} keys
 */
function bindKeys(stage, keys) {
  stage.tabIndex = 0;
  stage.setAttribute("role", "group");
  stage.setAttribute("aria-label", "Video: the space bar plays, arrow keys go to the next frame");
  stage.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    const isModified = event.ctrlKey || event.altKey || event.metaKey;
    if (event.target !== stage || !action || isModified) return;
    event.preventDefault();
    action();
  });
}
