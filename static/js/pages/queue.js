// The page of the queue. The server renders it again when the state of a job changes.
import { watchAll } from "../base/live.js";
import { refresher } from "../base/refresh.js";

const refresh = refresher(
  "#content",
  () => {},
  () => document.activeElement?.matches("#content input"), // It would discard a priority being typed.
);

watchAll({
  onEvents: (_job, events) => {
    if (events.some(({ type }) => type === "state")) refresh();
  },
  onMissed: () => refresh(),
});
