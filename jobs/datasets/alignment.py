"""Alignment of a stream with its originals: the frame offset, and the frames where it changes.

A lost first frame shifts all pairs by one. A frame that was dropped or duplicated in the middle
shifts all pairs after it. Every pair still looks plausible, and a network learns to blur.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jobs.media.images import Picture

REACH = 8
"""Offsets on each side of the peak that are compared for every frame."""
FAR_FRAMES = 64
"""Frames that are compared with all originals, to find an offset beyond REACH."""
FAR_GAIN = 1.0
"""dB by which a far offset must fit the same frames better than a near one."""
EXTENSIONS = 4
"""Times that REACH offsets are added where PSNR still rises, as in a slow pan."""
MIN_PARTNERS = 4
MIN_SHARE = 0.25
"""An offset beyond REACH counts only with as many pairs, and this share of the frames."""
UNRELATED_PSNR = 18.0
"""dB. Pictures of one scene, eight frames apart, have a higher PSNR than this."""
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

    offsets: list[int]
    """The compared offsets, in order."""
    psnr: list[float]
    """Mean PSNR (dB) at each of the offsets; NaN if no frame has a partner."""
    best: int
    """The best offset at the start of the stream."""
    at_edge: bool
    """Whether the best offset is the furthest that could be compared."""
    jumps: list[Jump]
    frames: int
    """The number of compared frames."""

    def at(self, offset: int) -> float:
        """The mean PSNR at an offset; NaN if it was not compared."""
        return self.psnr[self.offsets.index(offset)] if offset in self.offsets else math.nan

    @property
    def is_related(self) -> bool:
        """Whether pictures of one scene were compared."""
        known = [value for value in self.psnr if not math.isnan(value)]
        return max(known, default=-math.inf) >= UNRELATED_PSNR

    def advice(self, offset: int) -> list[str]:
        """Sentences for users whose stream has this offset; empty if it fits.

        Advises another offset only if the PSNR confirms it.
        """
        if all(math.isnan(value) for value in self.psnr):
            return []  # No two pictures could be compared: others say why.
        if math.isnan(self.at(offset)):
            return [
                f"Offset {offset} was not compared: only the first {self.frames} frames were read "
                "in the time. Compare more frames."
            ]
        if not self.is_related:
            return [
                "The frames do not match these originals at any offset: "
                f"the best PSNR is {self.at(self.best):.1f} dB."
            ]
        better = self.jumps or not self.at(self.best) <= self.at(offset) + TIE
        return [
            *([self._offset_text(offset)] if self.best != offset and better else []),
            *(jump.text() for jump in self.jumps),
        ]

    def _offset_text(self, offset: int) -> str:
        if self.at_edge:
            return (
                f"The frames match best at offset {self.best:+d}, the furthest that could be "
                "compared: the true offset may be further off. Compare more frames."
            )
        return (
            f"The frames match their originals at offset {self.best:+d}, not {offset}: "
            f"{self.at(self.best):.1f} dB against {self.at(offset):.1f} dB."
        )


def glance(picture: Picture) -> Levels:
    """Return a grid of single pixels, about 48 per side.

    Unlike averages, single pixels have the same errors as the full picture.
    """
    height, width = picture.shape[:2]
    rows, columns = (max(1, side // SAMPLES_A_SIDE) for side in (height, width))
    return picture[rows // 2 :: rows, columns // 2 :: columns].astype(np.float32).ravel()


def align(inputs: list[Levels], targets: list[Levels], given: int = 0) -> Alignment:
    """Compare the glances of frames and originals at all offsets, and at the given one."""
    if not inputs or not targets:
        return Alignment([given], [math.nan], given, False, [], 0)
    reach = set(range(-REACH, REACH + 1)) | {given}
    far = _far_offset(inputs, targets, _peak(inputs, targets, sorted(reach)))
    if far is not None:
        reach |= set(range(far - REACH, far + REACH + 1))
    offsets = sorted(reach)
    # One side may be decoded further than the other: its last frames have no partners.
    inputs = inputs[: len(targets) - min(far or 0, given, 0)]
    peak = _peak(inputs, targets, offsets)
    for _ in range(EXTENSIONS):
        if _is_edge(peak, offsets) and _is_possible(peak, inputs, targets):
            offsets = sorted({*offsets, *range(peak - REACH, peak + REACH + 1)})
            peak = _peak(inputs, targets, offsets)
    psnr = psnr_at_offsets(inputs, targets, offsets)
    means = _means(psnr)
    path = best_offsets(psnr, means, offsets, peak)
    return Alignment(
        offsets,
        means.tolist(),
        path[0],
        _is_edge(path[0], [o for o, m in zip(offsets, means, strict=True) if not math.isnan(m)]),
        jumps_in(path),
        len(inputs),
    )


def _is_edge(offset: int, offsets: list[int]) -> bool:
    """Whether an offset beyond 0 has no further neighbour."""
    return offset + (1 if offset > 0 else -1) not in offsets


def _is_possible(peak: int, inputs: list[Levels], targets: list[Levels]) -> bool:
    """Whether enough frames have a partner at the next offset."""
    further = peak + 1 if peak > 0 else peak - 1
    partners = min(len(inputs), len(targets) - further) - max(0, -further)
    return partners >= max(MIN_PARTNERS, len(inputs) * MIN_SHARE)


def _means(psnr: Psnr) -> Psnr:
    """The mean PSNR at each offset; NaN if no frame has a partner."""
    return np.array(
        [
            column[~np.isnan(column)].mean() if not np.isnan(column).all() else np.nan
            for column in psnr.T
        ]
    )


def _peak(inputs: list[Levels], targets: list[Levels], offsets: list[int]) -> int:
    """The offset of the highest mean PSNR; 0 at equal PSNR (a still picture)."""
    means = _means(psnr_at_offsets(inputs, targets, offsets))
    if np.isnan(means).all() or means[offsets.index(0)] >= np.nanmax(means) - TIE:
        return 0
    return offsets[int(np.nanargmax(means))]


def _far_offset(inputs: list[Levels], targets: list[Levels], near: int) -> int | None:
    """The offset that fits some of the frames much better than `near` does, or None.

    Both are compared over the same frames: an offset that pairs only the black frames of the end
    has a high PSNR, but no gain.
    """
    if len({levels.shape for levels in (*inputs, *targets)}) != 1:
        return None
    numbers = np.unique(np.linspace(0, len(inputs) - 1, FAR_FRAMES).astype(int))
    psnr = _psnr_of_all(np.stack([inputs[number] for number in numbers]), np.stack(targets))
    rows, partners = np.arange(len(numbers)), numbers + near
    known = (partners >= 0) & (partners < len(targets))
    if not known.any():
        return None
    at_near = np.full(len(numbers), psnr[rows[known], partners[known]].mean())
    at_near[known] = psnr[rows[known], partners[known]]
    best, gain = None, FAR_GAIN
    for offset in range(-len(inputs) + 1, len(targets)):
        partners = numbers + offset
        valid = (partners >= 0) & (partners < len(targets))
        if valid.sum() < max(MIN_PARTNERS, len(numbers) * MIN_SHARE):
            continue
        values = psnr[rows[valid], partners[valid]]
        if values.mean() >= UNRELATED_PSNR and (values - at_near[valid]).mean() > gain:
            best, gain = offset, float((values - at_near[valid]).mean())
    return best


def _psnr_of_all(inputs: Levels, targets: Levels) -> Psnr:
    """The PSNR of each input with each target, by the matrix product of their levels."""
    inputs, targets = inputs - 128, targets - 128  # Smaller numbers lose less precision.
    errors = (
        np.square(inputs).mean(axis=1)[:, None]
        + np.square(targets).mean(axis=1)[None]
        - 2 * (inputs @ targets.T) / inputs.shape[1]
    )
    psnr: Psnr = 10 * np.log10(255**2 / np.maximum(errors.astype(np.float64), MIN_ERROR))
    return psnr


def psnr_at_offsets(inputs: list[Levels], targets: list[Levels], offsets: list[int]) -> Psnr:
    """Return the PSNR of input n and target n + offset: (frames, offsets); NaN without a target."""
    psnr = np.full((len(inputs), len(offsets)), np.nan)
    for number, input in enumerate(inputs):
        for column, offset in enumerate(offsets):
            other = number + offset
            if 0 <= other < len(targets) and targets[other].shape == input.shape:
                error = float(np.square(input - targets[other]).mean())
                psnr[number, column] = 10 * np.log10(255**2 / max(error, MIN_ERROR))
    return psnr


def best_offsets(psnr: Psnr, means: Psnr, offsets: list[int], peak: int) -> list[int]:
    """Return the offset of each frame by Viterbi's algorithm.

    The path has the highest total PSNR, less CHANGE_COSTS for each change of offset.
    """
    frames, count = psnr.shape
    # Frames at the ends without a partner get the mean, so that they do not favour any offset.
    scores = np.where(np.isnan(psnr), np.nan_to_num(means, nan=0.0), psnr)
    total = np.where(np.arange(count) == offsets.index(peak), 0.0, -CHANGE_COSTS)
    came_from = np.zeros((frames, count), int)
    for number in range(frames):
        jumped = int(total.argmax())
        stay = total >= total[jumped] - CHANGE_COSTS
        came_from[number] = np.where(stay, np.arange(count), jumped)
        total = np.where(stay, total, total[jumped] - CHANGE_COSTS) + scores[number]
    column = int(total.argmax())
    path = []
    for number in reversed(range(frames)):
        path.append(offsets[column])
        column = int(came_from[number, column])
    return path[::-1]


def jumps_in(path: list[int]) -> list[Jump]:
    changes = pairwise(path)
    return [
        Jump(number, before, after)
        for number, (before, after) in enumerate(changes, 1)
        if before != after
    ]
