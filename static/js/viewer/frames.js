// Frames by their times: `times` are when each frame of a video is shown, in seconds, rising. Pure: tested with node.

const SLACK = 1e-4;

/** The frame that is shown at a time. */
export function frameAt(times, time) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (times[middle] <= time + SLACK) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A time at which that frame is certainly shown: its middle. */
export function middleOf(times, frame) {
  const at = Math.min(Math.max(frame, 0), times.length - 1);
  const next = times[at + 1] ?? times[at] + (at ? times[at] - times[at - 1] : 0.04);
  return (times[at] + next) / 2;
}
