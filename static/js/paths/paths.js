// Fields for paths on the server: with completion, a dialog to browse, and uploads.
import { request } from "../base/api.js";
import { element, findAll } from "../base/dom.js";
import "./picker.js";
import "./upload_field.js";

/** @import { Folder } from "../base/types.js" */

for (const input of findAll(document, "input[data-path]", HTMLInputElement)) {
  const list = element("datalist", { id: `${input.id}-paths` });
  input.after(list);
  input.setAttribute("list", list.id);
  // The end of a long path, the file's name, tells most.
  const showEnd = () => {
    input.title = input.value;
    if (document.activeElement !== input) input.scrollLeft = input.scrollWidth;
  };
  for (const type of ["input", "change"]) input.addEventListener(type, showEnd);
  // Chromium shows the start of a field that loses the focus, after this event.
  input.addEventListener("blur", () => requestAnimationFrame(showEnd));
  showEnd();
  let latest = 0;
  const complete = async () => {
    const turn = ++latest;
    /** @type {Folder | null} */
    const folder = await request(`/files?path=${encodeURIComponent(input.value)}`).catch(
      () => null,
    );
    if (!folder || turn !== latest) return;
    const accepted = folder.entries.filter(
      ({ type }) => input.dataset.path !== "folder" || type === "folder",
    );
    list.replaceChildren(
      ...accepted.map(({ path, type }) =>
        element("option", { value: path + (type === "folder" ? "/" : "") }),
      ),
    );
  };
  input.addEventListener("focus", complete);
  input.addEventListener("input", complete);
}
