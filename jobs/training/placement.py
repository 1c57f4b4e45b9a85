"""Placement of the training pictures, on the device, in main memory or on disk, and their batches.

The batches are the same for each placement, patch by patch.
"""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

import psutil
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from jobs.core.limits import is_out_of_memory
from jobs.datasets.pair_sets import PairSet
from jobs.training.patches import Cuts, Plan, Window, cut, hide_qps, pixel_indices
from jobs.training.ranks import Ranks
from models.memory import free_bytes

PLACES = ("device", "memory", "disk")
"""From the fastest to the one with most space."""

SHARE_OF_MEMORY = 0.5
"""The share of the free memory, of a GPU or of the machine, that pictures may use."""

BATCHES_AHEAD = 4

Batch = tuple[Tensor, Tensor]
"""(input, target), each uint8 (N, C, side, side). The input may have a channel with QPs."""

Share = Callable[[Cuts], Cuts]
"""The part of a step's patches that this rank trains on."""


@dataclass(frozen=True)
class Placement:
    """`description` is a text for the page. `batches` yields the batches from a step on."""

    description: str
    batches: Callable[[int], Iterator[Batch]]


def place(
    pairs: PairSet, plan: Plan, device: torch.device, ranks: Ranks, where: str = ""
) -> Placement:
    """Place the pictures in the fastest memory that has enough space, the same for all ranks.

    If it has less after all, they are placed in the next one. `where` selects the first one to try:
    "device", "memory" or "disk".
    """
    where = where or nearest(pairs.bytes(), device, ranks.on_this_machine)
    for candidate in PLACES:
        if ranks.any(PLACES.index(candidate) < PLACES.index(where), device):
            continue
        placement = _placed(pairs, plan, device, ranks, candidate)
        if not ranks.any(placement is None, device):
            assert placement is not None
            return placement
        del placement
        torch.cuda.empty_cache()
    raise AssertionError(where)


def _placed(
    pairs: PairSet, plan: Plan, device: torch.device, ranks: Ranks, where: str
) -> Placement | None:
    """None if the memory is too small."""
    size = f"{pairs.bytes() / 2**20:,.0f} MiB"
    if where == "disk":
        streamed = Streamed(pairs, plan, device, ranks)
        return Placement(
            f"{size}, read from disk by {streamed.workers} processes during training",
            streamed.batches,
        )
    try:
        memory = device if where == "device" else torch.device("cpu")
        resident = Resident(pairs, plan, memory, ranks.share)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    if device.type == "cpu":
        return Placement(f"{size} in memory", resident.batches)
    if where == "device":
        return Placement(f"{size} on the GPU", resident.batches)
    return Placement(
        f"{size} in memory, batches pinned for the GPU",
        lambda step: prefetched(resident.batches(step), device),
    )


def nearest(size: int, device: torch.device, processes: int = 1) -> str:
    """The fastest placement with enough space for `size` bytes: "device", "memory" or "disk".

    Each of `processes` on this machine needs that space: on a GPU of its own, in a memory of all.
    """
    if device.type == "cuda" and size < SHARE_OF_MEMORY * free_bytes(device):
        return "device"
    if size * processes < SHARE_OF_MEMORY * psutil.virtual_memory().available:
        return "device" if device.type == "cpu" else "memory"
    return "disk"


class Resident:
    """All pictures, decoded: the pixels (P, C) of the inputs and those of the targets.

    Those of the inputs have one more channel if they have QPs.
    """

    def __init__(self, pairs: PairSet, plan: Plan, where: torch.device, share: Share) -> None:
        self._plan, self._share, self._where, self._qps = plan, share, where, pairs.qps
        areas = [height * width for height, width in pairs.sizes]
        starts = [0, *accumulate(areas)]
        self._starts = torch.tensor(starts[:-1], device=where)
        self._widths = torch.tensor([width for _, width in pairs.sizes], device=where)
        self._input, self._target = (
            torch.empty(starts[-1], channels, dtype=torch.uint8, device=where)
            for channels in (pairs.channels + pairs.qps, pairs.channels)
        )

        def read(number: int) -> None:
            range_of_pair = slice(starts[number], starts[number + 1])
            for pixels, picture in zip((self._input, self._target), pairs[number], strict=True):
                pixels[range_of_pair] = picture.flatten(0, 1)

        with ThreadPoolExecutor(os.cpu_count()) as readers:
            list(readers.map(read, range(len(pairs))))

    def batches(self, first_step: int) -> Iterator[Batch]:
        for window, before in self._plan.windows(first_step):
            window = window.to(self._where)
            for cuts in self._plan.batches(window, before):
                yield self._cut(self._share(cuts))

    def _cut(self, cuts: Cuts) -> Batch:
        in_pictures = pixel_indices(cuts, self._plan.side, self._widths)
        indices = in_pictures + self._starts[cuts.pair][:, None, None]
        input = cut(self._input, indices)
        return hide_qps(input, cuts) if self._qps else input, cut(self._target, indices)


class Streamed:
    """Pictures in the stores: processes read each pair once per epoch and cut all its patches.

    Each rank reads its share of the pairs, and sends the other ranks the patches of their steps.
    """

    def __init__(self, pairs: PairSet, plan: Plan, device: torch.device, ranks: Ranks) -> None:
        self._pairs, self._plan, self._device, self._ranks = pairs, plan, device, ranks
        self.workers = max(((os.cpu_count() or 2) - 1) // ranks.on_this_machine, 1)
        self._exchange = ranks.exchange()

    def batches(self, first_step: int) -> Iterator[Batch]:
        batches = self._batches(first_step)
        return prefetched(batches, self._device) if self._device.type == "cuda" else batches

    def _batches(self, first_step: int) -> Iterator[Batch]:
        if sys.platform == "linux":  # Elsewhere a fork of a process with torch loaded is not safe.
            multiprocessing.set_forkserver_preload([__name__])  # Once for all workers.
        reading = iter(
            DataLoader(
                PatchDataset(self._pairs, self._plan.side),
                sampler=self._reads(first_step),
                batch_size=None,
                num_workers=self.workers,
                prefetch_factor=8,
                # A forked process with threads may hang, and LMDB does not support forks.
                multiprocessing_context="forkserver",
                worker_init_fn=_ignore_sigterm,
            )
        )
        with ThreadPoolExecutor(1) as thread:
            windows = (self._read(reading, *window) for window in self._plan.windows(first_step))
            following = thread.submit(next, windows)
            while True:
                (input, target), steps = following.result()
                following = thread.submit(next, windows)  # Read it during the steps of this one.
                for mine in steps:
                    yield input[mine].permute(0, 3, 1, 2), target[mine].permute(0, 3, 1, 2)

    def _read(
        self, reading: Iterator[Batch], window: Window, before: int
    ) -> tuple[Batch, list[Tensor]]:
        """Patches of a window, and of each remaining step the indices of this rank's patches.

        Copies the patches at once: each tensor from another process keeps a file open.
        """
        owned, channels = self._owned(window), self._pairs.channels
        shape = (len(owned) * self._plan.per_pair, *2 * (self._plan.side,))
        patches = (
            torch.empty(*shape, channels + self._pairs.qps, dtype=torch.uint8),
            torch.empty(*shape, channels, dtype=torch.uint8),
        )
        for first in range(0, shape[0], self._plan.per_pair):
            for side, of_pair in zip(patches, next(reading), strict=True):
                side[slice(first, first + self._plan.per_pair)] = of_pair
        steps = window.order[before:].split(self._plan.per_step)
        if self._ranks.size == 1:
            return patches, list(steps)
        parts = [
            [step[self._ranks.part(len(step), rank)] for step in steps]
            for rank in range(self._ranks.size)
        ]
        indices, received = self._exchanged(patches, [torch.cat(part) for part in parts])
        return received, list(indices.split([len(step) for step in parts[self._ranks.rank]]))

    def _exchanged(self, patches: Batch, used: list[Tensor]) -> tuple[Tensor, Batch]:
        """Exchange patches with the other ranks.

        `patches` are those of this rank's pairs; `used` has for each rank the patches of a window
        that it uses. Returns the index of each patch that this rank uses, and its patches.
        """
        rank, size, per_pair = self._ranks.rank, self._ranks.size, self._plan.per_pair
        sent = [numbers[numbers // per_pair % size == rank] for numbers in used]
        rows = torch.cat([n // per_pair // size * per_pair + n % per_pair for n in sent])
        senders = used[rank] // per_pair % size
        to, of = [len(numbers) for numbers in sent], senders.bincount(minlength=size).tolist()
        input, target = (self._exchange(side[rows], to, of) for side in patches)
        # They come rank by rank, those of a rank in the order of use.
        return senders.argsort(stable=True).argsort(), (input, target)

    def _owned(self, window: Window) -> range:
        """The pairs of a window that this rank reads, counted from 0."""
        return range(self._ranks.rank, len(window.cuts) // self._plan.per_pair, self._ranks.size)

    def _reads(self, first_step: int) -> Iterator[tuple[int, Cuts]]:
        """This rank's pairs in the order of training, each with the patches to cut."""
        per_pair = self._plan.per_pair
        for window, _ in self._plan.windows(first_step):
            for pair in self._owned(window):
                cuts = window.cuts[slice(pair * per_pair, (pair + 1) * per_pair)]
                yield int(cuts.pair[0]), cuts


def _ignore_sigterm(worker: int) -> None:
    """Let the reading processes end with the training process, after its last snapshot.

    A stopped job sends SIGTERM to all its processes.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class PatchDataset(Dataset[Batch]):
    """The patches of a pair, cut in a process of the DataLoader: each uint8 (N, side, side, C)."""

    def __init__(self, pairs: PairSet, side: int) -> None:
        self._pairs, self._side = pairs, side

    def __getitem__(self, read: tuple[int, Cuts]) -> Batch:
        number, cuts = read
        input, target = self._pairs[number]
        width = input.shape[1]
        in_picture = Cuts(torch.zeros_like(cuts.pair), cuts.top, cuts.left, cuts.turn)
        indices = pixel_indices(in_picture, self._side, torch.tensor([width]))
        inputs, targets = (cut(side.flatten(0, 1), indices) for side in (input, target))
        if self._pairs.qps:
            hide_qps(inputs, cuts)
        return inputs.permute(0, 2, 3, 1).contiguous(), targets.permute(0, 2, 3, 1).contiguous()


def prefetched(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches that a thread prepares and pins in advance, copied to the GPU while it computes.

    The copies have a stream of their own: in that of the steps, they would wait for each other.
    """
    copying = torch.cuda.Stream(device)

    def copied() -> tuple[Batch, torch.cuda.Event]:
        input, target = (side.pin_memory() for side in next(batches))
        with torch.cuda.stream(copying):
            batch = input.to(device, non_blocking=True), target.to(device, non_blocking=True)
            return batch, copying.record_event()

    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(copied) for _ in range(BATCHES_AHEAD))
        while True:
            batch, done = waiting.popleft().result()
            waiting.append(thread.submit(copied))
            steps = torch.cuda.current_stream(device)
            steps.wait_event(done)
            for side in batch:  # Its memory is not used again before the steps are through with it.
                side.record_stream(steps)
            yield batch
