// Fields for paths of the server: completed while they are typed, and chosen in a dialog, or sent from here.
import { at } from "../base/address.js";
import { element } from "../base/dom.js";
import "./picker.js";
import "./upload.js";

for (const input of document.querySelectorAll("input[data-path]")) {
  const list = element("datalist", { id: `${input.id}-paths` });
  input.after(list);
  input.setAttribute("list", list.id);
  let asked = 0;
  const complete = async () => {
    const turn = ++asked;
    const answer = await fetch(at(`/api/v1/files?path=${encodeURIComponent(input.value)}`));
    if (!answer.ok || turn !== asked) return;
    const { entries } = await answer.json();
    const wanted = entries.filter((entry) => input.dataset.path !== "folder" || entry.type === "folder");
    list.replaceChildren(...wanted.map((entry) => element("option", { value: entry.path + (entry.type === "folder" ? "/" : "") })));
  };
  input.addEventListener("focus", complete);
  input.addEventListener("input", complete);
}
