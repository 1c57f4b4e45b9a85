// Fields that belong to a choice (a kind of source, a way to split) are shown and sent only where it is made. What was typed
// goes along to the fields of the same name of another choice.
import { carried, isChosen } from "./form_values.js";

for (const form of document.querySelectorAll("form")) {
  const parts = [...form.querySelectorAll("[data-when]")].map((part) => ({ part, when: JSON.parse(part.dataset.when) }));

  const show = () => {
    // From outside in, as in the document: what a hidden choice would say does not count.
    const appeared = [];
    for (const { part, when } of parts) {
      const on = isChosen(when, new FormData(form));
      if (on && part.hidden) appeared.push(part);
      part.hidden = !on;
      if (part.matches("fieldset")) part.disabled = !on;
    }
    for (const fold of form.querySelectorAll("details.more")) fold.hidden = !fold.querySelector(".field:not([hidden])");
    return appeared;
  };

  let changing = false;
  const change = () => {
    if (changing) return; // A field that is hidden while it has the focus tells of its own change just then.
    changing = true;
    const before = new Map(settings(form).map((field) => [field.name, { value: read(field), usual: usual(field) }]));
    for (const part of show()) {
      for (const field of settings(part)) {
        if (before.has(field.name)) write(field, carried(before.get(field.name), { usual: usual(field) }));
      }
    }
    changing = false;
  };

  form.addEventListener("change", change);
  window.addEventListener("pageshow", show); // The browser may have put back what was typed before.
  show();
}

/** The fields of kinds, that can be used now. */
function settings(part) {
  return [...part.querySelectorAll("[data-default]:enabled")];
}

const isBox = (field) => field.type === "checkbox";
const read = (field) => (isBox(field) ? field.checked : field.value);
const usual = (field) => (isBox(field) ? field.dataset.default === "True" : field.dataset.default);

function write(field, value) {
  if (isBox(field)) field.checked = value;
  else if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
}
