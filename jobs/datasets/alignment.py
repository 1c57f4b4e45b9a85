"""Whether the frames of a stream are those of their originals: the offset at which they match, and where it changes.

A lost first frame moves all pairs by one; a frame that was dropped or doubled in the middle moves all behind
it. Either way every pair still looks plausible, and a network learns to blur.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jobs.media.images import Picture
from jobs.specs.dataset import MAX_OFFSET

OFFSETS = range(-MAX_OFFSET, MAX_OFFSET + 1)
SAMPLES_A_SIDE = 48
CHANGE_COSTS = 15.0
"""dB that a changed offset must win, summed over the frames behind it: noise and standing pictures stay under it."""
LEAST_ERROR = 0.01
"""Mean squared error that counts as equal: about 68 dB."""

TIE = 0.05
"""dB"""

Levels = NDArray[np.float32]
Psnr = NDArray[np.float64]


@dataclass(frozen=True)
class Jump:
    """From this frame of the stream on, pairs belong together at offset `after`, not `before`."""

    frame: int
    before: int
    after: int

    def words(self) -> str:
        by = abs(self.after - self.before)
        frames = "a frame" if by == 1 else f"{by} frames"
        if self.after > self.before:
            return f"From frame {self.frame} on the stream is ahead of its originals: {frames} dropped before it."
        return f"From frame {self.frame} on the stream is behind its originals: {frames} doubled before it."


@dataclass(frozen=True)
class Alignment:
    """Mean PSNR (dB) at each of OFFSETS, NaN where no frame has a partner; the best at the start; and where it changes."""

    psnr: list[float]
    best: int
    jumps: list[Jump]
    frames: int
    """Frames that were compared."""

    def at(self, offset: int) -> float:
        return self.psnr[OFFSETS.index(offset)]


def glance(picture: Picture) -> Levels:
    """A grid of single pixels, about 48 a side: their errors are a fair sample of all, and not blurred."""
    height, width = picture.shape[:2]
    rows, columns = (max(1, side // SAMPLES_A_SIDE) for side in (height, width))
    return picture[rows // 2 :: rows, columns // 2 :: columns].astype(np.float32).ravel()


def align(inputs: list[Levels], targets: list[Levels]) -> Alignment:
    """Compare glances of frames with those of originals, all of one size, at all offsets."""
    psnr = psnr_at_offsets(inputs, targets)
    # At equal PSNR (a standing picture) the simplest answer counts: offset 0.
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
    """PSNR of input n and target n + offset: (frames, offsets), NaN where there is no such target."""
    psnr = np.full((len(inputs), len(OFFSETS)), np.nan)
    for number, input in enumerate(inputs):
        for place, offset in enumerate(OFFSETS):
            other = number + offset
            if 0 <= other < len(targets) and targets[other].shape == input.shape:
                error = float(np.square(input - targets[other]).mean())
                psnr[number, place] = 10 * np.log10(255**2 / max(error, LEAST_ERROR))
    return psnr


def best_offsets(psnr: Psnr, means: Psnr, peak: int) -> list[int]:
    """The offset of each frame: the path of highest total PSNR where each change costs (Viterbi's algorithm)."""
    frames, offsets = psnr.shape
    # Frames at the ends that have no partner at an offset speak neither for nor against it.
    known = np.where(np.isnan(psnr), np.nan_to_num(means, nan=0.0), psnr)
    total = np.where(np.arange(offsets) == OFFSETS.index(peak), 0.0, -CHANGE_COSTS)
    came_from = np.zeros((frames, offsets), int)
    for number in range(frames):
        jumped = int(total.argmax())
        stay = total >= total[jumped] - CHANGE_COSTS
        came_from[number] = np.where(stay, np.arange(offsets), jumped)
        total = np.where(stay, total, total[jumped] - CHANGE_COSTS) + known[number]
    place = int(total.argmax())
    path = []
    for number in reversed(range(frames)):
        path.append(OFFSETS[place])
        place = int(came_from[number, place])
    return path[::-1]


def jumps_in(path: list[int]) -> list[Jump]:
    changes = pairwise(path)
    return [
        Jump(number, before, after)
        for number, (before, after) in enumerate(changes, 1)
        if before != after
    ]
