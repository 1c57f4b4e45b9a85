"""Benchmark: seconds from the click on *Train* to a gain in Y on a clip that training has not seen.

    python benchmarks/time_to_quality.py [--gain 0.3] [--seconds 40] [--left-out CLIP] [--qp 37]
                                         [--basicsr FOLDER]

Trains on the clips of benchmarks/clips.py, up to 30 consecutive frames each by libx264, except one:
its frames are the validation pairs. From nothing: the networks of the presets *Example*, *Fast* and
*Best*, all with L2 and the default rate policy. From the starter: that of *Fast*; the starter has
seen the clip, so its seconds say how soon a training that starts from it shows its first gain. Each
training has `--seconds` of a time budget, and is stopped when it has reached the gain.

`--basicsr` is a folder with the source of BasicSR: its own loop (benchmarks/basicsr_worker.py)
then trains 9-1-5 in RGB on the same pairs in its LMDB, with the same batches, rate and loss and two
workers, and validates at the steps at which a validation here would be about due; a training here
of the same network in RGB is measured too. It needs the packages opencv-python-headless and
PyYAML.

Seconds are those of a clock, from the creation of the job to the validation: they include the start
of the worker, on Linux by a fork server as that of the server, and the loading of the pairs, and
need an idle machine. Prints a JSON object.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clips import CLIPS, SEQUENCES, dataset, finish, originals
from benchmarks.dataset import fork_server
from benchmarks.record import print_progress, print_record, skip
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.processes import FORK_SERVER
from jobs.specs import DatasetSpec, ModelSpec

FAST = {"name": "ecbnet", "depth": 4, "maps": 16}
NETWORKS: dict[str, dict[str, Any]] = {
    "9-1-5": {"network": {"name": "srcnn-9-1-5"}},
    "ECB, 4 layers of 16": {"network": FAST},
    "ECB, 8 layers of 24": {"network": {"name": "ecbnet", "depth": 8, "maps": 24}},
    "ECB, 4 layers of 16, from the starter": {"network": {**FAST, "start": "starter"}},
}
IN_RGB = {"9-1-5 in RGB": {"network": {"name": "srcnn-9-1-5"}, "channels": "rgb"}}
VALIDATIONS = 10
"""Of a training by BasicSR: it validates at steps, not by the clock."""
STEPS_PER_SECOND = 5
"""The pace of BasicSR on two cores, about: the interval of its validations follows from it."""
Point = tuple[float, float]
"""Seconds after the click, and the gain of Y in dB."""


@click.command()
@click.option("--gain", default=0.3, show_default=True, help="In dB PSNR of Y.")
@click.option("--seconds", default=40.0, show_default=True, help="Most seconds of a training.")
@click.option("--qp", default=37, show_default=True)
@click.option(
    "--left-out", type=click.Choice(list(SEQUENCES)), default="carphone", show_default=True
)
@click.option("--basicsr", type=click.Path(path_type=Path, exists=True), help="Its source.")
def main(gain: float, seconds: float, qp: int, left_out: str, basicsr: Path | None) -> None:
    if not CLIPS.is_dir():
        skip(f"The real clips are not there: {CLIPS}")
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        if sys.platform == "linux":  # Elsewhere no fork is safe.
            os.environ[FORK_SERVER] = str(stack.enter_context(fork_server())[1])
        pairs = all_pairs(Path(work), left_out, qp)
        runs = {}
        networks = NETWORKS if basicsr is None else NETWORKS | IN_RGB
        trainings = {
            name: partial(trained, Path(work), pairs, settings)
            for name, settings in networks.items()
        }
        if basicsr is not None:
            lmdb = exported(Path(work), pairs)
            trainings["9-1-5 in RGB, BasicSR"] = partial(trained_by_basicsr, basicsr, lmdb)
        for name, training in trainings.items():
            points = training(gain, seconds)
            runs[name] = {"seconds": reached(points, gain), "gains": points}
            print_progress(f"{name}: {runs[name]['seconds']} s")
    print_record(gain=gain, left_out=left_out, qp=qp, budget=seconds, runs=runs)


def all_pairs(work: Path, left_out: str, qp: int) -> str:
    """The id of a dataset of all clips; those of the clip left out are for validation."""
    manifest = work / "manifest.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["stream", "originals", "split"])
        for name in SEQUENCES:
            streams = JobFolder(work / "jobs" / dataset(work, name, qp)).path / "streams"
            (stream,) = streams.rglob("*.h264")
            rows.writerow([stream, originals(work, name), "val" if name == left_out else "train"])
    source = {"kind": "sequences", "manifest": str(manifest)}
    spec = DatasetSpec.model_validate({"name": "all", "source": source})
    job = folders.create(work, "dataset", spec)
    finish(job)
    return job.id


def trained(
    work: Path, pairs: str, settings: dict[str, Any], gain: float, seconds: float
) -> list[Point]:
    """Train until a validation reaches the gain, or the time is over."""
    began = time.time()
    spec = {
        "name": "time to quality",
        "dataset": pairs,
        "loss": {"name": "l2"},
        "patches_per_frame": 16,
        "minutes": seconds / 60,
        **settings,
    }
    model = folders.create(work, "model", ModelSpec.model_validate(spec))
    launcher.start(model)
    while model.worker_lives() and reached(gains(model, began), gain) is None:
        time.sleep(0.1)
    launcher.stop(model)
    return gains(model, began)


def exported(work: Path, pairs: str) -> Path:
    """The pairs of a dataset in the LMDB of BasicSR, as *Export* writes them."""
    from jobs.interchange.exporting import export
    from jobs.interchange.pairs import from_job

    folder = work / "basicsr"
    export(from_job(JobFolder(work / "jobs" / pairs)), folder, "basicsr", "all", lambda _: None)
    return folder


def trained_by_basicsr(source: Path, lmdb: Path, gain: float, seconds: float) -> list[Point]:
    """The same by BasicSR. The time for the export of the pairs does not count."""
    options = lmdb / "options.yml"
    options.write_text(json.dumps(options_of_basicsr(lmdb, seconds)))  # JSON is YAML.
    worker = Path(__file__).with_name("basicsr_worker.py").resolve()
    command = [sys.executable, str(worker), str(source.resolve()), "-opt", str(options)]
    began, points, lines, input = time.time(), list[Point](), list[str](), 0.0
    with subprocess.Popen(
        command, cwd=lmdb, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            passed = time.time() - began
            lines.append(line)
            if found := re.search(r"(input )?psnr: ([\d.]+)", line):
                psnr = float(found[2])
                input = psnr if found[1] else input
                points.append((round(passed, 2), round(psnr - input, 3)))
            if passed > seconds or reached(points, gain) is not None:
                break
        process.terminate()
    if not points:
        raise SystemExit("".join(lines))
    return points


def options_of_basicsr(lmdb: Path, seconds: float) -> dict[str, Any]:
    def pairs(split: str) -> dict[str, Any]:
        paths = {f"dataroot_{role}": str(lmdb / split / f"{role}.lmdb") for role in ("gt", "lq")}
        kind = {"name": split, "type": "PairedImageDataset", "scale": 1, "phase": split}
        return {**kind, **paths, "io_backend": {"type": "lmdb"}}

    train = {
        "gt_size": 64,
        "use_hflip": True,
        "use_rot": False,
        "batch_size_per_gpu": 16,
        "num_worker_per_gpu": 2,
        "dataset_enlarge_ratio": 100,
    }
    return {
        "name": "clearframe",
        "model_type": "SRModel",
        "scale": 1,
        "num_gpu": 0,
        "manual_seed": 0,
        "datasets": {"train": {**pairs("train"), **train}, "val": pairs("val")},
        "network_g": {"type": "clearframe_network", "name": "srcnn-9-1-5"},
        "path": {"pretrain_network_g": None, "resume_state": None},
        "train": {
            "optim_g": {"type": "Adam", "lr": 0.001},
            "scheduler": {"type": "MultiStepLR", "milestones": [10**9], "gamma": 1},
            "total_iter": 10**7,
            "pixel_opt": {"type": "MSELoss", "loss_weight": 1.0, "reduction": "mean"},
        },
        "val": {
            "val_freq": max(1, round(STEPS_PER_SECOND * seconds / VALIDATIONS)),
            "save_img": False,
            "pbar": False,
            "metrics": {
                "psnr": {"type": "calculate_psnr", "crop_border": 0, "test_y_channel": True}
            },
        },
        "logger": {"print_freq": 10, "save_checkpoint_freq": 10**9, "use_tb_logger": False},
    }


def gains(model: JobFolder, began: float) -> list[Point]:
    scalars = read(model.events, types=frozenset({"scalars"}))
    return [
        (
            round(event["time"] - began, 2),
            round(values["val/psnr_y"] - values["val/psnr_y_input"], 3),
        )
        for event in scalars
        if "val/psnr_y" in (values := event["scalars"])
    ]


def reached(points: list[Point], gain: float) -> float | None:
    """The seconds of the first validation with the gain."""
    return next((seconds for seconds, found in points if found >= gain), None)


if __name__ == "__main__":
    main()
