"""Tests of placement: the batches are the same in memory and on disk."""

import os
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from jobs.core.folder import JobFolder
from jobs.datasets.pair_sets import PairSet
from jobs.training import placement
from jobs.training.patches import Plan
from jobs.training.placement import Batch, Share, Streamed, nearest, place
from jobs.training.ranks import Exchange, Ranks

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    """Ranks in threads of this process, which exchange rows by a list that all of them see."""

    board: list[Any] = field(default_factory=list)
    barrier: Barrier = field(default_factory=lambda: Barrier(1))

    @classmethod
    def of(cls, size: int) -> list["ThreadRanks"]:
        board, barrier = [None] * size, Barrier(size)
        return [cls(rank, size, rank, size, board, barrier) for rank in range(size)]

    def _all(self, value: Any) -> list[Any]:
        """The values of all ranks."""
        self.board[self.rank] = value
        self.barrier.wait(60)
        values = list(self.board)
        self.barrier.wait(60)
        return values

    def any(self, flag: bool, device: torch.device) -> bool:
        return any(self._all(flag))

    def exchange(self) -> Exchange:
        def exchanged(rows: Tensor, to: list[int], of: list[int]) -> Tensor:
            parts = [parts[self.rank] for parts in self._all(rows.split(to))]
            assert [len(part) for part in parts] == of
            return torch.cat(parts)

        return exchanged


def batches_of(
    ranks: list[ThreadRanks], pairs: PairSet, plan: Plan, where: str, first_step: int, count: int
) -> list[list[Batch]]:
    """The first batches of each rank."""

    def of_rank(rank: ThreadRanks) -> list[Batch]:
        return list(islice(place(pairs, plan, CPU, rank, where).batches(first_step), count))

    with ThreadPoolExecutor(len(ranks)) as threads:
        return list(threads.map(of_rank, ranks))


@pytest.mark.parametrize(("size", "per_step", "first_step"), [(1, 8, 0), (2, 8, 5), (3, 2, 5)])
def test_memory_and_disk_give_the_same_batches(
    clip: Clip, make_dataset: Make, size: int, per_step: int, first_step: int
) -> None:
    """With several ranks too, and with fewer patches in a step than ranks."""
    job = make_dataset(clip)
    with PairSet.of(job, [job.id], "train") as pairs:
        # Two windows per epoch.
        plan = Plan(pairs.sizes, 32, 6, per_step, 0, quarter_turns=True, bytes_per_pixel=1200)
        near, far = (
            batches_of(ThreadRanks.of(size), pairs, plan, where, first_step, 2 * plan.steps)
            for where in ("device", "disk")
        )
        assert plan._per_window < len(pairs)
    for batch, other in zip(chain(*near), chain(*far), strict=True):
        assert all(map(torch.equal, batch, other))
    sizes = {len(input) for input, _ in chain(*far)}
    assert sizes == {1: {8, 4}, 2: {4, 2}, 3: {1}}[size]


def test_each_pair_of_a_window_is_read_by_one_rank(clip: Clip, make_dataset: Make) -> None:
    job = make_dataset(clip)
    with PairSet.of(job, [job.id], "train") as pairs:
        plan = Plan(pairs.sizes, 32, 6, 8, 0, bytes_per_pixel=1200)
        window, _ = next(plan.windows(0))
        read: list[int] = []
        for rank in ThreadRanks.of(3):
            streamed = Streamed(pairs, plan, CPU, rank)
            count = len(streamed._owned(window))
            assert count in (plan._per_window // 3, -(-plan._per_window // 3))
            read += [pair for pair, _ in islice(streamed._reads(0), count)]
    assert sorted(read) == sorted(set(window.cuts.pair.tolist()))


def test_ranks_take_the_placement_that_has_space_on_all_of_them(
    clip: Clip, make_dataset: Make
) -> None:
    job = make_dataset(clip)
    with PairSet.of(job, [job.id], "train") as pairs, ThreadPoolExecutor(2) as threads:
        plan = Plan(pairs.sizes, 32, 6, 8, 0)
        placements = threads.map(
            lambda rank, where: place(pairs, plan, CPU, rank, where).description,
            ThreadRanks.of(2),
            ("device", "disk"),
        )
        assert all("read from disk" in description for description in placements)


def test_patches_of_input_and_target_come_from_the_same_place_of_their_pair(
    clip: Clip, make_dataset: Make
) -> None:
    job = make_dataset(clip, input_encoding="none")
    with PairSet.of(job, [job.id], "train") as pairs:
        plan = Plan(pairs.sizes, 32, 1, len(pairs), 0, flips=False)
        window, _ = next(plan.windows(0))
        (cuts,) = plan.batches(window, 0)
        input, target = next(place(pairs, plan, CPU, Ranks()).batches(0))
        for number, (pair, top, left) in enumerate(
            zip(cuts.pair.tolist(), cuts.top.tolist(), cuts.left.tolist(), strict=True)
        ):
            for side, picture in zip((input, target), pairs[pair], strict=True):
                assert torch.equal(
                    side[number].permute(1, 2, 0), picture[top : top + 32, left : left + 32]
                )


def test_description_names_the_placement(clip: Clip, make_dataset: Make) -> None:
    job = make_dataset(clip)
    with PairSet.of(job, [job.id], "train") as pairs:
        plan = Plan(pairs.sizes, 32, 2, 8, 0)
        assert place(pairs, plan, CPU, Ranks()).description == "1 MiB in memory"
        assert "read from disk" in place(pairs, plan, CPU, Ranks(), "disk").description


def test_pictures_that_exceed_the_memory_stay_on_disk() -> None:
    assert nearest(2**20, CPU) == "device"
    assert nearest(2**50, CPU) == "disk"


def test_reading_a_window_keeps_no_files_open(clip: Clip, make_dataset: Make) -> None:
    """A tensor from another process keeps a file descriptor open while it exists."""
    job = make_dataset(clip)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with PairSet.of(job, [job.id], "train") as pairs:
        # One window with 3 times more tensors than the limit of open files.
        pairs.sizes, pairs._locations = pairs.sizes * 10, pairs._locations * 10
        plan = Plan(pairs.sizes, 8, 1, 8, 0)
        assert len(next(plan.windows(0))[0].cuts) == len(pairs.sizes) > 200
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 120, limits[1])
        )
        try:
            batches = place(pairs, plan, CPU, Ranks(), "disk").batches(0)
            assert sum(len(input) for input, _ in islice(batches, plan.steps)) == len(pairs.sizes)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Gpu:
    """The memory of a GPU, as PyTorch reports it, in GiB."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: float, kept: float = 0) -> None:
        readings: dict[str, object] = {
            "mem_get_info": (int(free * 2**30), 120 * 2**30),
            "memory_reserved": int(kept * 2**30),
            "memory_allocated": 0,
            "get_per_process_memory_fraction": 1.0,
        }
        for name, value in readings.items():
            monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)


GPU = torch.device("cuda", 0)


def test_a_gpu_counts_for_the_share_that_the_training_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Gpu(monkeypatch, free=100)
    assert nearest(40 * 2**30, GPU) == "device"
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: 0.5)
    assert nearest(40 * 2**30, GPU) != "device"


def test_memory_that_pytorch_keeps_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    Gpu(monkeypatch, free=1, kept=99)
    assert nearest(40 * 2**30, GPU) == "device"


def test_ranks_share_the_memory_of_their_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    Gpu(monkeypatch, free=1)
    memory = SimpleNamespace(available=120 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    places = [nearest(50 * 2**30, GPU, ranks) for ranks in (1, 2, 8)]
    assert places == ["memory", "disk", "disk"]


def test_pictures_that_do_not_fit_are_placed_where_they_do(
    clip: Clip, make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_dataset(clip)
    tried: list[torch.device] = []

    class Full(placement.Resident):
        def __init__(self, pairs: PairSet, plan: Plan, where: torch.device, share: Share) -> None:
            tried.append(where)
            if where.type == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory")
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(placement, "Resident", Full)
    with PairSet.of(job, [job.id], "train") as pairs:
        plan = Plan(pairs.sizes, 32, 6, 8, 0)
        placed = place(pairs, plan, GPU, Ranks(on_this_machine=100), "device")
        assert "read from disk by 1 processes" in placed.description
        assert tried == [GPU, CPU]

        class Broken:
            def __init__(self, *arguments: object) -> None:
                raise RuntimeError("an illegal memory access was encountered")

        monkeypatch.setattr(placement, "Resident", Broken)
        with pytest.raises(RuntimeError, match="illegal"):
            place(pairs, plan, GPU, Ranks(), "device")
