// The snapshots of a model, in the order in which they were written.

/** @import { Snapshot, SnapshotEvent } from "../base/types.js" */

/**
 * Add the snapshot of a `snapshot` event, and remove those that it replaces.
 * @param {Snapshot[]} snapshots
 * @param {SnapshotEvent} event
 * @returns {Snapshot[]}
 */
export function withSnapshot(snapshots, { name, epoch, step, size, scalars, removed = [] }) {
  const others = withoutSnapshots(snapshots, [name, ...removed]);
  return [...others, { snapshot: name, epoch, step, size, ...scalars }];
}

/**
 * Remove the snapshots of a `removed` event.
 * @param {Snapshot[]} snapshots
 * @param {string[]} removed Names.
 */
export const withoutSnapshots = (snapshots, removed) =>
  snapshots.filter(({ snapshot }) => !removed.includes(snapshot));

/**
 * The order after a `resumed` event: the snapshot that the run continues from becomes the last one.
 * @param {Snapshot[]} snapshots
 * @param {number} step
 */
export function resumedAt(snapshots, step) {
  return [
    ...snapshots.filter((snapshot) => snapshot.step !== step),
    ...snapshots.filter((snapshot) => snapshot.step === step),
  ];
}

/**
 * The snapshot with the lowest validation loss. Snapshots that are written when a job is stopped
 * are not validated and do not count.
 * @param {Snapshot[]} snapshots
 * @returns {Snapshot | null}
 */
export const bestOf = (snapshots) => leastBy(snapshots, (snapshot) => snapshot["val/l1"]);

/**
 * The marks of the snapshots that lead, by name: two if one has the lowest loss and another the
 * highest PSNR.
 * @param {Snapshot[]} snapshots
 * @returns {Map<string, string>}
 */
export function marksOf(snapshots) {
  const best = bestOf(snapshots);
  const sharpest = leastBy(snapshots, ({ "val/psnr": psnr }) => (psnr == null ? null : -psnr));
  if (!best) return new Map();
  if (!sharpest || sharpest["val/psnr"] === best["val/psnr"])
    return new Map([[best.snapshot, "best"]]);
  return new Map([
    [sharpest.snapshot, "highest PSNR"],
    [best.snapshot, "lowest loss"],
  ]);
}

/**
 * The first of the snapshots with the least value. Those without a value do not count.
 * @param {Snapshot[]} snapshots
 * @param {(snapshot: Snapshot) => number | null | undefined} valueOf
 * @returns {Snapshot | null}
 */
function leastBy(snapshots, valueOf) {
  /** @type {Snapshot | null} */
  let first = null;
  let least = Infinity;
  for (const snapshot of snapshots) {
    const value = valueOf(snapshot);
    if (value == null || (first && value >= least)) continue;
    first = snapshot;
    least = value;
  }
  return first;
}
