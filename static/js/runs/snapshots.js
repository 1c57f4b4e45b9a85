// The snapshots of a model: which there are, and which is the best.

/** The snapshots after a `snapshot` event, in the order in which they were written: with the new one, without those that it replaced. */
export function withSnapshot(snapshots, { name, epoch, step, size, scalars, removed = [] }) {
  const gone = new Set([name, ...removed]);
  const others = snapshots.filter((one) => !gone.has(one.snapshot));
  return [...others, { snapshot: name, epoch, step, size, ...scalars }];
}

/** After a `removed` event. */
export const withoutSnapshots = (snapshots, gone) => snapshots.filter((one) => !gone.includes(one.snapshot));

/** After a `resumed` event: the snapshot that the run goes on from is the last one now. */
export function resumedAt(snapshots, step) {
  return [...snapshots.filter((one) => one.step !== step), ...snapshots.filter((one) => one.step === step)];
}

/** The one with the lowest validation loss; those that were written when the job was stopped have none. */
export function bestOf(snapshots) {
  const validated = snapshots.filter((one) => one["val/l1"] != null);
  return validated.reduce((low, one) => (low && low["val/l1"] <= one["val/l1"] ? low : one), null);
}
