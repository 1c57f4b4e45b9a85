// The page of the queue: written by the server, and asked for again when a job comes or goes.
import { watchAll } from "../base/live.js";
import { refresher } from "../base/refresh.js";

// Not while a priority is being typed: it would be lost.
const refresh = refresher("#found", () => {}, () => document.activeElement?.matches("#found input"));

watchAll({
  seen: (_, events) => events.some(({ type }) => type === "state") && refresh(),
  missed: () => refresh(),
});
