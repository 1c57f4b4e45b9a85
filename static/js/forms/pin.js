// Pinned samples of a training: their list, and the dialog that pins a validation pair or a region.
import { withRoot } from "../base/address.js";
import { messageOf, post, request, RequestError } from "../base/api.js";
import { element, find, findOptional } from "../base/dom.js";
import { count } from "../base/format.js";
import { showNotice } from "../base/live.js";
import { showFieldErrors } from "./field_errors.js";
import { pairPicker } from "./pair_picker.js";
import { locate, rectangle } from "./region.js";

/** @import { Pinned } from "../base/types.js" */
/** @import { Rectangle } from "./region.js" */

/** @type {(keyof Rectangle)[]} */
const SIDES = ["left", "top", "width", "height"];

/**
 * Bind the list and the dialog.
 * @param {string} id Of the training.
 * @param {Pinned[]} pinned
 */
export function pinnedSamples(id, pinned) {
  const list = find(document, "#pinned");
  const dialog = findOptional(document, "#pin", HTMLDialogElement);
  let samples = pinned;

  function draw() {
    list.replaceChildren(...samples.map((sample) => chip(sample, dialog ? unpin : null)));
  }

  /** @param {Pinned} sample */
  async function unpin(sample) {
    try {
      await request(`/models/${id}/samples/${sample.index}`, { method: "DELETE" });
    } catch (error) {
      const isGone = error instanceof RequestError && error.status === 404;
      if (!isGone) return showNotice("pin", messageOf(error));
    }
    samples = samples.filter(({ index }) => index !== sample.index);
    draw();
    findOptional(document, '[data-opens="pin"]')?.focus();
  }

  if (dialog)
    bindDialog(dialog, id, (sample) => {
      samples = [...samples, sample];
      draw();
    });
  draw();
}

/**
 * @param {Pinned} sample
 * @param {((sample: Pinned) => void) | null} unpin Null for users who may not change the job.
 */
function chip(sample, unpin) {
  const { pair, region } = sample;
  const place = region
    ? `${region.width}×${region.height} at ${region.left}, ${region.top}`
    : "whole frame";
  const name = `pair ${count(pair)}, ${place}`;
  const button = element(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": `Unpin ${name}`,
      onclick: () => unpin?.(sample),
    },
    "Unpin",
  );
  return element("li", {}, `${name} `, unpin && button);
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {string} id
 * @param {(sample: Pinned) => void} onPinned
 */
function bindDialog(dialog, id, onPinned) {
  const form = find(dialog, "form", HTMLFormElement);
  const pair = find(form, '[name="pair"]', HTMLInputElement);
  const sides = SIDES.map((side) => find(form, `[name="region.${side}"]`, HTMLInputElement));
  const frame = find(form, ".frame");
  const picture = find(frame, "img", HTMLImageElement);
  /** @type {[id: string, pairs: number][]} */
  const datasets = JSON.parse(form.dataset.datasets ?? "[]");
  const ids = datasets.map(([dataset]) => dataset);
  const showPairs = pairPicker(pair, ids);
  const isRegion = () => find(form, '[name="part"]:checked', HTMLInputElement).value === "region";

  function showPicture() {
    const place = pair.value && pair.validity.valid ? locate(datasets, pair.valueAsNumber) : null;
    frame.hidden = !place;
    if (place)
      picture.src = withRoot(`/datasets/${place.dataset}/pairs/val/${place.number}/input.png`);
  }

  /** @param {Rectangle} region */
  function setRegion(region) {
    find(form, '[name="part"][value="region"]', HTMLInputElement).checked = true;
    sides.forEach((side, at) => (side.value = String(region[SIDES[at]])));
    draw();
  }

  function draw() {
    for (const side of sides) side.disabled = !isRegion();
    const values = sides.map((side) => side.valueAsNumber);
    const box = find(frame, ".region");
    const isShown = isRegion() && values.every(Number.isFinite) && picture.naturalWidth > 0;
    box.hidden = !isShown;
    if (!isShown) return;
    const [width, height] = [picture.naturalWidth, picture.naturalHeight];
    const share = [values[0] / width, values[1] / height, values[2] / width, values[3] / height];
    SIDES.forEach((side, at) => (box.style[side] = `${100 * share[at]}%`));
  }

  bindDrag(frame, picture, setRegion);
  picture.addEventListener("load", () => {
    if (isRegion() && sides.every((side) => !side.value)) setRegion(middle(picture));
    draw();
  });
  form.addEventListener("input", (event) => {
    if (event.target === pair) showPicture();
    if (isRegion() && !sides[0].value && picture.naturalWidth) setRegion(middle(picture));
    draw();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = sides.map((side) => side.valueAsNumber);
    const region = Object.fromEntries(SIDES.map((side, at) => [side, values[at]]));
    const body = { pair: pair.valueAsNumber, region: isRegion() ? region : null };
    try {
      onPinned(await post(`/models/${id}/samples`, body));
    } catch (error) {
      const fields = error instanceof RequestError ? error.fields : {};
      showFieldErrors(form, Object.keys(fields).length ? fields : { pair: messageOf(error) });
      return;
    }
    showFieldErrors(form, {});
    dialog.close();
  });
  new MutationObserver(() => {
    if (dialog.open) showPairs().then(showPicture);
  }).observe(dialog, { attributeFilter: ["open"] });
}

/** @param {HTMLImageElement} picture */
function middle({ naturalWidth: width, naturalHeight: height }) {
  return rectangle({ x: 0.25, y: 0.25 }, { x: 0.75, y: 0.75 }, width, height);
}

/**
 * A drag over the picture draws a region.
 * @param {HTMLElement} frame
 * @param {HTMLImageElement} picture
 * @param {(region: Rectangle) => void} setRegion
 */
function bindDrag(frame, picture, setRegion) {
  /** @type {{ x: number, y: number } | null} */
  let start = null;
  const at = (/** @type {PointerEvent} */ event) => {
    const box = picture.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !picture.naturalWidth) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    start = at(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (start) setRegion(rectangle(start, at(event), picture.naturalWidth, picture.naturalHeight));
  });
  for (const type of ["pointerup", "pointercancel"])
    frame.addEventListener(type, () => (start = null));
}
