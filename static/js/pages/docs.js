// The page of the API: a list of operations. The first one that is chosen opens Swagger UI, with the
// description that the server sends of itself; an address may name one already.
import { withRoot } from "../base/address.js";
import { messageOf } from "../base/api.js";
import { element, find } from "../base/dom.js";

const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const holder = find(document, "#api");

if (location.hash.startsWith("#/")) open();
else addEventListener("hashchange", open, { once: true });

/**
 * Load Swagger UI, and show it in place of the list, at the operation of the address. Without it,
 * the list stays.
 */
async function open() {
  const operations = find(document, "#list");
  operations.hidden = true;
  holder.replaceChildren(element("p", { class: "quiet" }, "Loading the operations…"));
  try {
    const [{ default: SwaggerUI }] = await Promise.all([
      import("../../vendor/swagger.js"),
      styles(holder.dataset.styles ?? ""),
    ]);
    show(SwaggerUI);
  } catch (error) {
    holder.replaceChildren(
      element(
        "p",
        { class: "notice", role: "alert" },
        `Operations cannot be opened: ${messageOf(error)}. Check the connection and reload the page.`,
      ),
    );
    operations.hidden = false;
  }
}

/** @param {(options: object) => unknown} SwaggerUI */
function show(SwaggerUI) {
  SwaggerUI({
    url: withRoot("/api/v1/openapi.json"),
    dom_id: "#api",
    deepLinking: true,
    docExpansion: "list",
    filter: true,
    // There is one server, this one: without its choice, which has no label.
    plugins: [() => ({ wrapComponents: { ServersContainer: () => () => null } })],
    validatorUrl: null, // Nothing is sent to other hosts.
  });
}

/**
 * Add a stylesheet to the page.
 * @param {string} href
 */
function styles(href) {
  const link = element("link", { rel: "stylesheet", href });
  document.head.append(link);
  return new Promise((loaded, failed) => {
    link.addEventListener("load", loaded);
    link.addEventListener("error", () => failed(new Error(`${href} could not be loaded`)));
  });
}

/** Swagger UI has a class of its own for dark pages. */
function showTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
  root.classList.toggle("dark-mode", isDark);
}

showTheme();
document.addEventListener("themechange", showTheme);
systemIsDark.addEventListener("change", showTheme);
