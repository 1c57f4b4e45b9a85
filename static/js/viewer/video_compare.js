// Two videos of the same times, one over the other under a slider. The output leads; the input is kept in step with it.
import { element } from "../base/dom.js";
import { count } from "../base/format.js";
import { frameAt, middleOf } from "./frames.js";
import { slide } from "./viewer_controls.js";

const SPEEDS = [0.25, 0.5, 1];
/** Seconds that the input may be off while both play: less is evened out by playing it a little faster or slower. */
const JUMP = 0.15;
const EVEN_OUT = 0.1;

/**
 * Fill the holder with a player of {input, output}, addresses of videos, `times` of their frames, and whether there is `sound`.
 * `seen(frame)` hears which frame is shown. Returns what shows a frame.
 */
export function videoCompare(holder, { input: inputUrl, output: outputUrl, times, sound, width, height }, seen) {
  const video = (src, label) => element("video", { src, preload: "auto", playsInline: true, muted: true, "aria-label": label, tabIndex: -1 });
  const [output, input] = [video(outputUrl, "Output"), video(inputUrl, "Input")];
  const divider = element("div", { class: "divider", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "Where input ends and output begins" });
  const tags = element("div", { class: "tags", "aria-hidden": "true" }, element("span", {}, "Input"), element("span", { class: "end" }, "Output"));
  const stage = element("div", { class: "stage video-stage" }, output, input, tags, divider);
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `calc(70vh * ${width / height})`; // As high as the window lets it be, and no wider than the picture.

  const play = element("button", { type: "button", class: "play", onclick: () => (output.paused ? output.play() : output.pause()) }, "Play");
  const place = element("input", { type: "range", min: 0, max: times.length - 1, step: 1, value: 0, "aria-label": "Frame", oninput: () => show(Number(place.value)) });
  const words = element("output", {});
  const speed = element("select", { "aria-label": "Speed", onchange: () => setSpeed(Number(speed.value)) }, ...SPEEDS.map((value) => element("option", { value, selected: value === 1 }, `${value}×`)));
  const mute = element("button", { type: "button", "aria-pressed": "false", hidden: !sound, onclick: () => hear(output.muted) }, "Sound");
  const step = (by, sign, label) => element("button", { type: "button", "aria-label": label, onclick: () => show(frame() + by) }, sign);
  const tools = element("div", { class: "tools video-tools", role: "toolbar", "aria-label": "Player" }, play, step(-1, "‹", "Frame before"), step(1, "›", "Next frame"), place, words, speed, mute);
  const broken = element("p", { class: "notice", role: "status", hidden: true });
  holder.replaceChildren(stage, tools, broken);

  const frame = () => frameAt(times, output.currentTime);

  /** Stop at a frame: both videos, in the middle of its time. */
  function show(wanted) {
    output.pause();
    output.currentTime = middleOf(times, wanted);
    tell();
  }

  function setSpeed(value) {
    output.playbackRate = input.playbackRate = value;
  }

  function hear(yes) {
    output.muted = !yes;
    mute.setAttribute("aria-pressed", String(yes));
  }

  function inStep() {
    const late = output.currentTime - input.currentTime;
    if (output.paused || Math.abs(late) > JUMP) input.currentTime = output.currentTime;
    else input.playbackRate = output.playbackRate * (1 + Math.max(-EVEN_OUT, Math.min(EVEN_OUT, late)));
  }

  let told = -1;
  function tell() {
    const now = frame();
    if (now === told) return;
    told = now;
    place.value = now;
    words.textContent = `frame ${count(now)} of ${count(times.length)}, ${times[now].toFixed(2)} s`;
    place.setAttribute("aria-valuetext", words.textContent);
    seen(now);
  }

  function follow() {
    if (!holder.isConnected) return;
    tell();
    if (output.paused) return;
    inStep();
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
    inStep();
  });
  output.addEventListener("seeked", () => {
    inStep();
    tell();
  });
  for (const one of [output, input]) {
    one.addEventListener("error", () => {
      broken.hidden = false;
      broken.textContent = "The browser cannot play the video. Save it, and play it with another program.";
    });
  }

  const shown = { cut: 0.5, ends: { left: 0, right: 1 } };
  const cut = (values = {}) => {
    Object.assign(shown, values);
    shown.ends.right = stage.clientWidth;
    const at = shown.cut * stage.clientWidth;
    input.style.clipPath = `inset(0 ${stage.clientWidth - at}px 0 0)`;
    divider.style.translate = `${at}px`;
    tags.lastChild.style.left = `${stage.clientWidth}px`;
    divider.setAttribute("aria-valuenow", Math.round(100 * shown.cut));
  };
  slide(divider, shown, cut, cut);
  new ResizeObserver(() => cut()).observe(stage);
  const keys = { " ": () => play.click(), ArrowLeft: () => show(frame() - 1), ArrowRight: () => show(frame() + 1), ",": () => show(frame() - 1), ".": () => show(frame() + 1) };
  stage.tabIndex = 0;
  stage.setAttribute("role", "group");
  stage.setAttribute("aria-label", "Video: space plays, arrow keys go to the next frame");
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage || !keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  output.addEventListener("loadeddata", () => show(0), { once: true });
  return show;
}
