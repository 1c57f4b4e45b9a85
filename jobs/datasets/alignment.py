"""Alignment of a stream with its originals: the frame offset, and the frames where it changes.

A lost first frame shifts all pairs by one. A frame that was dropped or duplicated in the middle
shifts all pairs after it. Every pair still looks plausible, and a network learns to blur.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jobs.media.images import Picture
from jobs.specs.sources import MAX_OFFSET

OFFSETS = range(-MAX_OFFSET, MAX_OFFSET + 1)
SAMPLES_A_SIDE = 48
CHANGE_COSTS = 15.0
"""dB that a change of offset must gain, summed over the frames after it.

Noise and still pictures gain less.
"""
MIN_ERROR = 0.01
"""Mean squared error that counts as equal: about 68 dB."""

TIE = 0.05
"""Differences below this many dB count as equal."""

Levels = NDArray[np.float32]
Psnr = NDArray[np.float64]


@dataclass(frozen=True)
class Jump:
    """A change of offset: from `frame` of the stream, `after` applies instead of `before`."""

    frame: int
    before: int
    after: int

    def text(self) -> str:
        """Return a sentence for users."""
        by = abs(self.after - self.before)
        frames = "a frame was" if by == 1 else f"{by} frames were"
        if self.after > self.before:
            return (
                f"From frame {self.frame}, the stream is ahead of its originals: "
                f"{frames} dropped before it."
            )
        return (
            f"From frame {self.frame}, the stream is behind its originals: "
            f"{frames} duplicated before it."
        )


@dataclass(frozen=True)
class Alignment:
    """The result of comparing a stream with its originals."""

    psnr: list[float]
    """Mean PSNR (dB) at each of OFFSETS; NaN if no frame has a partner."""
    best: int
    """The best offset at the start of the stream."""
    jumps: list[Jump]
    frames: int
    """The number of compared frames."""

    def at(self, offset: int) -> float:
        return self.psnr[OFFSETS.index(offset)]


def glance(picture: Picture) -> Levels:
    """Return a grid of single pixels, about 48 per side.

    Unlike averages, single pixels have the same errors as the full picture.
    """
    height, width = picture.shape[:2]
    rows, columns = (max(1, side // SAMPLES_A_SIDE) for side in (height, width))
    return picture[rows // 2 :: rows, columns // 2 :: columns].astype(np.float32).ravel()


def align(inputs: list[Levels], targets: list[Levels]) -> Alignment:
    """Compare the glances of frames and originals, all of one size, at all offsets."""
    psnr = psnr_at_offsets(inputs, targets)
    # At equal PSNR (a still picture), prefer offset 0.
    means = np.array(
        [
            column[~np.isnan(column)].mean() if not np.isnan(column).all() else np.nan
            for column in psnr.T
        ]
    )
    peak = (
        0
        if means[OFFSETS.index(0)] >= np.nanmax(means) - TIE
        else OFFSETS[int(np.nanargmax(means))]
    )
    path = best_offsets(psnr, means, peak)
    return Alignment(means.tolist(), path[0], jumps_in(path), len(inputs))


def psnr_at_offsets(inputs: list[Levels], targets: list[Levels]) -> Psnr:
    """Return the PSNR of input n and target n + offset: (frames, offsets); NaN without a target."""
    psnr = np.full((len(inputs), len(OFFSETS)), np.nan)
    for number, input in enumerate(inputs):
        for column, offset in enumerate(OFFSETS):
            other = number + offset
            if 0 <= other < len(targets) and targets[other].shape == input.shape:
                error = float(np.square(input - targets[other]).mean())
                psnr[number, column] = 10 * np.log10(255**2 / max(error, MIN_ERROR))
    return psnr


def best_offsets(psnr: Psnr, means: Psnr, peak: int) -> list[int]:
    """Return the offset of each frame by Viterbi's algorithm.

    The path has the highest total PSNR, less CHANGE_COSTS for each change of offset.
    """
    frames, offsets = psnr.shape
    # Frames at the ends without a partner get the mean, so that they do not favour any offset.
    scores = np.where(np.isnan(psnr), np.nan_to_num(means, nan=0.0), psnr)
    total = np.where(np.arange(offsets) == OFFSETS.index(peak), 0.0, -CHANGE_COSTS)
    came_from = np.zeros((frames, offsets), int)
    for number in range(frames):
        jumped = int(total.argmax())
        stay = total >= total[jumped] - CHANGE_COSTS
        came_from[number] = np.where(stay, np.arange(offsets), jumped)
        total = np.where(stay, total, total[jumped] - CHANGE_COSTS) + scores[number]
    column = int(total.argmax())
    path = []
    for number in reversed(range(frames)):
        path.append(OFFSETS[column])
        column = int(came_from[number, column])
    return path[::-1]


def jumps_in(path: list[int]) -> list[Jump]:
    changes = pairwise(path)
    return [
        Jump(number, before, after)
        for number, (before, after) in enumerate(changes, 1)
        if before != after
    ]
