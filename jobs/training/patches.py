"""The patches of a training: which ones, in which order, and how they are cut.

They are the same for every placement of the pictures. An epoch takes all training pairs in random
order and cuts the same number of patches from each. The random numbers depend on the seed and the
epoch alone, so that a resumed run gets the same patches as an uninterrupted run. The pairs are
processed in windows. Patches are shuffled within a window, so that streamed pairs are read only
once per epoch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.datasets.pair_sets import PairSet, Sizes
from jobs.specs import ModelSpec

BYTES_PER_WINDOW = 128 * 2**20
"""The memory for the patches of a window. Larger windows are shuffled better."""

BLIND_SHARE = 1 / 3
"""The share of the patches whose QPs are hidden from a network that takes them.

It then also restores images whose QPs are unknown.
"""
BLIND = 8
"""The bit of `Cuts.turn` that hides the QPs."""

TURNS = {
    (False, False): [0],
    (True, False): [0, 1, 2, 3],
    (False, True): [0, 3, 5, 6],
    (True, True): [0, 1, 2, 3, 4, 5, 6, 7],
}
"""The values of `Cuts.turn`, by whether flips and quarter turns are on."""


@dataclass(frozen=True)
class Cuts:
    """The pairs, positions and orientations of patches, each an int64 tensor (N,).

    `turn` has bit 0 for mirrored left to right, bit 1 for mirrored top to bottom, and bit 2 for
    rows and columns swapped: together the eight orientations of a square. Bit 3 hides the QPs.
    """

    pair: Tensor
    top: Tensor
    left: Tensor
    turn: Tensor

    def __len__(self) -> int:
        return len(self.pair)

    def __getitem__(self, chosen: slice | Tensor) -> "Cuts":
        return Cuts(self.pair[chosen], self.top[chosen], self.left[chosen], self.turn[chosen])

    def to(self, device: torch.device) -> "Cuts":
        return Cuts(
            *(_copied(values, device) for values in (self.pair, self.top, self.left, self.turn))
        )


@dataclass(frozen=True)
class Window:
    """Some pairs of an epoch: their patches, pair by pair, and the order of training."""

    cuts: Cuts
    order: Tensor

    def to(self, device: torch.device) -> "Window":
        return Window(self.cuts.to(device), _copied(self.order, device))


def _copied(values: Tensor, device: torch.device) -> Tensor:
    """On the device, without waiting for a GPU: it copies by itself from pinned memory only."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


class Plan:
    """All patches of a training.

    `per_step` patches are a step. The last step of an epoch may have fewer.
    """

    def __init__(
        self,
        sizes: Sizes,
        side: int,
        per_pair: int,
        per_step: int,
        seed: int,
        flips: bool = True,
        quarter_turns: bool = False,
        bytes_per_pixel: int = 6,
        qps: bool = False,
    ) -> None:
        height, width = min(sizes, key=min)
        if side > min(height, width):
            raise JobError(
                f"Patches of {side}×{side} do not fit into frames of {width}×{height}. "
                "Give a smaller patch size."
            )
        self._sizes = torch.tensor(sizes)
        self.side, self.per_pair, self.per_step, self._seed = side, per_pair, per_step, seed
        self._turns = torch.tensor(TURNS[flips, quarter_turns])
        self._qps = qps
        # A window has a whole number of steps: no step crosses two windows.
        block = per_step // math.gcd(per_step, per_pair)
        fitting = BYTES_PER_WINDOW // (per_pair * side * side * bytes_per_pixel)
        self._per_window = max(fitting // block, 1) * block

    @classmethod
    def of(cls, spec: ModelSpec, pairs: PairSet) -> "Plan":
        per_step = spec.batch_size * spec.accumulation
        orientations = (spec.flips, spec.quarter_turns)
        return cls(
            pairs.sizes,
            spec.patch_size,
            spec.patches_per_frame,
            per_step,
            spec.seed,
            *orientations,
            pairs.bytes_per_pixel,
            pairs.qps,
        )

    @property
    def patches(self) -> int:
        """The patches of an epoch."""
        return len(self._sizes) * self.per_pair

    @property
    def steps(self) -> int:
        """The steps of an epoch."""
        return -(-self.patches // self.per_step)

    def patches_in(self, step: int) -> int:
        """The patches of a step, counted from 0 at the start of the run."""
        return min(self.per_step, self.patches - step % self.steps * self.per_step)

    def windows(self, first_step: int) -> Iterator[tuple[Window, int]]:
        """All windows from the one that contains a step, without end.

        Each comes with the number of its patches before that step.
        """
        epoch, step = divmod(first_step, self.steps)
        first, before = divmod(step * self.per_step, self._per_window * self.per_pair)
        while True:
            order = torch.randperm(len(self._sizes), generator=self._generator(epoch))
            for number, pairs in enumerate(order.split(self._per_window)):
                if number >= first:
                    yield self._window(pairs, self._generator(epoch, number)), before
                    before = 0
            epoch, first = epoch + 1, 0

    def _window(self, pairs: Tensor, random: torch.Generator) -> Window:
        pair = pairs.repeat_interleave(self.per_pair)
        room = self._sizes[pair] - self.side + 1
        corners = (torch.rand(len(pair), 2, generator=random, dtype=torch.float64) * room).long()
        turn = self._turns[torch.randint(len(self._turns), (len(pair),), generator=random)]
        order = torch.randperm(len(pair), generator=random)
        if self._qps:
            turn = turn + BLIND * (torch.rand(len(pair), generator=random) < BLIND_SHARE)
        return Window(Cuts(pair, corners[:, 0], corners[:, 1], turn), order)

    def _generator(self, *path: int) -> torch.Generator:
        """A generator for an epoch, or for a window of an epoch; seeded by the spec's seed."""
        seed = self._seed
        for part in path:
            seed = (seed * 1_000_003 + part + 1) % 2**63
        return torch.Generator().manual_seed(seed)

    def batches(self, window: Window, before: int) -> Iterator[Cuts]:
        """The patches of each step of a window, without the first `before` patches."""
        shuffled = window.cuts[window.order[before:]]
        for first in range(0, len(shuffled), self.per_step):
            yield shuffled[slice(first, first + self.per_step)]


def pixel_indices(cuts: Cuts, side: int, widths: Tensor) -> Tensor:
    """The indices of the patches' pixels in their pictures, row by row: (N, side, side)."""
    along = torch.arange(side, device=cuts.pair.device)
    mirrored = side - 1 - along
    turn = cuts.turn[:, None]
    columns = torch.where(turn & 1 > 0, mirrored, along)
    rows = torch.where(turn & 2 > 0, mirrored, along)
    rows, columns = rows + cuts.top[:, None], columns + cuts.left[:, None]
    width = widths[cuts.pair][:, None, None]
    upright = rows[:, :, None] * width + columns[:, None, :]
    swapped = rows[:, None, :] * width + columns[:, :, None]
    return torch.where(turn[:, :, None] & 4 > 0, swapped, upright)


def cut(pixels: Tensor, indices: Tensor) -> Tensor:
    """Patches (N, C, side, side), uint8 and channels_last, from all pixels (P, C)."""
    patches = pixels.index_select(0, indices.flatten())
    return patches.view(*indices.shape, -1).permute(0, 3, 1, 2)


def hide_qps(inputs: Tensor, cuts: Cuts) -> Tensor:
    """Set the last channel of the patches (N, C + 1, side, side) with BLIND to 0; return them."""
    inputs[:, -1] *= (cuts.turn & BLIND == 0)[:, None, None]
    return inputs
