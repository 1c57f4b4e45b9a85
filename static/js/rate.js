// The learning rate over a run, as jobs/train.py computes it.

export function rateAt(progress, { base, gamma, scale }) {
  return base * gamma ** (progress * scale);
}

export function scaleOf(per, epochs, stepsAnEpoch) {
  return { run: 1, percent: 100, epoch: epochs, iteration: epochs * stepsAnEpoch }[per];
}

/** The progress (0 to 1) at which the rate falls under 1 % of its base; null where it never does. */
export function deathOf({ gamma, scale }) {
  if (gamma >= 1) return null;
  const at = Math.log(0.01) / (Math.log(gamma) * scale);
  return at <= 1 ? at : null;
}
