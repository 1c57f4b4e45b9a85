// The places of a channel's strongest responses: marks on both pictures, and a list with crops.
import { context2d, element, findAll } from "../base/dom.js";
import { small } from "../base/format.js";

/** @import { Box, ChannelResult, LayersRegion } from "../base/types.js" */
/** @import { Parts } from "./channel.js" */
/** @import { Pane } from "./panes.js" */

/** The size of crops of the input, in pixels. */
const CROP = 96;

/**
 * A box of the whole input, relative to the part that is shown.
 * @param {Box} box
 * @param {Box | LayersRegion | null | undefined} part
 * @returns {Box}
 */
const relativeTo = ({ left, top, width, height }, part) => ({
  left: left - (part?.left ?? 0),
  top: top - (part?.top ?? 0),
  width,
  height,
});

/**
 * Mark the strongest places on both pictures, and list them with crops of the input.
 * @param {Parts} parts
 * @param {ChannelResult} result
 * @param {HTMLImageElement | null} picture The input.
 * @param {Box | LayersRegion | null | undefined} part
 */
export function showStrongest({ map, input, strongest }, result, picture, part) {
  const { strongest: places, field, high, low } = result;
  if (!places.length) {
    const text = low === 0 ? "is dead: zero everywhere" : `is ${small(low)} everywhere`;
    const reason = high === low ? `This channel ${text}. ` : "";
    strongest.replaceChildren(
      element("p", { class: "quiet" }, `${reason}It has no strongest responses.`),
    );
    return;
  }
  const boxes = places.map(({ sees }) => sees && relativeTo(sees, part));
  map.marks.replaceChildren(
    ...places.map(({ x, y }, index) =>
      mark(index, { left: x, top: y, width: 1, height: 1 }, map, "spot"),
    ),
  );
  input.marks.replaceChildren(
    ...boxes.flatMap((box, index) => (box ? [mark(index, box, input, "sees")] : [])),
  );
  for (const { marks } of [map, input]) spreadNumbers(marks);
  const text = field
    ? `Each square is the receptive field: ${field[1]}×${field[0]} pixels, fewer at the edge.`
    : "The receptive field is unknown: the squares show the surroundings of each place.";
  const items = places.map(({ value, x, y, sees }, index) => {
    const show = () => highlight(index, map, input);
    const crop = picture && sees ? cropOf(picture, sees) : null;
    return element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          onclick: show,
          onpointerenter: show,
          onfocus: show,
          "aria-label": `${index + 1}: ${small(value)} at x ${x}, y ${y}`,
        },
        crop,
        element("span", {}, element("b", {}, String(index + 1)), ` ${small(value)}`),
      ),
    );
  });
  strongest.replaceChildren(
    element("h3", {}, "Strongest responses"),
    element("p", { class: "quiet" }, text),
    element("ol", {}, ...items),
  );
}

/**
 * A numbered mark. The number is above the box, or below it at the top edge; inside it at the right
 * edge.
 * @param {number} index
 * @param {Box} box
 * @param {Pane} pane
 * @param {string} kind
 */
function mark(index, { left, top, width, height }, { scale, canvas }, kind) {
  const below = top * scale < 20 ? " below" : "";
  const inward = left * scale > canvas.clientWidth - 24 ? " inward" : "";
  const created = element(
    "span",
    { class: `${kind}${below}${inward}` },
    element("b", {}, String(index + 1)),
  );
  Object.assign(created.style, {
    left: `${left * scale}px`,
    top: `${top * scale}px`,
    width: `${width * scale}px`,
    height: `${height * scale}px`,
  });
  return created;
}

/**
 * Move numbers that would cover others, towards the middle of the picture.
 * @param {HTMLElement} marks
 */
function spreadNumbers(marks) {
  const picture = marks.getBoundingClientRect();
  const labels = findAll(marks, "b").map((label) => ({
    label,
    box: label.getBoundingClientRect(),
  }));
  /** @type {DOMRect[]} */
  const placed = [];
  for (const { label, box } of labels) {
    const step = box.top < picture.top + picture.height / 2 ? box.height + 1 : -box.height - 1;
    const isTaken = () =>
      placed.some(
        ({ left, right, top, bottom }) =>
          box.left < right && box.right > left && box.top < bottom && box.bottom > top,
      );
    const before = box.y;
    while (isTaken()) box.y += step;
    if (box.y !== before) label.style.translate = `0 ${box.y - before}px`;
    placed.push(box);
  }
}

/**
 * Highlight a place on both pictures, and scroll to it.
 * @param {number} index
 * @param {...Pane} panes
 */
function highlight(index, ...panes) {
  for (const { marks, box } of panes) {
    for (const [at, child] of [...marks.children].entries())
      child.classList.toggle("looked-at", at === index);
    if (!box.classList.contains("larger")) continue;
    const target = marks.children[index];
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } =
      target instanceof HTMLElement ? target : marks;
    box.scrollTo({
      left: offsetLeft + offsetWidth / 2 - box.clientWidth / 2,
      top: offsetTop + offsetHeight / 2 - box.clientHeight / 2,
    });
  }
}

/**
 * A part of the input: enlarged by a whole factor, or reduced if it is large.
 * @param {HTMLImageElement} picture
 * @param {Box} box
 */
function cropOf(picture, { left, top, width, height }) {
  const most = Math.max(width, height);
  const factor = most > CROP ? CROP / most : Math.floor(CROP / most);
  const canvas = element("canvas", { width, height, "aria-hidden": "true" });
  context2d(canvas).drawImage(picture, left, top, width, height, 0, 0, width, height);
  canvas.style.width = `${Math.round(width * factor)}px`;
  if (factor < 1) canvas.style.imageRendering = "auto";
  return canvas;
}
