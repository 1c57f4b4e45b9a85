"""Benchmark: training speed against a plain training loop and against the limit of the hardware.

    python benchmarks/training.py [--device auto|cpu|cuda] [--batch N] [--seconds S] [--rounds R]
                                  [--folder FOLDER]

SRCNN 9-1-5 (64 and 32 maps, RGB, skip) on 64x64 patches of 352x288 frames of a real video
(../shared/media; without it, of the sample clip's scene), with Adam and L1:

  plain    a Dataset that decodes two PNGs from LMDB per item and cuts a patch, DataLoader, float32,
           a plain loop
  memory   as plain, with all pictures decoded in memory
  ours     the training job with its defaults, and on a GPU also without a CUDA graph and compiled
  limit    only forward and backward, on a fixed batch, in the fastest of the tried formats;
           float32 and TF32 are measured apart

plain and memory use the better number of workers: none, or as many as cores. Each round
measures all variants in sequence; the result is the median. The times exclude validations and
snapshots. Prints a JSON object; on a GPU with the share of the roofline
(benchmarks/roofline.py) that ours reaches.
"""

import io
import itertools
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import click
import lmdb
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.dataset import decoded_frames, make_clip
from benchmarks.record import print_progress, print_record
from benchmarks.roofline import roofline
from jobs.core import folder as folders
from jobs.core import launcher, processes
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.networks.device import device_name
from jobs.specs import DatasetSpec, ModelSpec

SIDE, CHANNELS = 64, 3
FRAMES, SIZE = 120, "352x288"
Pair = tuple[np.ndarray, np.ndarray]
Run = Callable[[float], float]
"""Trains for a number of seconds; returns patches per second."""


class Net(nn.Module):
    """SRCNN 9-1-5 in plain torch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(CHANNELS, 64, 9, padding=4),
            nn.ReLU(),
            nn.Conv2d(64, 32, 1),
            nn.ReLU(),
            nn.Conv2d(32, CHANNELS, 5, padding=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.layers(x)
        return x + change


class Decoding(Dataset[tuple[Tensor, Tensor]]):
    """A patch per item, from two PNGs in LMDB that are decoded for each item."""

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        self.env: lmdb.Environment | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        if self.env is None:
            self.env = lmdb.open(str(self.path), readonly=True, lock=False)
        with self.env.begin() as transaction:
            pair = [
                np.asarray(
                    Image.open(io.BytesIO(transaction.get(b"%s-%06d" % (role, number)) or b""))
                )
                for role in (b"input", b"target")
            ]
        return patch(*pair)


class InMemory(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, pairs: list[Pair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return patch(*self.pairs[number])


def patch(input: np.ndarray, target: np.ndarray) -> tuple[Tensor, Tensor]:
    top, left = random.randint(0, input.shape[0] - SIDE), random.randint(0, input.shape[1] - SIDE)
    cut = (slice(top, top + SIDE), slice(left, left + SIDE))
    flip = random.random() < 0.5
    sides = (side[cut][:, ::-1] if flip else side[cut] for side in (input, target))
    first, second = (torch.from_numpy(side.copy()).permute(2, 0, 1).float() / 255 for side in sides)
    return first, second


def loop(
    data: Dataset[tuple[Tensor, Tensor]], batch: int, workers: int, device: torch.device
) -> Run:
    """The plain loop: float32, reads the loss at each step."""
    loader = DataLoader(
        data,
        batch,
        sampler=torch.utils.data.RandomSampler(data, replacement=True, num_samples=10**7),  # type: ignore[arg-type]
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )

    def run(seconds: float) -> float:
        net = Net().to(device)
        optimizer = torch.optim.Adam(net.parameters(), 1e-3)
        batches = iter(loader)
        done, began, total = 0, 0.0, 0.0
        for step in itertools.count():
            if step == 3:  # Exclude the start of workers and warm-up calls.
                done, began = 0, time.monotonic()
            if began and time.monotonic() - began > seconds:
                break
            input, target = (side.to(device) for side in next(batches))
            optimizer.zero_grad()
            loss = F.l1_loss(net(input), target)
            loss.backward()
            optimizer.step()
            total += loss.item()
            done += len(input)
        return done / (time.monotonic() - began)

    return run


def ours(home: Path, dataset: str, batch: int, device: str, **settings: bool) -> Run:
    def run(seconds: float) -> float:
        spec = ModelSpec.model_validate(
            {
                "name": "benchmark",
                "dataset": dataset,
                "channels": "rgb",
                "batch_size": batch,
                "minutes": seconds / 60,
                "device": device,
                "validation_interval": 10_000,
                "snapshot_interval": 10_000,
                **settings,
            }
        )
        return float(finished(folders.create(home, "model", spec))["patches_per_second"])

    return run


def ways(home: Path, dataset: str, batch: int, gpu: bool) -> dict[str, Run]:
    """Our training, on a GPU in the ways that it can submit its kernels."""
    if not gpu:
        return {"ours": ours(home, dataset, batch, "cpu")}
    return {
        "ours": ours(home, dataset, batch, "cuda"),
        "ours, kernel by kernel": ours(home, dataset, batch, "cuda", cuda_graph=False),
        "ours, compiled": ours(home, dataset, batch, "cuda", compile=True),
    }


def finished(folder: JobFolder) -> dict[str, Any]:
    """Run a job to its end. Returns its summary."""
    launcher.start(folder)
    while folder.worker_lives():
        time.sleep(0.1)
    state = last_state(folder.events)
    assert state is not None
    assert state["state"] == "done", (state.get("reason"), folder.worker_log.read_text())
    return cast(dict[str, Any], state["summary"])


def limits(batch: int, device: torch.device) -> Iterator[tuple[str, Run]]:
    """Forward and backward on a fixed batch, by format."""
    on_gpu = device.type == "cuda"
    for precision, order, compiled in itertools.product(
        ("float32", "tf32", "bfloat16") if on_gpu else ("float32", "bfloat16"),
        (torch.contiguous_format, torch.channels_last),
        (False, True) if on_gpu else (False,),
    ):
        name = f"{precision}, {str(order)[6:]}" + (", compiled" if compiled else "")
        yield name, fixed(batch, device, precision, order, compiled)


def fixed(
    batch: int, device: torch.device, precision: str, order: torch.memory_format, compiled: bool
) -> Run:
    """Run in a subprocess with the environment of a job.

    glibc's memory settings affect the speed as much as the computation does.
    """

    def run(seconds: float) -> float:
        before = dict(os.environ)
        os.environ |= processes.PERFORMANCE
        try:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.apply(
                    steps_on_a_fixed_batch, (seconds, batch, device, precision, order, compiled)
                )
        finally:
            os.environ.clear()
            os.environ |= before

    return run


def steps_on_a_fixed_batch(
    seconds: float,
    batch: int,
    device: torch.device,
    precision: str,
    order: torch.memory_format,
    compiled: bool,
) -> float:
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    plain = Net().to(device, memory_format=order)  # type: ignore[call-overload]
    net = torch.compile(plain) if compiled else plain
    input, target = (
        torch.rand(batch, CHANNELS, SIDE, SIDE, device=device).to(memory_format=order)
        for _ in range(2)
    )

    def step() -> None:
        plain.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = net(input)
        F.l1_loss(output.float(), target).backward()

    for _ in range(3):
        step()
    synchronize(device)
    began, steps = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        for _ in range(10):
            step()
        synchronize(device)
        steps += 10
    return steps * batch / (time.monotonic() - began)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def prepare(work: Path) -> tuple[str, list[Pair]]:
    """Create the dataset in the home `work`. Returns its id and its pairs.

    `work`/plain.lmdb contains the pairs as PNGs.
    """
    stream, originals = make_clip(SIZE, FRAMES, work / "clip")
    source = {"kind": "stream", "stream": str(stream), "originals": str(originals)}
    dataset = folders.create(
        work, "dataset", DatasetSpec.model_validate({"name": "benchmark", "source": source})
    )
    finished(dataset)
    inputs = [frame.to_ndarray(format="rgb24") for frame in decoded_frames(stream)]
    pairs = [
        (input, np.asarray(Image.open(path)))
        for input, path in zip(inputs, sorted(originals.iterdir()), strict=True)
    ]
    with (
        lmdb.open(str(work / "plain.lmdb"), map_size=2**33) as env,
        env.begin(write=True) as transaction,
    ):
        for number, pair in enumerate(pairs):
            for role, picture in zip((b"input", b"target"), pair, strict=True):
                buffer = io.BytesIO()
                Image.fromarray(picture).save(buffer, "PNG")
                transaction.put(b"%s-%06d" % (role, number), buffer.getvalue())
    return dataset.id, pairs


@click.command()
@click.option("--device", "device_option", default="auto", show_default=True)
@click.option(
    "--batch", type=int, help="Patches per step. The default is 32 on a CPU and 512 on a GPU."
)
@click.option("--seconds", default=4.0, show_default=True, help="Seconds of each measurement.")
@click.option("--rounds", default=2, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False))
def main(
    device_option: str, batch: int | None, seconds: float, rounds: int, folder: Path | None
) -> None:
    gpu = torch.cuda.is_available() and device_option != "cpu"
    device = torch.device("cuda" if gpu else "cpu")
    batch = batch or (512 if gpu else 32)
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(dir=folder) as work:
        dataset, pairs = prepare(Path(work))
        in_memory, on_disk = InMemory(pairs), Decoding(Path(work) / "plain.lmdb", len(pairs))
        runs: dict[str, Run] = {
            **{f"plain, {n} workers": loop(on_disk, batch, n, device) for n in (0, cores)},
            **{f"memory, {n} workers": loop(in_memory, batch, n, device) for n in (0, cores)},
            **ways(Path(work), dataset, batch, gpu),
            **{f"limit, {name}": run for name, run in limits(batch, device)},
        }
        measured: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                measured[name].append(run(seconds))
                print_progress(f"{name}: {measured[name][-1]:.0f} patches/s")
    print_record(**report(measured, batch, device, seconds, rounds))


def report(
    measured: dict[str, list[float]], batch: int, device: torch.device, seconds: float, rounds: int
) -> dict[str, Any]:
    medians = {name: statistics.median(speeds) for name, speeds in measured.items()}
    best = {
        variant: max(
            (name for name in medians if name.startswith(variant)), key=medians.__getitem__
        )
        for variant in ("plain", "memory", "ours", "limit")
    }
    speeds = {variant: medians[name] for variant, name in best.items()}
    return {
        "device": device_name(device),
        "network": "srcnn-9-1-5, 64 and 32 maps, RGB, skip",
        "patch": f"{SIDE}x{SIDE}",
        "batch": batch,
        **{
            variant: {
                "patches_per_second": speed,
                "pixels_per_second": speed * SIDE**2,
                "as": best[variant],
            }
            for variant, speed in speeds.items()
        },
        "ratio_to_plain": speeds["ours"] / speeds["plain"],
        "ratio_to_memory": speeds["ours"] / speeds["memory"],
        "ratio_to_limit": speeds["ours"] / speeds["limit"],
        **_share_of_roofline(speeds["ours"], device),
        "all": {name: [round(speed, 1) for speed in each] for name, each in measured.items()},
        "seconds": seconds,
        "rounds": rounds,
        "torch": torch.__version__,
    }


def _share_of_roofline(speed: float, device: torch.device) -> dict[str, Any]:
    if device.type != "cuda":
        return {}
    limit = roofline(SIDE, CHANNELS, device)
    return {"roofline": limit, "ratio_to_roofline": speed / float(limit["patches_per_second"])}


if __name__ == "__main__":
    main()
