// What is asked before it is done, and what is folded behind ⋯: on every page, by attributes.
//   data-opens="id" opens a dialog; data-closes, within it, closes it
//   form or button data-confirm="Delete this?" data-yes="Delete it" asks before it is sent
import { element } from "./dom.js";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    // Where the dialog gives the focus back to.
    opener.closest(".menu")?.querySelector("summary").focus();
    closeMenus();
    document.getElementById(opener.dataset.opens).showModal();
  }
  event.target.closest("[data-closes]")?.closest("dialog").close();
  if (!event.target.closest(".menu") || event.target.closest(".menu a")) closeMenus();
});

document.addEventListener("focusout", ({ target, relatedTarget }) => {
  const menu = target.closest?.(".menu[open]");
  if (menu && relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
});

document.addEventListener("toggle", ({ target }) => {
  if (!target.matches?.(".menu[open]")) return;
  closeMenus(target);
  place(target);
}, true);

// What is placed by the window is placed anew when something scrolls.
document.addEventListener("scroll", () => document.querySelectorAll(".menu[open]").forEach(place), true);

/** Below what opened it, or above where there is no room: by the window, so that no table cuts it off. */
function place(menu) {
  const box = menu.querySelector("div");
  const at = menu.querySelector("summary").getBoundingClientRect();
  box.style.position = "fixed";
  box.style.right = "auto";
  box.style.left = `${Math.max(8, at.right - box.offsetWidth)}px`;
  box.style.top = `${at.bottom + 4 + box.offsetHeight > innerHeight ? Math.max(8, at.top - 4 - box.offsetHeight) : at.bottom + 4}px`;
}

document.addEventListener("keydown", (event) => {
  const open = document.querySelector(".menu[open]");
  if (!open) return;
  if (event.key === "Escape") {
    open.querySelector("summary").focus();
    closeMenus();
  }
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const items = [...open.querySelectorAll("a, button")];
  const now = items.indexOf(document.activeElement);
  items[(now + by + items.length + (now < 0 && by < 0 ? 1 : 0)) % items.length].focus();
});

function closeMenus(but = null) {
  for (const menu of document.querySelectorAll(".menu[open]")) if (menu !== but) menu.open = false;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const by = event.submitter?.dataset.confirm ? event.submitter : form;
  if (!by.dataset.confirm || by.dataset.sure) return;
  event.preventDefault();
  asks(by.dataset.confirm, by.dataset.yes).then((yes) => {
    if (!yes) return;
    by.dataset.sure = "yes";
    form.requestSubmit(by === form ? null : by);
  });
});

// What takes a while to be answered says so, and is not asked for twice.
document.addEventListener("submit", ({ target, submitter, defaultPrevented }) => {
  if (defaultPrevented || !target.dataset.meanwhile || !submitter) return;
  const said = submitter.textContent;
  [submitter.textContent, submitter.disabled] = [target.dataset.meanwhile, true];
  addEventListener("pagehide", () => ([submitter.textContent, submitter.disabled] = [said, false]), { once: true });
});

/** Whether the person says yes to a question. */
export function asks(question, yes = "Yes") {
  return new Promise((answer) => {
    const no = element("button", { value: "no", autofocus: true }, "Cancel");
    const dialog = element("dialog", { "aria-label": question }, element("form", { method: "dialog" }, element("p", {}, question), element("p", { class: "actions" }, element("button", { class: "danger", value: "yes" }, yes), no)));
    dialog.addEventListener("close", () => {
      answer(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
