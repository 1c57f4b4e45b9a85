"""Which patches a training sees, in which order, and how they are cut: the same wherever the pictures lie.

An epoch passes over all training pairs in random order and cuts so many patches of each. What is drawn depends on the
seed and the epoch alone, so that a resumed run sees what an undisturbed one does. The pairs go through in windows:
within a window the patches are shuffled, so that pairs that are streamed must be read once an epoch only.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.datasets.pair_sets import PairSet, Sizes
from jobs.specs import ModelSpec

BYTES_A_WINDOW = 128 * 2**20
"""What the patches of a window may take together; the more, the better they are shuffled."""


TURNS = {
    (False, False): [0],
    (True, False): [0, 1, 2, 3],
    (False, True): [0, 3, 5, 6],
    (True, True): [0, 1, 2, 3, 4, 5, 6, 7],
}
"""With flips or not, with quarter turns or not: the turns of `Cuts`."""


@dataclass(frozen=True)
class Cuts:
    """Patches: of which pair, where, and turned how. Each an int64 tensor (N,); `turn` has bit 0 for mirrored left to
    right, bit 1 for top to bottom, bit 2 for rows and columns swapped: all eight turns of a square."""

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
            *(
                values.to(device, non_blocking=True)
                for values in (self.pair, self.top, self.left, self.turn)
            )
        )


@dataclass(frozen=True)
class Window:
    """Some pairs of an epoch: the patches of the first pair first, and the order in which they are trained on."""

    cuts: Cuts
    order: Tensor


class Plan:
    """All patches of a training. `a_step` patches make a step; the last step of an epoch may have fewer."""

    def __init__(
        self,
        sizes: Sizes,
        side: int,
        per_pair: int,
        a_step: int,
        seed: int,
        flips: bool = True,
        quarter_turns: bool = False,
        bytes_a_pixel: int = 6,
    ) -> None:
        height, width = min(sizes, key=min)
        if side > min(height, width):
            raise JobError(
                f"Patches of {side}x{side} do not fit into frames of {width}x{height}. Give a smaller patch size."
            )
        self._sizes = torch.tensor(sizes)
        self.side, self.per_pair, self.a_step, self._seed = side, per_pair, a_step, seed
        self._turns = torch.tensor(TURNS[flips, quarter_turns])
        # Whole steps in each window: none is made of two.
        block = a_step // math.gcd(a_step, per_pair)
        fitting = BYTES_A_WINDOW // (per_pair * side * side * bytes_a_pixel)
        self._a_window = max(fitting // block, 1) * block

    @classmethod
    def of(cls, spec: ModelSpec, pairs: PairSet) -> "Plan":
        a_step = spec.batch_size * spec.accumulation
        turned = (spec.flips, spec.quarter_turns)
        return cls(
            pairs.sizes,
            spec.patch_size,
            spec.patches_per_frame,
            a_step,
            spec.seed,
            *turned,
            2 * pairs.channels,
        )

    @property
    def patches(self) -> int:
        """An epoch."""
        return len(self._sizes) * self.per_pair

    @property
    def steps(self) -> int:
        """An epoch."""
        return -(-self.patches // self.a_step)

    def patches_in(self, step: int) -> int:
        """Of a step, counted from 0 at the start of the run."""
        return min(self.a_step, self.patches - step % self.steps * self.a_step)

    def windows(self, first_step: int) -> Iterator[tuple[Window, int]]:
        """From the window on in which a step lies, without an end; and how many of its patches are before that step."""
        epoch, step = divmod(first_step, self.steps)
        first, before = divmod(step * self.a_step, self._a_window * self.per_pair)
        while True:
            order = torch.randperm(len(self._sizes), generator=self._generator(epoch))
            for number, pairs in enumerate(order.split(self._a_window)):
                if number >= first:
                    yield self._window(pairs, self._generator(epoch, number)), before
                    before = 0
            epoch, first = epoch + 1, 0

    def _window(self, pairs: Tensor, random: torch.Generator) -> Window:
        pair = pairs.repeat_interleave(self.per_pair)
        room = self._sizes[pair] - self.side + 1
        places = (torch.rand(len(pair), 2, generator=random, dtype=torch.float64) * room).long()
        turn = self._turns[torch.randint(len(self._turns), (len(pair),), generator=random)]
        return Window(
            Cuts(pair, places[:, 0], places[:, 1], turn),
            torch.randperm(len(pair), generator=random),
        )

    def _generator(self, *path: int) -> torch.Generator:
        """Random numbers of their own for the seed, an epoch, and a window of it."""
        seed = self._seed
        for part in path:
            seed = (seed * 1_000_003 + part + 1) % 2**63
        return torch.Generator().manual_seed(seed)

    def batches(self, window: Window, before: int) -> Iterator[Cuts]:
        """The patches of each step of a window, from the one that has `before` others before it."""
        shuffled = window.cuts[window.order[before:]]
        for first in range(0, len(shuffled), self.a_step):
            yield shuffled[slice(first, first + self.a_step)]


def places(cuts: Cuts, side: int, widths: Tensor) -> Tensor:
    """Where the pixels of the patches lie in their pictures, row by row: (N, side, side)."""
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


def cut(pixels: Tensor, places: Tensor) -> Tensor:
    """Patches (N, C, side, side), uint8 and channels_last, out of all pixels (P, C)."""
    patches = pixels.index_select(0, places.flatten())
    return patches.view(*places.shape, -1).permute(0, 3, 1, 2)
