"""Tests of several processes that train one network together (gloo, on the CPU)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from jobs.core import folder as folders
from jobs.core import launcher, processes
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.core.processes import Process
from jobs.run import main as run_worker
from jobs.specs import ModelSpec
from jobs.training.patches import Cuts
from jobs.training.ranks import Ranks

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]

SMALL = {
    "batch_size": 7,
    "patch_size": 32,
    "patches_per_frame": 2,
    "precision": "float32",
    # Two ranks cannot share a GPU, and on a GPU sums have no fixed order.
    "device": "cpu",
}
TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "jobs.run"]


def start(how: str, folder: JobFolder) -> Process:
    process: Process
    with folder.worker_log.open("ab") as log:
        if how != "torchrun":
            process = processes.start(
                "tests.support.two_gpus",
                [str(folder.path), *(["disk"] if how == "worker, disk" else [])],
                {launcher.JOB: str(folder.path)},
                stdout=log.fileno(),
                stderr=log.fileno(),
            )
        else:
            process = subprocess.Popen(
                [sys.executable, "-m", *TORCHRUN, str(folder.path)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    _started.append(process)
    return process


_started: list[Process] = []


@pytest.fixture(autouse=True)
def _kill_processes() -> Iterator[None]:
    """Kill the processes of a test at its end, even if it fails."""
    yield
    while _started:
        process = _started.pop()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def model_on(dataset: JobFolder, **fields: object) -> JobFolder:
    spec = ModelSpec.model_validate({"name": "model", "dataset": dataset.id, **SMALL, **fields})
    return folders.create(dataset.path.parent.parent, "model", spec)


def scalars(folder: JobFolder, key: str) -> dict[int, float]:
    events = read(folder.events, types=frozenset({"scalars"}))
    return {event["step"]: event["scalars"][key] for event in events if key in event["scalars"]}


def assert_equal_losses(first: JobFolder, second: JobFolder) -> None:
    for key in ("train/l1", "val/l1", "val/psnr", "val/psnr_input"):
        assert scalars(second, key) == pytest.approx(scalars(first, key), rel=2e-3, abs=1e-6), key


def assert_equal_weights(first: JobFolder, second: JobFolder) -> None:
    last = max(path.name for path in first.snapshots.glob("*.safetensors"))
    a, b = (load_file(folder.snapshots / last) for folder in (first, second))
    assert all(torch.allclose(a[key], b[key], atol=1e-4) for key in a)


NETS = {
    "published": {"name": "srcnn-9-1-5"},
    "pasted": {
        "name": "custom",
        "prototxt": """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 1 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "conv" top: "sum" }
layer { name: "loss" type: "Python" bottom: "sum" bottom: "label" top: "loss"
  python_param { module: "losses" layer: "L1Loss" } }
""",
    },
}


@pytest.mark.parametrize(
    ("how", "net"),
    [
        ("torchrun", "published"),
        ("worker", "published"),
        ("worker", "pasted"),
        ("worker, disk", "published"),
    ],
)
def test_two_ranks_learn_the_same_as_one_process(
    clip: Clip, make_dataset: Make, how: str, net: str
) -> None:
    dataset = make_dataset(clip)
    settings = {"network": NETS[net], "epochs": 2, "validation_interval": 0.5, "ema": 0.9}
    alone, together = (model_on(dataset, **settings) for _ in range(2))
    run_worker(str(alone.path))
    assert start(how, together).wait(120) == 0, together.worker_log.read_text()
    assert (last_state(together.events) or {})["state"] == "done", together.worker_log.read_text()
    assert len(scalars(together, "train/l1")) == 14
    assert_equal_losses(alone, together)
    assert_equal_weights(alone, together)
    if how == "worker, disk":
        assert_each_pair_is_read_once_an_epoch(together)


def assert_each_pair_is_read_once_an_epoch(model: JobFolder) -> None:
    """By one of the two ranks. They read ahead, so only the first epoch is sure to be complete."""
    lines = [(model.path / f"reads-{rank}").read_text().splitlines() for rank in range(2)]
    reads = [[int(line.split()[1]) for line in own if "train" in line] for own in lines]
    pairs = max(chain(*reads)) + 1
    first_epoch = [*reads[0][: -(-pairs // 2)], *reads[1][: pairs // 2]]
    assert sorted(first_epoch) == list(range(pairs))


def test_ranks_stop_at_the_same_step_and_resume_from_there(clip: Clip, make_dataset: Make) -> None:
    dataset = make_dataset(clip)
    settings = {"epochs": 8, "patches_per_frame": 14, "validation_interval": 100}
    uninterrupted, stopped = (model_on(dataset, **settings) for _ in range(2))
    assert start("worker", uninterrupted).wait(120) == 0, uninterrupted.worker_log.read_text()
    process = start("worker", stopped)
    deadline = time.monotonic() + 60
    while len(scalars(stopped, "train/l1")) < 5:
        assert time.monotonic() < deadline, stopped.worker_log.read_text()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)
    assert (last_state(stopped.events) or {})["state"] == "aborted", stopped.worker_log.read_text()
    assert list(stopped.snapshots.glob("*.state.pt"))
    assert start("worker", stopped).wait(120) == 0, stopped.worker_log.read_text()
    for key in ("train/l1", "val/l1", "val/psnr"):
        assert scalars(stopped, key) == scalars(uninterrupted, key), key


def cuts(count: int) -> Cuts:
    return Cuts(*(torch.arange(count) for _ in range(4)))


@pytest.mark.parametrize("patches", [1, 2, 7, 8])
def test_shares_are_disjoint_and_weighted_losses_have_the_mean_of_all_patches(patches: int) -> None:
    ranks = [Ranks(rank, 3) for rank in range(3)]
    losses = torch.arange(patches, dtype=torch.float64) + 1
    shares = [rank.share(cuts(patches)).pair for rank in ranks]
    weighted = [
        losses[own].mean() * rank.weight(patches) for rank, own in zip(ranks, shares, strict=True)
    ]
    assert float(sum(weighted)) / 3 == pytest.approx(float(losses.mean()))
    nonempty = [own for rank, own in zip(ranks, shares, strict=True) if rank.weight(patches) > 0]
    assert sorted(torch.cat(nonempty).tolist()) == list(range(patches))


def start_two_ranks(
    dataset: JobFolder,
) -> tuple[JobFolder, Process, psutil.Process]:
    """Start a long training: its folder, the process of rank 0, and the process of rank 1."""
    model = model_on(dataset, epochs=500, patches_per_frame=14, validation_interval=1000)
    process = start("worker", model)
    deadline = time.monotonic() + 60
    while len(scalars(model, "train/l1")) < 3:
        assert time.monotonic() < deadline, model.worker_log.read_text()
        time.sleep(0.01)
    (other,) = [
        other
        for other in psutil.process_iter(["environ", "cmdline"])
        if (other.info["environ"] or {}).get(launcher.JOB) == str(model.path)
        and "jobs.run" in (other.info["cmdline"] or [])
    ]
    return model, process, other


def test_killed_rank_ends_the_job_with_a_reason(clip: Clip, make_dataset: Make) -> None:
    model, process, other = start_two_ranks(make_dataset(clip))
    other.kill()
    assert process.wait(60) == 1
    assert "ended with status -9" in (last_state(model.events) or {})["reason"]


def test_other_ranks_exit_when_rank_0_is_killed(clip: Clip, make_dataset: Make) -> None:
    _, process, other = start_two_ranks(make_dataset(clip))
    process.kill()
    process.wait(60)
    other.wait(60)
