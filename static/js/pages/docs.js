// The page of the API: Swagger UI with the description that the server sends of itself.
import SwaggerUI from "../../vendor/swagger.js";
import { withRoot } from "../base/address.js";

SwaggerUI({
  url: withRoot("/api/v1/openapi.json"),
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  validatorUrl: null, // Nothing is sent to other hosts.
});
