"""The pairs of a split of one or more datasets, by number."""

import math
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.stored import Meta, metas
from jobs.datasets.store import PairReader

Sizes = list[tuple[int, int]]

_open_lock = threading.Lock()


class Stream(NamedTuple):
    """A stream of a scene, with its rate control and its bits per frame."""

    store: str
    scene: str
    rate: str
    bits: float


def _stream(store: Path, meta: Meta) -> Stream | None:
    bits, rate = meta.get("bits"), meta.get("rate") or meta.get("sequence", "")
    return Stream(str(store), meta["scene"], rate, bits) if bits else None


class PairSet:
    """Concatenated stores. Each process opens them separately: LMDB does not survive a fork.

    `qps`: whether inputs have a last channel with the QP of the macroblock at each pixel, for
    networks that take it: 5 QP, or 0 where it is unknown.
    """

    def __init__(self, stores: list[Path], qps: bool = False) -> None:
        self.qps = qps
        self._readers: dict[tuple[int, Path], PairReader] = {}
        self.sizes: Sizes = []
        """(height, width) of each pair."""
        self.streams: list[Stream | None] = []
        """The stream of each input; None for images, and pairs from before bits were kept."""
        self._qps: list[float] = []
        """The mean QP of each pair that has one."""
        streams: dict[Stream, Stream] = {}
        self._locations: list[tuple[Path, int]] = []
        channels = set()
        for store in stores:
            for number, meta in enumerate(metas(store)):
                self.sizes.append((meta["height"], meta["width"]))
                self._locations.append((store, number))
                channels.add(int(meta["channels"]))
                if (qp := meta.get("qp_mean")) is not None:
                    self._qps.append(qp)
                stream = _stream(store, meta)
                self.streams.append(stream and streams.setdefault(stream, stream))
        if len(channels) > 1:
            raise JobError(
                "Some of the datasets are in colour and some in grayscale. "
                "Choose datasets of one kind."
            )
        self.channels = channels.pop() if channels else 3

    @classmethod
    def of(cls, job: JobFolder, datasets: list[str], split: str, qps: bool = False) -> Self:
        """Return the pairs of a split. Skips datasets without that split.

        `datasets` are ids in the home of the job.
        """
        stores = [job.sibling(id).store(split) for id in datasets]
        return cls([store for store in stores if store.exists()], qps)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without open readers: the other process opens the stores itself."""
        return {**self.__dict__, "_readers": {}}

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return (input, target), uint8 (H, W, C), the input with one more channel if `qps`."""
        store, index = self._locations[number]
        reader = self._reader(store)
        input, target = reader[index]
        if self.qps:
            input = np.concatenate((input, reader.qp_plane(index)), 2)
        return torch.from_numpy(input.copy()), torch.from_numpy(target.copy())

    def typical_qp(self) -> float:
        """The QP of the mean quantiser step of the pairs; 0 if that of none is known.

        The step doubles with every 6 QP (ITU-T H.264).
        """
        return 6 * math.log2(fmean(2 ** (qp / 6) for qp in self._qps)) if self._qps else 0.0

    def meta(self, number: int) -> Meta:
        """Return the metadata of a pair."""
        store, index = self._locations[number]
        return self._reader(store).meta(index)

    def _reader(self, store: Path) -> PairReader:
        key = (os.getpid(), store)
        with _open_lock:  # LMDB refuses to open a store twice.
            if key not in self._readers:
                self._readers[key] = PairReader(store)
        return self._readers[key]

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of a pixel of a decoded pair."""
        return 2 * self.channels + self.qps

    def bytes(self) -> int:
        """Return the size of all decoded pictures in bytes."""
        return sum(height * width * self.bytes_per_pixel for height, width in self.sizes)

    def smallest(self) -> tuple[int, int]:
        """Return (height, width) of the pair with the shortest side."""
        return min(self.sizes, key=min)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self[number] for number in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the stores that this process opened. Later reads open them again."""
        for (pid, _), reader in self._readers.items():
            if pid == os.getpid():
                reader.close()
        self._readers.clear()


PAIRS_FOR_MEAN = 256


def mean_of_inputs(pairs: PairSet, encode: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the mean (C,) of each channel of the network's inputs, in 0 to 1.

    Uses at most PAIRS_FOR_MEAN pairs, evenly spaced.
    """
    numbers = range(0, len(pairs), -(-len(pairs) // PAIRS_FOR_MEAN))
    means = [
        encode(pairs[number][0].permute(2, 0, 1)[None] / 255).mean((0, 2, 3)) for number in numbers
    ]
    return torch.stack(means).mean(0)
