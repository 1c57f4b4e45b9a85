// Frames of a video by time. `times` are the times in seconds at which frames are shown, ascending.
// Without DOM: node runs the tests.

const SLACK = 1e-4;

/**
 * The frame that is shown at a time.
 * @param {number[]} times
 * @param {number} time
 */
export function frameAt(times, time) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (times[middle] <= time + SLACK) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The middle of the time in which a frame is shown: rounding cannot select another frame.
 * @param {number[]} times
 * @param {number} frame
 */
export function middleOf(times, frame) {
  const index = Math.min(Math.max(frame, 0), times.length - 1);
  const previousDuration = index ? times[index] - times[index - 1] : 0.04;
  const next = times[index + 1] ?? times[index] + previousDuration;
  return (times[index] + next) / 2;
}
