// Fields that belong to a choice (a kind of source, a way to split) are shown and sent only where it is made.
import { isChosen } from "./form_values.js";

for (const form of document.querySelectorAll("form")) {
  const parts = [...form.querySelectorAll("[data-when]")].map((part) => ({ part, when: JSON.parse(part.dataset.when) }));
  const show = () => {
    // From outside in, as in the document: what a hidden choice would say does not count.
    for (const { part, when } of parts) {
      const on = isChosen(when, new FormData(form));
      part.hidden = !on;
      if (part.matches("fieldset")) part.disabled = !on;
    }
    for (const fold of form.querySelectorAll("details.more")) fold.hidden = !fold.querySelector(".field:not([hidden])");
  };
  form.addEventListener("change", show);
  show();
}
