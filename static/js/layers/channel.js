// One channel of a layer at its full size beside the input, with the places that it responds to most.
import { boxOf, grayOf, loaded } from "./atlas.js";
import { SEQUENTIAL } from "../viewer/colour_map.js";
import { colourScale } from "../viewer/colour_scale.js";
import { element } from "../base/dom.js";
import { percent, small } from "../base/format.js";
import { addressOf, wordsOf } from "./maps.js";

const LOST = "The picture could not be loaded. Is the test still there?";
const CROP = 96;
const ADDRESS = /^#layer-(\d+)-channel-(\d+)$/;

/** By how much a picture is enlarged to fill a box: by whole pixels, and never made smaller. */
export function enlargement({ width, height }, box) {
  return Math.max(1, Math.floor(Math.min(box.width / width, box.height / height)));
}

/** Where a box of the picture that went in lies in the part of it that is shown. */
const within = ({ left, top, width, height }, part) => ({ left: left - (part?.left ?? 0), top: top - (part?.top ?? 0), width, height });

/** {show(layer, channel), seen(layer)}: a dialog, in the page's address while it is open. `back` is called with what was shown
 * last when it is closed. For `input` and `ask` see layers.js. */
export function channelView({ input, ask, back }) {
  let parts = null;
  let wanted = ADDRESS.exec(location.hash)?.slice(1).map(Number) ?? null;
  let now = null; // {layer, channel}
  let latest = 0;

  function build() {
    const step = (by, sign, label) => element("button", { type: "button", "aria-label": label, onclick: () => turn(by) }, sign);
    const made = {
      title: element("h2", { id: "channel-title", tabindex: -1 }),
      back: step(-1, "◂", "Channel before"),
      on: step(1, "▸", "Next channel"),
      facts: element("dl", { class: "channel-facts" }),
      scale: element("span", { class: "maps-scale" }),
      map: pane("Channel"),
      input: pane("Input"),
      readout: element("p", { class: "readout quiet" }),
      strongest: element("div", { class: "strongest" }),
    };
    const head = element("header", {}, made.title, element("span", { class: "actions" }, made.back, made.on, element("button", { type: "button", "data-closes": true }, "Close")));
    const beside = element("div", { class: "beside" }, made.map.element, made.input.element);
    made.dialog = element("dialog", { class: "channel", "aria-labelledby": "channel-title" }, head, made.facts, beside, element("div", { class: "maps-tools" }, made.readout, made.scale), made.strongest);
    made.dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.altKey || event.ctrlKey || event.metaKey || event.target.matches(".pane.larger")) return;
      event.preventDefault();
      turn(by);
    });
    made.dialog.addEventListener("close", () => {
      history.replaceState(null, "", location.pathname + location.search);
      back(now.layer, now.channel);
      now = null;
    });
    scrollTogether(made.map.box, made.input.box);
    document.body.append(made.dialog);
    return made;
  }

  function turn(by) {
    const channel = now.channel + by;
    if (channel >= 0 && channel < now.layer.shape[0]) show(now.layer, channel);
  }

  async function show(layer, channel) {
    parts ??= build();
    const mine = (latest += 1);
    now = { layer, channel };
    const all = layer.shape[0];
    parts.title.replaceChildren(`${layer.name} · channel ${channel} `, element("span", { class: "quiet" }, `${channel + 1} of ${all}`));
    parts.back.disabled = channel === 0;
    parts.on.disabled = channel === all - 1;
    history.replaceState(null, "", `#layer-${layer.index}-channel-${channel}`);
    if (!parts.dialog.open) {
      parts.dialog.showModal();
      parts.title.focus();
    }
    const going = input();
    const asked = ask ? whether(ask(layer, channel)) : null;
    parts.strongest.classList.toggle("asked", Boolean(ask));
    const range = { low: layer.channels.low[channel], high: layer.channels.high[channel] };
    facts(parts, ask ? { ...range, mean: null, std: null, zero_share: null } : range);
    parts.scale.replaceChildren(colourScale(SEQUENTIAL, small(range.low), small(range.high)));
    say(asked ? "Looking for the places that it responds to most." : "On the page of a test you see what it responds to most.");
    const again = () => show(layer, channel);
    const there = await whether(Promise.all([going && loaded(going.url), tileOf(layer, channel)]));
    if (mine !== latest) return;
    if (there.error) return say(LOST, again);
    const [picture, tile] = there.value;
    draw(parts, { gray: tile, input: picture, part: going?.part, full: layer.shape, ...range });
    if (!asked) return;
    const { value: answer, error } = await asked;
    if (mine !== latest) return;
    if (error) return say(error.message, again);
    const whole = await whether(loaded(`${answer.picture}${layer.version ?? ""}`));
    if (mine !== latest) return;
    if (whole.error) return say(LOST, again);
    facts(parts, answer);
    draw(parts, { gray: grayOf(whole.value), input: picture, part: going?.part, full: layer.shape, ...range });
    respond(parts, answer, picture, going?.part);
  }

  function say(words, again = null) {
    parts.map.marks.replaceChildren();
    parts.input.marks.replaceChildren();
    const lines = again ? [element("p", { class: "wrong", role: "alert" }, words), element("button", { type: "button", onclick: again }, "Try again")] : words ? [element("p", { class: "quiet" }, words)] : [];
    parts.strongest.replaceChildren(...lines);
  }

  return {
    show,
    /** A layer has come: the one that the page's address names is shown. */
    seen: (layer) => {
      if (now?.layer.index === layer.index && now.layer !== layer && !ask) show(layer, now.channel);
      if (wanted?.[0] !== layer.index) return;
      const channel = wanted[1];
      wanted = null;
      if (channel < layer.shape[0]) show(layer, channel);
    },
  };
}

/** What became of a promise: {value} or {error}. */
const whether = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

/** The channel as the layer's own picture has it: at once, and at full size unless the layer is very wide. */
async function tileOf(layer, channel) {
  const page = layer.pages.find(({ first, count }) => channel >= first && channel < first + count);
  return grayOf(await loaded(addressOf(layer, page)), boxOf(page, channel - page.first));
}

const FACTS = { low: ["min", small], high: ["max", small], mean: ["mean", small], std: ["std", small], zero_share: ["zeros", (share) => (share == null ? small(share) : percent(share))] };

function facts({ facts }, known) {
  const rows = Object.entries(FACTS).filter(([key]) => key in known);
  facts.replaceChildren(...rows.map(([key, [name, words]]) => element("div", {}, element("dt", {}, name), element("dd", {}, words(known[key])))));
}

function pane(title) {
  const canvas = element("canvas", { role: "img" });
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const box = element("div", { class: "pane" }, element("div", { class: "sheet" }, canvas, marks));
  const caption = element("figcaption", {}, title);
  return { element: element("figure", {}, caption, box), canvas, marks, box, caption };
}

/** Draw the channel and what went in; pictures that are larger than their boxes are scrolled, both together. */
function draw({ map, input, readout }, { gray, input: picture, part, full, low, high }) {
  const going = picture && { width: part?.width ?? picture.naturalWidth, height: part?.height ?? picture.naturalHeight };
  const whole = { width: full[2], height: full[1] };
  const box = { width: map.box.clientWidth, height: 0.46 * innerHeight };
  const times = enlargement(going ?? whole, box);
  // Where a place of the map stands for several pixels of the input, it is as large as these.
  const place = Math.max(1, Math.round(times * ((going ?? whole).width / whole.width)));
  const values = new ImageData(gray.width, gray.height);
  new Uint32Array(values.data.buffer).set(Uint32Array.from(gray.values, (value) => SEQUENTIAL[value]));
  fill(map, gray, { width: whole.width * place, height: whole.height * place }, (context) => context.putImageData(values, 0, 0));
  map.canvas.setAttribute("aria-label", "The channel");
  map.caption.textContent = `Channel, ${whole.width}×${whole.height}${gray.width < whole.width ? `, as yet from ${gray.width}×${gray.height}` : ""}${place > 1 ? `, ×${place}` : ""}`;
  map.scale = place;
  input.element.hidden = !going;
  if (going) {
    fill(input, going, { width: going.width * times, height: going.height * times }, (context) => context.drawImage(picture, -(part?.left ?? 0), -(part?.top ?? 0)));
    input.canvas.setAttribute("aria-label", "The input");
    input.caption.textContent = `Input, ${part ? `the middle ${going.width}×${going.height}` : `${going.width}×${going.height}`}${times > 1 ? `, ×${times}` : ""}`;
    input.scale = times;
  }
  const rest = "Point at the channel to read its values.";
  readout.textContent = rest;
  map.canvas.onpointerleave = () => (readout.textContent = rest);
  map.canvas.onpointermove = ({ offsetX, offsetY }) => {
    const [x, y] = [Math.floor((offsetX / map.canvas.clientWidth) * gray.width), Math.floor((offsetY / map.canvas.clientHeight) * gray.height)];
    if (x < 0 || y < 0 || x >= gray.width || y >= gray.height) return;
    readout.textContent = `x ${Math.floor((x * whole.width) / gray.width)}, y ${Math.floor((y * whole.height) / gray.height)}: about ${small(low + ((high - low) * gray.values[y * gray.width + x]) / 255)}`;
  };
}

function fill({ canvas, box, marks }, { width, height }, shown, paint) {
  canvas.width = width;
  canvas.height = height;
  paint(canvas.getContext("2d"));
  for (const one of [canvas, marks]) {
    one.style.width = `${shown.width}px`;
    one.style.height = `${shown.height}px`;
  }
  const larger = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  box.classList.toggle("larger", larger);
  if (larger) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}

/** Mark the strongest places on both pictures, and show what of the input the channel sees there. */
function respond({ map, input, strongest }, { strongest: places, field, high, low }, picture, part) {
  if (!places.length) {
    const why = high === low ? (low === 0 ? "It is dead: zero everywhere." : `It is ${small(low)} everywhere.`) : "";
    return strongest.replaceChildren(element("p", { class: "quiet" }, `${why} There is nothing that it responds to.`));
  }
  const boxes = places.map(({ sees }) => sees && within(sees, part));
  map.marks.replaceChildren(...places.map(({ x, y }, index) => mark(index, { left: x, top: y, width: 1, height: 1 }, map.scale, "spot", map.canvas.clientWidth)));
  input.marks.replaceChildren(...boxes.flatMap((box, index) => (box ? [mark(index, box, input.scale, "sees", input.canvas.clientWidth)] : [])));
  const words = field ? `Each square is what it sees of the input: ${field[1]}×${field[0]} pixels, fewer at the edge.` : "How far it sees is not known: the squares show a little around each place.";
  const items = places.map(({ value, x, y }, index) => {
    const show = () => look(index, map, input);
    const cut = picture && boxes[index] ? [crop(picture, places[index].sees)] : [];
    return element("li", {}, element("button", { type: "button", onclick: show, onpointerenter: show, onfocus: show, "aria-label": `${index + 1}: ${small(value)} at x ${x}, y ${y}` }, ...cut, element("span", {}, element("b", {}, String(index + 1)), ` ${small(value)}`)));
  });
  strongest.replaceChildren(element("h3", {}, "What it responds to most"), element("p", { class: "quiet" }, words), element("ol", {}, ...items));
}

function mark(index, { left, top, width, height }, times, kind, room) {
  // Its number stands above it, or below where there is no room; and within the picture at its right.
  const made = element("span", { class: `${kind}${top * times < 20 ? " below" : ""}${left * times > room - 24 ? " inward" : ""}` }, element("b", {}, String(index + 1)));
  Object.assign(made.style, { left: `${left * times}px`, top: `${top * times}px`, width: `${width * times}px`, height: `${height * times}px` });
  return made;
}

/** Bring a place into sight on both pictures. */
function look(index, ...panes) {
  for (const { marks, box } of panes) {
    for (const [at, one] of [...marks.children].entries()) one.classList.toggle("looked-at", at === index);
    const { offsetLeft: x, offsetTop: y, offsetWidth: width, offsetHeight: height } = marks.children[index] ?? marks;
    if (box.classList.contains("larger")) box.scrollTo({ left: x + width / 2 - box.clientWidth / 2, top: y + height / 2 - box.clientHeight / 2 });
  }
}

/** A part of the input by itself: enlarged by whole pixels, or made smaller where it is large. */
function crop(picture, { left, top, width, height }) {
  const most = Math.max(width, height);
  const times = most > CROP ? CROP / most : Math.floor(CROP / most);
  const canvas = element("canvas", { width, height, "aria-hidden": "true" });
  canvas.getContext("2d").drawImage(picture, left, top, width, height, 0, 0, width, height);
  canvas.style.width = `${Math.round(width * times)}px`;
  if (times < 1) canvas.style.imageRendering = "auto";
  return canvas;
}

function scrollTogether(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    from.addEventListener("scroll", () => {
      if (to.scrollLeft !== from.scrollLeft) to.scrollLeft = from.scrollLeft;
      if (to.scrollTop !== from.scrollTop) to.scrollTop = from.scrollTop;
    });
  }
}
