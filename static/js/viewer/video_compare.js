// Player of videos with the same frame times in the viewer, with all of its modes. The output leads,
// and the others are synchronised with it. A frame at rest is exact; while videos play, the others
// may be a frame off for a moment.
import { element } from "../base/dom.js";
import { count, decimals } from "../base/format.js";
import { frameAt, middleOf } from "./frames.js";
import { drawFrame, emptySurface } from "./stage.js";
import { frameInAddress, showFrameInAddress } from "./view_address.js";
import { liveViewer } from "./viewer.js";

/**
 * @typedef {object} ComparedVideos
 * @property {string} input URL.
 * @property {string} output URL.
 * @property {string} [truth] URL of the originals.
 * @property {number[]} times Of the frames, in seconds.
 * @property {boolean} [sound] Whether the videos have sound.
 * @property {number} width
 * @property {number} height
 */

/** @import { Picture } from "./viewer_controls.js" */

const SPEEDS = [0.25, 0.5, 1];
/** Seconds. If a video is farther off, it jumps; otherwise its speed changes. */
const JUMP = 0.15;
/** The largest relative change of a video's speed. */
const SPEED_CHANGE = 0.1;
/** Videos that are not at the same frame are shown nevertheless after this time. */
const STALE_MS = 200;

/**
 * Create the player in a holder.
 * @param {HTMLElement} holder
 * @param {ComparedVideos} videos
 * @param {(frame: number) => void} onFrame Called when another frame is shown.
 * @returns {(frame: number) => void} Stops at a frame.
 */
export function videoCompare(
  holder,
  { input, output: restored, truth, times, sound, width, height },
  onFrame,
) {
  const pictures = [
    { role: "input", label: "Input", url: input },
    { role: "output", label: "Output", url: restored },
    ...(truth ? [{ role: "target", label: "Ground truth", url: truth }] : []),
  ];
  const videos = pictures.map(videoOf);
  const output = videos[1];
  const followers = videos.filter((video) => video !== output);
  const surfaces = videos.map(() => emptySurface({ width, height }));

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
  const room = element("div", { "data-in-address": true });
  const hidden = element("div", { class: "unseen", "aria-hidden": "true" }, ...videos);
  holder.replaceChildren(room, tools, error, hidden);
  const { stage, redraw } = liveViewer(room, pictures, surfaces);

  const currentFrame = () => frameAt(times, output.currentTime);

  /** @param {number} frame */
  function showFrame(frame) {
    output.pause();
    for (const video of videos) video.currentTime = middleOf(times, frame);
    report();
  }

  /** @param {number} value */
  function setSpeed(value) {
    for (const video of videos) video.playbackRate = value;
  }

  /** @param {boolean} isOn */
  function setSound(isOn) {
    output.muted = !isOn;
    soundButton.setAttribute("aria-pressed", String(isOn));
  }

  function synchronise() {
    for (const video of followers) {
      const delay = output.currentTime - video.currentTime;
      if (output.paused || Math.abs(delay) > JUMP) video.currentTime = output.currentTime;
      else {
        const change = Math.max(-SPEED_CHANGE, Math.min(SPEED_CHANGE, delay));
        video.playbackRate = output.playbackRate * (1 + change);
      }
    }
  }

  let drawnAt = 0;
  function draw() {
    drawnAt = performance.now();
    videos.forEach((video, index) => drawFrame(surfaces[index], video));
    redraw();
  }

  /** Draw if all videos are at one frame; the originals may end before the others. */
  function drawInStep() {
    const isInStep = followers.every(
      (video) => video.ended || frameAt(times, video.currentTime) === currentFrame(),
    );
    if (isInStep || performance.now() - drawnAt > STALE_MS) draw();
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
    showFrameInAddress(frame);
    onFrame(frame);
  }

  function follow() {
    if (!holder.isConnected) return;
    report();
    if (output.paused) return;
    synchronise();
    drawInStep();
    requestAnimationFrame(follow);
  }
  output.addEventListener("play", () => {
    play.textContent = "Pause";
    for (const video of followers) video.play();
    follow();
  });
  output.addEventListener("pause", () => {
    play.textContent = "Play";
    for (const video of followers) video.pause();
    synchronise();
  });
  output.addEventListener("seeked", report);
  for (const video of videos) {
    video.addEventListener("seeked", () => {
      if (videos.every(({ seeking, readyState }) => !seeking && readyState >= 2)) draw();
    });
    video.addEventListener("loadeddata", () => showFrame(currentFrame()), { once: true });
    video.addEventListener("error", () => {
      error.hidden = false;
      error.textContent =
        "The browser cannot play the video. Save the video, and play it with another program.";
    });
  }

  stage.classList.add("video-stage");
  bindKeys(stage, {
    " ": () => play.click(),
    ArrowLeft: () => showFrame(currentFrame() - 1),
    ArrowRight: () => showFrame(currentFrame() + 1),
    ",": () => showFrame(currentFrame() - 1),
    ".": () => showFrame(currentFrame() + 1),
  });
  showFrame(frameInAddress(times.length));
  return showFrame;
}

/** @param {Picture} picture */
function videoOf({ role, label, url }) {
  const video = element("video", {
    src: url,
    "data-role": role,
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
