"""Several real processes that train one network together (gloo, on the CPU)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from jobs.core import folder as folders
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.run import main as run_worker
from jobs.specs import ModelSpec
from jobs.training.patches import Cuts
from jobs.training.ranks import Ranks

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]

SMALL = {"batch_size": 7, "patch_size": 32, "patches_per_frame": 2, "precision": "float32"}
OWN = (
    "import sys; from jobs import run; from jobs.training import ranks; "
    "ranks.gpus = lambda wanted: [0, 1]; ranks.check_gpu = lambda index: None; "
    "sys.exit(run.main(sys.argv[1]))"
)
"""A worker whose spec seems to name two GPUs: it starts the second rank itself."""

START = {
    "torchrun": [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "jobs.run",
    ],
    "by itself": [sys.executable, "-c", OWN],
}


def start(how: str, folder: JobFolder) -> subprocess.Popen[bytes]:
    with folder.worker_log.open("ab") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*START[how], str(folder.path)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _started.append(process)
    return process


_started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Whatever becomes of a test, its processes end with it."""
    yield
    while _started:
        process = _started.pop()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def model_on(dataset: JobFolder, **fields: object) -> JobFolder:
    spec = ModelSpec.model_validate({"name": "model", "dataset": dataset.id, **SMALL, **fields})
    return folders.create(dataset.path.parent.parent, "model", spec)


def scalars(folder: JobFolder, key: str) -> dict[int, float]:
    events = read(folder.events, types=frozenset({"scalars"}))
    return {event["step"]: event["scalars"][key] for event in events if key in event["scalars"]}


def assert_equal_losses(one: JobFolder, two: JobFolder) -> None:
    for key in ("train/l1", "val/l1", "val/psnr", "val/psnr_input"):
        assert scalars(two, key) == pytest.approx(scalars(one, key), rel=2e-3, abs=1e-6), key


def assert_equal_weights(one: JobFolder, two: JobFolder) -> None:
    last = max(path.name for path in one.snapshots.glob("*.safetensors"))
    a, b = (load_file(folder.snapshots / last) for folder in (one, two))
    assert all(torch.allclose(a[key], b[key], atol=1e-4) for key in a)


NETS = {
    "published": {"name": "srcnn-9-1-5"},
    "pasted": {
        "name": "custom",
        "prototxt": """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 1 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "conv" top: "sum" }
layer { name: "loss" type: "Python" bottom: "sum" bottom: "label" top: "loss" python_param { module: "losses" layer: "L1Loss" } }
""",
    },
}


@pytest.mark.parametrize(
    ("how", "net"), [("torchrun", "published"), ("by itself", "published"), ("torchrun", "pasted")]
)
def test_two_ranks_learn_what_one_process_does(
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


def test_asked_to_stop_they_agree_on_the_step_and_go_on_from_there(
    clip: Clip, make_dataset: Make
) -> None:
    dataset = make_dataset(clip)
    settings = {"epochs": 8, "patches_per_frame": 14, "validation_interval": 100}
    whole, cut = (model_on(dataset, **settings) for _ in range(2))
    assert start("by itself", whole).wait(120) == 0, whole.worker_log.read_text()
    process = start("by itself", cut)
    deadline = time.monotonic() + 60
    while len(scalars(cut, "train/l1")) < 5:
        assert time.monotonic() < deadline, cut.worker_log.read_text()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)
    assert (last_state(cut.events) or {})["state"] == "aborted", cut.worker_log.read_text()
    assert len(list(cut.snapshots.glob("*.state.pt"))) == 1
    assert start("by itself", cut).wait(120) == 0, cut.worker_log.read_text()
    for key in ("train/l1", "val/l1", "val/psnr"):
        assert scalars(cut, key) == scalars(whole, key), key


def cuts(count: int) -> Cuts:
    return Cuts(*(torch.arange(count) for _ in range(4)))


@pytest.mark.parametrize("patches", [1, 2, 7, 8])
def test_shares_are_disjoint_and_weights_make_the_mean_over_all_patches(patches: int) -> None:
    ranks = [Ranks(rank, 3) for rank in range(3)]
    losses = torch.arange(patches, dtype=torch.float64) + 1
    shares = [rank.share(cuts(patches)).pair for rank in ranks]
    weighted = [
        losses[mine].mean() * rank.weight(patches) for rank, mine in zip(ranks, shares, strict=True)
    ]
    assert float(sum(weighted)) / 3 == pytest.approx(float(losses.mean()))
    real = [mine for rank, mine in zip(ranks, shares, strict=True) if rank.weight(patches) > 0]
    assert sorted(torch.cat(real).tolist()) == list(range(patches))


def two_at_work(dataset: JobFolder) -> tuple[JobFolder, subprocess.Popen[bytes], psutil.Process]:
    """A long training by two ranks: its folder, its first process and the other one."""
    model = model_on(dataset, epochs=500, patches_per_frame=14, validation_interval=1000)
    process = start("by itself", model)
    deadline = time.monotonic() + 60
    while len(scalars(model, "train/l1")) < 3:
        assert time.monotonic() < deadline, model.worker_log.read_text()
        time.sleep(0.01)
    (other,) = [
        child for child in psutil.Process(process.pid).children() if "jobs.run" in child.cmdline()
    ]
    return model, process, other


def test_a_rank_that_is_killed_ends_the_job_with_a_reason(clip: Clip, make_dataset: Make) -> None:
    model, process, other = two_at_work(make_dataset(clip))
    other.kill()
    assert process.wait(60) == 1
    assert "ended with status -9" in (last_state(model.events) or {})["reason"]


def test_no_rank_outlives_the_first(clip: Clip, make_dataset: Make) -> None:
    _, process, other = two_at_work(make_dataset(clip))
    process.kill()
    process.wait()
    other.wait(30)
