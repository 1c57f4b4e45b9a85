"""Random paired patches for training."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from jobs.errors import JobError
from jobs.store import PairReader

MEMORY_SHARE = 0.5
"""Share of the machine's memory that decoded frames may take; a larger split is decoded as it is read."""


class Frames:
    """The pairs of a split as tensors uint8 (C, H, W), held decoded where they fit into memory."""

    def __init__(self, store: Path) -> None:
        self._reader = PairReader(store)
        self._held: list[tuple[Tensor, Tensor]] | None = None
        if self._bytes() < MEMORY_SHARE * _machine_memory():
            self._held = [self._read(number) for number in range(len(self._reader))]

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """(input, target)"""
        return self._held[number] if self._held is not None else self._read(number)

    def _read(self, number: int) -> tuple[Tensor, Tensor]:
        input, target = (torch.tensor(picture).permute(2, 0, 1).contiguous() for picture in self._reader[number])
        return input, target

    def _bytes(self) -> int:
        return sum(2 * meta["channels"] * meta["height"] * meta["width"] for meta in self._reader.metas())

    def sides(self) -> Iterator[tuple[int, int]]:
        """(height, width) of each pair."""
        return ((meta["height"], meta["width"]) for meta in self._reader.metas())


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Patches:
    """Batches of random patches; the order and the cuts of an epoch depend on seed and epoch alone."""

    def __init__(self, frames: Frames, size: int, batch_size: int, per_frame: int, seed: int) -> None:
        height, width = min(frames.sides(), key=min)
        self.channels = frames[0][0].shape[0]
        if size > min(height, width):
            raise JobError(f"Patches of {size}x{size} do not fit into frames of {width}x{height}. Give a smaller patch size.")
        self._frames, self._batch_size, self._per_frame, self._seed = frames, batch_size, per_frame, seed
        # One draw for both pictures of a pair: cut at the same place and turned the same way.
        self._cut = v2.Compose([v2.RandomCrop(size), v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])

    @property
    def batches(self) -> int:
        """Batches an epoch; the last may be smaller."""
        return -(-len(self._frames) * self._per_frame // self._batch_size)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches (input, target) of an epoch, each uint8 (N, C, size, size)."""
        torch.manual_seed(self._seed * 1_000_003 + number)
        order = torch.randperm(len(self._frames) * self._per_frame) % len(self._frames)
        for chosen in order.split(self._batch_size):
            pairs = [self._cut(*map(tv_tensors.Image, self._frames[frame])) for frame in chosen.tolist()]
            yield torch.stack([input for input, _ in pairs]), torch.stack([target for _, target in pairs])
