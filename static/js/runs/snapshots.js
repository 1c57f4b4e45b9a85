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
export function bestOf(snapshots) {
  /** @type {Snapshot | null} */
  let best = null;
  let lowest = Infinity;
  for (const snapshot of snapshots) {
    const loss = snapshot["val/l1"];
    if (loss == null || (best && loss >= lowest)) continue;
    best = snapshot;
    lowest = loss;
  }
  return best;
}
