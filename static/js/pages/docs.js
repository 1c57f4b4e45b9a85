// The page of the API: Swagger UI with the description that the server sends of itself.
import SwaggerUI from "../../vendor/swagger.js";
import { withRoot } from "../base/address.js";

const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

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
showTheme();
document.addEventListener("themechange", showTheme);
systemIsDark.addEventListener("change", showTheme);

/** Swagger UI has a class of its own for dark pages. */
function showTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
  root.classList.toggle("dark-mode", isDark);
}
