"""Benchmark: seconds from the click on *Train* to a gain in Y on a clip that training has not seen.

    python benchmarks/time_to_quality.py [--gain 0.3] [--seconds 40] [--left-out CLIP] [--qp 37]

Trains on the clips of benchmarks/clips.py, 30 consecutive frames each by libx264, except one:
its frames are the validation pairs. From nothing: the network of the form, and the best of
docs/quality.md. From the starter: the small ECB network; the starter has seen the clip, so its
seconds say how soon a training that starts from it shows its first gain. Each training has
`--seconds` of a time budget, and is stopped when it has reached the gain.

Seconds are those of a clock, from the creation of the job to the validation: they include the start
of the worker and the loading of the pairs, and need an idle machine. Prints a JSON object.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clips import CLIPS, SEQUENCES, dataset, finish, originals
from benchmarks.record import print_progress, print_record, skip
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.specs import DatasetSpec, ModelSpec

NETWORKS: dict[str, dict[str, Any]] = {
    "9-1-5": {"name": "srcnn-9-1-5"},
    "DnCNN, 8 layers of 32": {"name": "dncnn", "depth": 8, "maps": 32},
    "ECB, from the starter": {"name": "ecbnet", "start": "starter"},
}
Point = tuple[float, float]
"""Seconds after the click, and the gain of Y in dB."""


@click.command()
@click.option("--gain", default=0.3, show_default=True, help="In dB PSNR of Y.")
@click.option("--seconds", default=40.0, show_default=True, help="Most seconds of a training.")
@click.option("--qp", default=37, show_default=True)
@click.option(
    "--left-out", type=click.Choice(list(SEQUENCES)), default="carphone", show_default=True
)
def main(gain: float, seconds: float, qp: int, left_out: str) -> None:
    if not CLIPS.is_dir():
        skip(f"The real clips are not there: {CLIPS}")
    with tempfile.TemporaryDirectory() as work:
        pairs = all_pairs(Path(work), left_out, qp)
        runs = {}
        for name, network in NETWORKS.items():
            points = trained(Path(work), pairs, network, gain, seconds)
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
    work: Path, pairs: str, network: dict[str, Any], gain: float, seconds: float
) -> list[Point]:
    """Train until a validation reaches the gain, or the time is over."""
    began = time.time()
    spec = {
        "name": "time to quality",
        "dataset": pairs,
        "network": network,
        "loss": {"name": "l2"},
        "patches_per_frame": 16,
        "minutes": seconds / 60,
    }
    model = folders.create(work, "model", ModelSpec.model_validate(spec))
    launcher.start(model)
    while model.worker_lives() and reached(gains(model, began), gain) is None:
        time.sleep(0.1)
    launcher.stop(model)
    return gains(model, began)


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
