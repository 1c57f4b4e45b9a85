// The snapshots of a model, in the order in which they were written.

/** @import { JobSummary, Snapshot, SnapshotEvent } from "../base/types.js" */

/** @typedef {NonNullable<JobSummary["leader"]>} Leader */

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
 * The best snapshot: the one with the lowest validation loss, or with the highest PSNR; of equal
 * PSNRs, the one with the lowest loss. Snapshots that are written when a job is stopped are not
 * validated and do not count.
 * @param {Snapshot[]} snapshots
 * @param {Leader} [leader]
 * @returns {Snapshot | null}
 */
export function bestOf(snapshots, leader = "loss") {
  const lowest = leastBy(snapshots, (snapshot) => snapshot["val/l1"]);
  if (leader === "loss") return lowest;
  const validated = snapshots.filter((snapshot) => snapshot["val/l1"] != null);
  const most = leastBy(validated, ({ "val/psnr": psnr }) => (psnr == null ? null : -psnr));
  if (!most) return lowest;
  const equal = validated.filter((snapshot) => snapshot["val/psnr"] === most["val/psnr"]);
  return leastBy(equal, (snapshot) => snapshot["val/l1"]);
}

/**
 * The marks of the snapshots that lead, by name: two if one has the lowest loss and another the
 * highest PSNR.
 * @param {Snapshot[]} snapshots
 * @returns {Map<string, string>}
 */
export function marksOf(snapshots) {
  const [lowest, sharpest] = [bestOf(snapshots), bestOf(snapshots, "psnr")];
  if (!lowest || !sharpest) return new Map();
  if (sharpest["val/psnr"] === lowest["val/psnr"]) return new Map([[lowest.snapshot, "best"]]);
  return new Map([
    [sharpest.snapshot, "highest PSNR"],
    [lowest.snapshot, "lowest loss"],
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
