"""Placement of the training pictures, on the device, in main memory or on disk, and their batches.

The batches are the same for each placement, patch by patch.
"""

import os
import signal
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
from models.memory import free_bytes

PLACES = ("device", "memory", "disk")
"""From the fastest to the one with most space."""

SHARE_OF_MEMORY = 0.5
"""The share of the free memory, of a GPU or of the machine, that pictures may use."""

BATCHES_AHEAD = 4

Batch = tuple[Tensor, Tensor]
"""(input, target), each uint8 (N, C, side, side). The input may have a channel with QPs."""

Share = Callable[[Cuts], Cuts]
"""The part of a step's patches that this process trains on."""


@dataclass(frozen=True)
class Placement:
    """`description` is a text for the page. `batches` yields the batches from a step on."""

    description: str
    batches: Callable[[int], Iterator[Batch]]


def place(
    pairs: PairSet,
    plan: Plan,
    device: torch.device,
    share: Share,
    where: str = "",
    processes: int = 1,
) -> Placement:
    """Place the pictures in the fastest memory that has enough space.

    If it has less after all, they are placed in the next one. `where` selects the first one to try:
    "device", "memory" or "disk". `processes`: those on this machine that place the same pictures.
    """
    where = where or nearest(pairs.bytes(), device, processes)
    for candidate in PLACES[PLACES.index(where) :]:
        try:
            return _placed(pairs, plan, device, share, candidate, processes)
        except (MemoryError, RuntimeError) as error:
            if candidate == "disk" or not is_out_of_memory(error):
                raise
        torch.cuda.empty_cache()  # After `except`: the error refers to what was placed.
    raise AssertionError(where)


def _placed(
    pairs: PairSet, plan: Plan, device: torch.device, share: Share, where: str, processes: int
) -> Placement:
    size = f"{pairs.bytes() / 2**20:,.0f} MiB"
    if where == "disk":
        streamed = Streamed(pairs, plan, device, share, processes)
        return Placement(
            f"{size}, read from disk by {streamed.workers} processes during training",
            streamed.batches,
        )
    resident = Resident(pairs, plan, device if where == "device" else torch.device("cpu"), share)
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
    """Pictures in the stores: processes read each pair once per epoch and cut all its patches."""

    def __init__(
        self, pairs: PairSet, plan: Plan, device: torch.device, share: Share, processes: int
    ) -> None:
        self._pairs, self._plan, self._device, self._share = pairs, plan, device, share
        self.workers = max(((os.cpu_count() or 2) - 1) // processes, 1)

    def batches(self, first_step: int) -> Iterator[Batch]:
        batches = self._batches(first_step)
        return prefetched(batches, self._device) if self._device.type == "cuda" else batches

    def _batches(self, first_step: int) -> Iterator[Batch]:
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
                (input, target), order = following.result()
                following = thread.submit(next, windows)  # Read it during the steps of this one.
                for chosen in order.split(self._plan.per_step):
                    mine = self._share(Cuts(chosen, chosen, chosen, chosen)).pair
                    yield input[mine].permute(0, 3, 1, 2), target[mine].permute(0, 3, 1, 2)

    def _read(self, reading: Iterator[Batch], window: Window, before: int) -> tuple[Batch, Tensor]:
        """All patches of a window, and the order of the remaining ones.

        Copies the patches at once: each tensor from another process keeps a file open.
        """
        shape, channels = (len(window.cuts), *2 * (self._plan.side,)), self._pairs.channels
        patches = (
            torch.empty(*shape, channels + self._pairs.qps, dtype=torch.uint8),
            torch.empty(*shape, channels, dtype=torch.uint8),
        )
        for first in range(0, len(window.cuts), self._plan.per_pair):
            for side, of_pair in zip(patches, next(reading), strict=True):
                side[slice(first, first + self._plan.per_pair)] = of_pair
        return patches, window.order[before:]

    def _reads(self, first_step: int) -> Iterator[tuple[int, Cuts]]:
        """The pairs in the order of training, each with the patches to cut."""
        for window, _ in self._plan.windows(first_step):
            for first in range(0, len(window.cuts), self._plan.per_pair):
                cuts = window.cuts[slice(first, first + self._plan.per_pair)]
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
