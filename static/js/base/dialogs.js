// Dialogs and menus of all pages, by attributes:
//   data-opens="id" opens a dialog; data-closes inside a dialog closes it
//   data-confirm="Delete this?" data-yes="Delete it" on a form or its button asks before it submits
import { ancestor, element, find, findAll, targetOf, targetWithin } from "./dom.js";

document.addEventListener("click", (event) => {
  const opener = targetWithin(event, "[data-opens]");
  if (opener) {
    // A dialog returns the focus to where it was. The menu closes: move the focus to its button.
    opener.closest(".menu")?.querySelector("summary")?.focus();
    closeMenus();
    find(document, `#${opener.dataset.opens}`, HTMLDialogElement).showModal();
  }
  targetWithin(event, "[data-closes]")?.closest("dialog")?.close();
  if (!targetWithin(event, ".menu") || targetWithin(event, ".menu a")) closeMenus();
});

document.addEventListener("focusout", (event) => {
  const menu = targetWithin(event, ".menu[open]");
  const { relatedTarget } = event;
  if (menu && relatedTarget instanceof Node && !menu.contains(relatedTarget))
    menu.removeAttribute("open");
});

document.addEventListener(
  "toggle",
  (event) => {
    const menu = targetOf(event);
    if (!(menu instanceof HTMLDetailsElement) || !menu.matches(".menu[open]")) return;
    closeMenus(menu);
    place(menu);
  },
  true,
);

// Menus are placed relative to the window: whatever scrolls, their place changes.
document.addEventListener("scroll", () => openMenus().forEach(place), true);

const openMenus = () => findAll(document, ".menu[open]", HTMLDetailsElement);

/**
 * Place a menu below its button, or above it if there is no room. Fixed, so that no table clips it.
 * @param {HTMLDetailsElement} menu
 */
function place(menu) {
  const box = find(menu, "div");
  const button = find(menu, "summary").getBoundingClientRect();
  const below = button.bottom + 4;
  const above = Math.max(8, button.top - 4 - box.offsetHeight);
  box.style.position = "fixed";
  box.style.right = "auto";
  box.style.left = `${Math.max(8, button.right - box.offsetWidth)}px`;
  box.style.top = `${below + box.offsetHeight > innerHeight ? above : below}px`;
}

document.addEventListener("keydown", (event) => {
  const [menu] = openMenus();
  if (!menu) return;
  if (event.key === "Escape") {
    find(menu, "summary").focus();
    closeMenus();
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  const items = findAll(menu, "a, button");
  const focused = items.findIndex((item) => item === document.activeElement);
  const next = event.key === "ArrowDown" ? focused + 1 : focused < 0 ? -1 : focused - 1;
  items[(next + items.length) % items.length].focus();
});

/** @param {HTMLDetailsElement | null} except */
function closeMenus(except = null) {
  for (const menu of openMenus()) if (menu !== except) menu.open = false;
}

document.addEventListener("submit", (event) => {
  const form = ancestorForm(event);
  const { submitter } = event;
  const asking = submitter?.dataset.confirm ? submitter : form;
  const { confirm, yes, sure } = asking.dataset;
  if (!confirm || sure) return;
  event.preventDefault();
  confirmDialog(confirm, yes).then((confirmed) => {
    if (!confirmed) return;
    asking.dataset.sure = "yes";
    form.requestSubmit(asking === form ? null : submitter);
  });
});

// A form that takes a while shows that it was submitted, and cannot be submitted twice.
document.addEventListener("submit", (event) => {
  const { submitter, defaultPrevented } = event;
  const busyText = ancestorForm(event).dataset.busy;
  if (defaultPrevented || !busyText || !(submitter instanceof HTMLButtonElement)) return;
  const label = submitter.textContent;
  [submitter.textContent, submitter.disabled] = [busyText, true];
  addEventListener(
    "pagehide",
    () => ([submitter.textContent, submitter.disabled] = [label, false]),
    { once: true },
  );
});

/** @param {SubmitEvent} event */
const ancestorForm = (event) =>
  ancestor(/** @type {Element} */ (event.target), "form", HTMLFormElement);

/**
 * Ask a question in a dialog.
 * @param {string} question
 * @param {string} [yes] The label of the button that confirms.
 * @returns {Promise<boolean>} Whether it was confirmed.
 */
export function confirmDialog(question, yes = "Yes") {
  return new Promise((resolve) => {
    const no = element("button", { value: "no", autofocus: true }, "Cancel");
    const dialog = element(
      "dialog",
      { "aria-label": question },
      element(
        "form",
        { method: "dialog" },
        element("p", {}, question),
        element(
          "p",
          { class: "actions" },
          element("button", { class: "danger", value: "yes" }, yes),
          no,
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
