"""Where the training pictures lie: on the device, in the machine's memory, or on the disk; and the batches out of them.

The batches are the same in each case, patch by patch.
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

from jobs.datasets.pair_sets import PairSet
from jobs.training.patches import Cuts, Plan, Window, cut, places

SHARE_OF_MEMORY = 0.5
"""Of what is free, on a GPU or of the machine, pictures may take so much."""

BATCHES_AHEAD = 4

Batch = tuple[Tensor, Tensor]
"""(input, target), each uint8 (N, C, side, side)."""

Share = Callable[[Cuts], Cuts]
"""The part of a step's patches that this process trains on."""


@dataclass(frozen=True)
class Placement:
    """`words` say for people where the pictures lie; `batches` go on without an end from a step."""

    words: str
    batches: Callable[[int], Iterator[Batch]]


def place(
    pairs: PairSet, plan: Plan, device: torch.device, share: Share, where: str = ""
) -> Placement:
    """The nearest place with room: "device", "memory" or "disk"; or the one that is asked for."""
    where = where or nearest(pairs.bytes(), device)
    size = f"{pairs.bytes() / 2**20:,.0f} MiB"
    if where == "disk":
        streamed = Streamed(pairs, plan, device, share)
        return Placement(
            f"{size}, read from disk by {streamed.workers} processes while it trains",
            streamed.batches,
        )
    resident = Resident(pairs, plan, device if where == "device" else torch.device("cpu"), share)
    if device.type == "cpu":
        return Placement(f"{size} in memory", resident.batches)
    if where == "device":
        return Placement(f"{size} on the GPU", resident.batches)
    return Placement(
        f"{size} in memory, batches pinned for the GPU",
        lambda step: ahead(resident.batches(step), device),
    )


def nearest(size: int, device: torch.device) -> str:
    if device.type == "cuda" and size < SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]:
        return "device"
    if size < SHARE_OF_MEMORY * psutil.virtual_memory().available:
        return "device" if device.type == "cpu" else "memory"
    return "disk"


class Resident:
    """All pictures, decoded, as one row of pixels (P, C) for the inputs and one for the targets."""

    def __init__(self, pairs: PairSet, plan: Plan, where: torch.device, share: Share) -> None:
        self._plan, self._share, self._where = plan, share, where
        areas = [height * width for height, width in pairs.sizes]
        starts = [0, *accumulate(areas)]
        self._starts = torch.tensor(starts[:-1], device=where)
        self._widths = torch.tensor([width for _, width in pairs.sizes], device=where)
        self._input, self._target = (
            torch.empty(starts[-1], pairs.channels, dtype=torch.uint8, device=where) for _ in "it"
        )

        def read(number: int) -> None:
            at = slice(starts[number], starts[number + 1])
            for held, picture in zip((self._input, self._target), pairs[number], strict=True):
                held[at] = picture.view(-1, pairs.channels)

        with ThreadPoolExecutor(os.cpu_count()) as readers:
            list(readers.map(read, range(len(pairs))))

    def batches(self, first_step: int) -> Iterator[Batch]:
        for window, before in self._plan.windows(first_step):
            window = Window(window.cuts.to(self._where), window.order.to(self._where))
            for cuts in self._plan.batches(window, before):
                yield self._cut(self._share(cuts))

    def _cut(self, cuts: Cuts) -> Batch:
        at = places(cuts, self._plan.side, self._widths) + self._starts[cuts.pair][:, None, None]
        return cut(self._input, at), cut(self._target, at)


class Streamed:
    """Pictures stay in the stores: processes read each pair once an epoch and cut all its patches."""

    def __init__(self, pairs: PairSet, plan: Plan, device: torch.device, share: Share) -> None:
        self._pairs, self._plan, self._device, self._share = pairs, plan, device, share
        self.workers = max((os.cpu_count() or 2) - 1, 1)

    def batches(self, first_step: int) -> Iterator[Batch]:
        batches = self._batches(first_step)
        return ahead(batches, self._device) if self._device.type == "cuda" else batches

    def _batches(self, first_step: int) -> Iterator[Batch]:
        reading = iter(
            DataLoader(
                Reading(self._pairs, self._plan.side),
                sampler=self._reads(first_step),
                batch_size=None,
                num_workers=self.workers,
                prefetch_factor=8,
                # A fork of a process with threads may hang, and LMDB does not survive it.
                multiprocessing_context="forkserver",
                worker_init_fn=_stay,
            )
        )
        with ThreadPoolExecutor(1) as thread:
            windows = (self._read(reading, *window) for window in self._plan.windows(first_step))
            following = thread.submit(next, windows)
            while True:
                (input, target), order = following.result()
                following = thread.submit(next, windows)  # While this one is trained on.
                for chosen in order.split(self._plan.a_step):
                    mine = self._share(Cuts(chosen, chosen, chosen, chosen)).pair
                    yield input[mine].permute(0, 3, 1, 2), target[mine].permute(0, 3, 1, 2)

    def _read(self, reading: Iterator[Batch], window: Window, before: int) -> tuple[Batch, Tensor]:
        """All patches of a window, and the order of those that are still to come. They are copied together at once: each
        tensor that comes from another process holds a file open."""
        shape = (len(window.cuts), self._plan.side, self._plan.side, self._pairs.channels)
        held = torch.empty(shape, dtype=torch.uint8), torch.empty(shape, dtype=torch.uint8)
        for first in range(0, len(window.cuts), self._plan.per_pair):
            for side, patches in zip(held, next(reading), strict=True):
                side[slice(first, first + self._plan.per_pair)] = patches
        return held, window.order[before:]

    def _reads(self, first_step: int) -> Iterator[tuple[int, Cuts]]:
        """The pairs in the order in which they are needed, each with the patches to cut."""
        for window, _ in self._plan.windows(first_step):
            for first in range(0, len(window.cuts), self._plan.per_pair):
                cuts = window.cuts[slice(first, first + self._plan.per_pair)]
                yield int(cuts.pair[0]), cuts


def _stay(worker: int) -> None:
    """A job's processes are asked to stop all at once: those that read end with the one that trains, after its snapshot."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Reading(Dataset[Batch]):
    """A pair's patches, cut in a process of the DataLoader: each uint8 (N, side, side, C)."""

    def __init__(self, pairs: PairSet, side: int) -> None:
        self._pairs, self._side = pairs, side

    def __getitem__(self, wanted: tuple[int, Cuts]) -> Batch:
        number, cuts = wanted
        input, target = self._pairs[number]
        width, channels = input.shape[1:]
        alone = Cuts(torch.zeros_like(cuts.pair), cuts.top, cuts.left, cuts.turn)
        at = places(alone, self._side, torch.tensor([width]))
        return tuple(
            cut(side.view(-1, channels), at).permute(0, 2, 3, 1).contiguous()
            for side in (input, target)
        )  # type: ignore[return-value]


def ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches that a thread makes and pins before they are needed, copied to the GPU while it computes."""

    def pinned() -> list[Tensor]:
        return [side.pin_memory() for side in next(batches)]

    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(pinned) for _ in range(BATCHES_AHEAD))
        while True:
            input, target = waiting.popleft().result()
            waiting.append(thread.submit(pinned))
            yield input.to(device, non_blocking=True), target.to(device, non_blocking=True)
