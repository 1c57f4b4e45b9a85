"""Tests of placement: the batches are the same in memory and on disk."""

import os
import resource
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from jobs.core.folder import JobFolder
from jobs.datasets.pair_sets import PairSet
from jobs.training import placement
from jobs.training.patches import Plan
from jobs.training.placement import Share, nearest, place
from jobs.training.ranks import Ranks

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]
CPU = torch.device("cpu")


@pytest.mark.parametrize("first_step", [0, 5])
@pytest.mark.parametrize("ranks", [Ranks(), Ranks(1, 2)])
def test_memory_and_disk_give_the_same_batches(
    clip: Clip, make_dataset: Make, first_step: int, ranks: Ranks
) -> None:
    job = make_dataset(clip)
    with PairSet.of(job, [job.id], "train") as pairs:
        # Two windows per epoch.
        plan = Plan(pairs.sizes, 32, 6, 8, 0, quarter_turns=True, bytes_per_pixel=1200)
        batches = {
            where: list(
                islice(
                    place(pairs, plan, CPU, ranks.share, where).batches(first_step), 2 * plan.steps
                )
            )
            for where in ("device", "disk")
        }
        assert sum(1 for _ in islice(plan.windows(0), 2)) == 2
    for near, far in zip(batches["device"], batches["disk"], strict=True):
        for side, other in zip(near, far, strict=True):
            assert torch.equal(side, other)
    assert {batch[0].shape[0] for batch in batches["disk"]} == (
        {8, 4} if ranks.size == 1 else {4, 2}
    )


def test_patches_of_input_and_target_come_from_the_same_place_of_their_pair(
    clip: Clip, make_dataset: Make
) -> None:
    job = make_dataset(clip, input_encoding="none")
    with PairSet.of(job, [job.id], "train") as pairs:
        plan = Plan(pairs.sizes, 32, 1, len(pairs), 0, flips=False)
        window, _ = next(plan.windows(0))
        (cuts,) = plan.batches(window, 0)
        input, target = next(place(pairs, plan, CPU, Ranks().share).batches(0))
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
        assert place(pairs, plan, CPU, Ranks().share).description == "1 MiB in memory"
        assert "read from disk" in place(pairs, plan, CPU, Ranks().share, "disk").description


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
            batches = place(pairs, plan, CPU, Ranks().share, "disk").batches(0)
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
        placed = place(pairs, plan, GPU, Ranks().share, "device", processes=100)
        assert "read from disk by 1 processes" in placed.description
        assert tried == [GPU, CPU]
        monkeypatch.setattr(placement, "Resident", placement.Streamed)  # Another error stays one.
        with pytest.raises(TypeError):
            place(pairs, plan, GPU, Ranks().share, "device")
