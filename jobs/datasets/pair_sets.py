"""The pairs of one split of one or several datasets, by number."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.stored import Meta, metas
from jobs.datasets.store import PairReader

Sizes = list[tuple[int, int]]

_one_at_a_time = threading.Lock()


class PairSet:
    """Stores one after the other. Each process opens them for itself: LMDB does not survive a fork."""

    def __init__(self, stores: list[Path]) -> None:
        self._stores = stores
        self._readers: dict[tuple[int, Path], PairReader] = {}
        self.sizes: Sizes = []
        """(height, width) of each pair"""
        self._places: list[tuple[Path, int]] = []
        channels = set()
        for store in stores:
            for number, meta in enumerate(metas(store)):
                self.sizes.append((meta["height"], meta["width"]))
                self._places.append((store, number))
                channels.add(int(meta["channels"]))
        if len(channels) > 1:
            raise JobError(
                "Some of the datasets are in colour and some in grayscale. Train on those of one kind."
            )
        self.channels = channels.pop() if channels else 3

    @classmethod
    def of(cls, job: JobFolder, datasets: list[str], split: str) -> Self:
        """The pairs of a split of those datasets that have one; the datasets are in the home of the job."""
        stores = [job.sibling(id).store(split) for id in datasets]
        return cls([store for store in stores if store.exists()])

    def __len__(self) -> int:
        return len(self.sizes)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which opens the stores for itself."""
        return {**self.__dict__, "_readers": {}}

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """(input, target), each uint8 (H, W, C)."""
        store, place = self._places[number]
        input, target = self._reader(store)[place]
        return torch.from_numpy(input.copy()), torch.from_numpy(target.copy())

    def meta(self, number: int) -> Meta:
        """What is known of a pair beside its pictures."""
        store, place = self._places[number]
        return self._reader(store).meta(place)

    def _reader(self, store: Path) -> PairReader:
        here = (os.getpid(), store)
        with _one_at_a_time:  # LMDB refuses to open a store twice.
            if here not in self._readers:
                self._readers[here] = PairReader(store)
        return self._readers[here]

    def bytes(self) -> int:
        """What all pictures take, decoded."""
        return sum(2 * height * width * self.channels for height, width in self.sizes)

    def smallest(self) -> tuple[int, int]:
        """(height, width) of the pair with the shortest side."""
        return min(self.sizes, key=min)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self[number] for number in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the stores that this process has opened; they are opened again where they are needed."""
        for (pid, _), reader in self._readers.items():
            if pid == os.getpid():
                reader.close()
        self._readers.clear()


PAIRS_FOR_MEAN = 256


def mean_seen(pairs: PairSet, encode: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean of each channel that a network sees of the inputs, (C,), in 0 to 1: over all pairs, or so many of them."""
    chosen = range(0, len(pairs), -(-len(pairs) // PAIRS_FOR_MEAN))
    means = [
        encode(pairs[number][0].permute(2, 0, 1)[None] / 255).mean((0, 2, 3)) for number in chosen
    ]
    return torch.stack(means).mean(0)
