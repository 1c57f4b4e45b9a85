// Types that only the scripts have; types.js has those of the server. No code.

/** @import { Job, Series, ShownLayer } from "./types.js" */

/**
 * @typedef {Job["state"]} JobState
 * @typedef {JobState | "deleted"} ShownState
 * @typedef {Job & { may_change?: boolean }} ShownJob The job of a page; `may_change`: whether its user
 *   may change it.
 * @typedef {Record<string, number | null>} Scalars
 * @typedef {"step" | "epoch" | "time"} AxisName
 * @typedef {Record<string, Series>} SeriesByKey
 * @typedef {ShownLayer & { version?: string }} Layer `version` is appended to the
 *   URLs of the pictures.
 * @typedef {{ width: number, height: number }} Size
 * @typedef {{ x: number, y: number }} Point
 */

export {};
