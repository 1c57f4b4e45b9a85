"""Learning-rate policies: the rate as a function of the progress of the run."""


def exponential(base: float, gamma: float, progress: float, scale: float = 1.0) -> float:
    """base * gamma ** (progress * scale), with progress from 0 to 1.

    `scale` says what gamma is counted per: 1 for the run, 100 for each percent of it (as DIGITS
    counts), the number of epochs, or the number of iterations (as Caffe counts).
    """
    rate: float = base * gamma ** (progress * scale)
    return rate


def decay_scale(per: str, epochs: float, iterations: float) -> float:
    """The `scale` that belongs to "run", "percent", "epoch" or "iteration"."""
    return {"run": 1.0, "percent": 100.0, "epoch": float(epochs), "iteration": float(iterations)}[per]
