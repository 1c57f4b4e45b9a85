"""Benchmark: quality gain of networks over H.264 on unseen sequences.

    python benchmarks/quality.py             a single short training, in a minute
    python benchmarks/quality.py run [--results FILE] [--work FOLDER] [--only ROW]...
                                     [--leave-out NAME,...]
    python benchmarks/quality.py table [--results FILE]

libx264 (preset medium) encodes real clips (../shared/media) at QP 27, 32 and 37. Clips whose
source was compressed are scaled down first. For each clip, each row of ROWS is trained on the
other clips, and tested on all frames of the clip left out: gain in PSNR over the decoded
frames, in RGB (all three channels together) and in Y, and in SSIM, each the mean over the
frames. Each QP has a training on the clips at that QP; some rows add milder QPs (QP - 5 and
QP - 10).

`run` appends results line by line, and skips rows with a result; `table` writes the tables of
docs/quality.md from them. `minutes` is the CPU
time of the training, divided by the number of cores: the duration on an otherwise idle
machine.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
import psutil
from PIL import Image

from benchmarks.record import ROOT, print_progress, print_record, record, skip
from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import last_state
from jobs.core.events import read as events
from jobs.core.folder import JobFolder
from jobs.specs import DatasetSpec, ModelSpec

CLIPS = ROOT.parent / "shared" / "media" / "clips"
QPS = (27, 32, 37)
FRAMES = 30
GAINS = ("psnr", "psnr_y", "ssim")
RESULTS = ROOT / "benchmarks/results/quality-2026-11-24.jsonl"
"""The results of docs/quality.md."""
DOCUMENT = ROOT / "docs" / "quality.md"
BEGIN, END = "<!-- Tables by benchmarks/quality.py -->", "<!-- End of the tables -->"


@dataclass(frozen=True)
class Clip:
    """A clip. `divide`: factor to scale compressed sources down; `every`: use each n-th frame."""

    file: str
    divide: int = 1
    every: int = 1
    raw: dict[str, Any] = field(default_factory=dict)


SEQUENCES = {
    "carphone": Clip("carphone_pristine.mp4", every=4),
    "bikes": Clip("bikes.mp4", divide=2, every=8),
    "bigbuckbunny": Clip("bigbuckbunny.mp4", divide=3, every=4),
    "flower": Clip("VID_1280x720_cabac_temporal_direct.264", divide=3, every=10),
    "mobile": Clip("CVPCMNL1_SVA_C.264"),
    "park_joy": Clip("park_joy_480x270.y4m"),
    "two_people": Clip("two_people_320x192_12fps_yuv420p.yuv", raw={"width": 320, "height": 192}),
}

EXAMPLE: dict[str, Any] = {
    "network": {"name": "srcnn-9-1-5", "skip": False, "start": "paper"},
    "channels": "rgb",
    "steps": 1500,
    "validation_interval": 0.25,
}
"""Settings of the DIGITS example with its start.

Frequent validations give the curves of docs/decay.md.
"""

PER_PERCENT = {"name": "exponential", "gamma": 0.098, "per": "percent"}
SLOW = {"name": "adam", "learning_rate": 0.0003}
"""For layers with thousands of inputs, whose outputs change with each of their weights."""

L2 = {"loss": {"name": "l2"}}
MILDER = {"milder": True}
"""A network that has seen details at lower compression does not treat them as artifacts."""

ROWS: dict[str, dict[str, Any]] = {
    "9-1-5 plain, decay per percent": {**EXAMPLE, "lr_policy": PER_PERCENT},
    "9-1-5 plain, decay per run": EXAMPLE,
    "9-1-5": {"network": {"name": "srcnn-9-1-5"}, "steps": 3000},
    "9-1-5, RGB": {"network": {"name": "srcnn-9-1-5"}, "channels": "rgb", "steps": 1500},
    "9-1-5, YCbCr": {"network": {"name": "srcnn-9-1-5"}, "channels": "ycbcr", "steps": 1500},
    "9-5-5": {"network": {"name": "srcnn-9-5-5"}, "solver": SLOW, "steps": 900},
    "AR-CNN": {"network": {"name": "ar-cnn"}, "solver": SLOW, "steps": 500},
    "VRCNN": {"network": {"name": "vrcnn"}, "steps": 900},
    "VDSR, 8 layers of 32": {"network": {"name": "vdsr", "depth": 8, "maps": 32}, "steps": 800},
    "DnCNN, 8 layers of 32": {"network": {"name": "dncnn", "depth": 8, "maps": 32}, "steps": 800},
    "EDSR, 4 blocks of 32": {"network": {"name": "edsr", "blocks": 4, "maps": 32}, "steps": 600},
    "DnCNN, 8 layers of 32, L2, milder QPs too, 2 minutes": {
        "network": {"name": "dncnn", "depth": 8, "maps": 32},
        "steps": 1600,
        **L2,
        **MILDER,
    },
}
"""Settings by row. Each takes about a minute on two cores."""

ROWS |= {
    f"{name}, L2, milder QPs too": {**ROWS[name], **L2, **MILDER}
    for name in ("9-1-5", "9-5-5", "AR-CNN", "VRCNN", "EDSR, 4 blocks of 32")
}


SHORT: dict[str, Any] = {
    "row": "9-1-5",
    "left_out": "carphone",
    "trained": [37],
    "settings": {**ROWS["9-1-5"], "steps": 300},
}
"""A tenth of a row's training: whether the networks still learn, not how well."""


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Train a network for a minute, and print its gain on a clip that it has not seen."""
    if not CLIPS.is_dir() and context.invoked_subcommand != "table":
        skip(f"The real clips are not there: {CLIPS}")
    if context.invoked_subcommand is None:
        with tempfile.TemporaryDirectory() as work:
            print_record(**train(Path(work), SHORT, 37))


@main.command()
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=ROOT / "benchmarks/results/quality.jsonl",
    show_default=True,
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "data/quality",
    show_default=True,
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(ROWS)),
    help="Run only this row. Repeat for several rows.",
)
@click.option(
    "--leave-out", default=",".join(SEQUENCES), help="Leave out these sequences, in turn."
)
@click.option("--qps", default=",".join(map(str, QPS)), show_default=True)
@click.option(
    "--change", default="{}", help="Override settings of each row by this JSON, for experiments."
)
def run(
    results: Path, work: Path, only: tuple[str, ...], leave_out: str, qps: str, change: str
) -> None:
    qps_to_run, added = [int(qp) for qp in qps.split(",")], 0
    done = {key(row) for row in read(results)}
    for left_out in leave_out.split(","):
        for name in only or ROWS:
            for qp in qps_to_run:
                settings = {**ROWS[name], **json.loads(change)}
                trained = [qp - 10, qp - 5, qp] if settings.pop("milder", False) else [qp]
                request = {
                    "row": name,
                    "left_out": left_out,
                    "trained": trained,
                    "settings": settings,
                }
                if key(request) in done:
                    continue
                result = record(**train(work, request, qp))
                with results.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                print_progress(f"{name} {left_out} {trained} {json.dumps(result['tested'])}")
                added += 1
    print_record(results=str(results), added=added)


def key(row: dict[str, Any]) -> str:
    return json.dumps(
        [row["row"], row["left_out"], row["trained"], row["settings"]], sort_keys=True
    )


def read(results: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )


def train(work: Path, request: dict[str, Any], qp: int) -> dict[str, Any]:
    """Train a model, and test it at a QP."""
    names = [name for name in SEQUENCES if name != request["left_out"]]
    ids = [dataset(work, name, qp) for name in names for qp in request["trained"]]
    spec = {
        "name": request["row"],
        "dataset": ids[0],
        "more_datasets": ids[1:],
        **SAME,
        **request["settings"],
    }
    model = folders.create(work, "model", ModelSpec.model_validate(spec))
    cpu_seconds, wall = finish(model)
    state = last_state(model.events)
    assert state is not None
    return {
        **request,
        "tested": {qp: test(model, dataset(work, request["left_out"], qp))},
        "curve": curve(model),
        "minutes": cpu_seconds / 60 / (os.cpu_count() or 1),
        "wall_minutes": wall / 60,
    }


SAME = {
    "batch_size": 16,
    "patch_size": 64,
    "patches_per_frame": 16,
    "validation_interval": 1000,
    "snapshot_interval": 1000,
}
"""Settings of all rows that differ from the defaults.

The intervals of a thousand epochs exceed every run, so that there is a single snapshot, at the
end.
"""


def curve(model: JobFolder) -> list[tuple[int, float]]:
    """Pairs of step and validation gain in PSNR."""
    points = (
        (event["step"], event["scalars"])
        for event in events(model.events, types=frozenset({"scalars"}))
    )
    return [
        (step, round(scalars["val/psnr"] - scalars["val/psnr_input"], 4))
        for step, scalars in points
        if "val/psnr" in scalars
    ]


def finish(job: JobFolder) -> tuple[float, float]:
    """Run a job to its end; returns CPU seconds and wall-clock seconds."""
    began = time.monotonic()
    pid = launcher.start(job)
    process = psutil.Process(pid)
    used = 0.0
    while job.worker_lives():
        try:
            times = process.cpu_times()
            used = times.user + times.system
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.2)
    state = last_state(job.events)
    assert state is not None
    assert state["state"] == "done", (state.get("reason"), job.worker_log.read_text())
    return used, time.monotonic() - began


def test(model: JobFolder, dataset: str) -> dict[str, float]:
    """Gains on all frames. Runs in a subprocess: a process can open an LMDB store only once."""
    command = [sys.executable, __file__, "score", str(model.path), dataset]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    scores: dict[str, float] = json.loads(done.stdout)
    return scores


@main.command(hidden=True)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset")
def score(model: Path, dataset: str) -> None:
    import torch

    from jobs.core.events import NoLog
    from jobs.core.report import Report
    from jobs.datasets.pair_sets import PairSet
    from jobs.networks import snapshots
    from jobs.networks.device import choose_precision
    from jobs.training.ranks import Ranks
    from jobs.training.validation import Validation

    folder, device = JobFolder(model), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _, restorer, _ = snapshots.load(folder, "last")
    stores = [folder.sibling(dataset).store(split) for split in ("train", "val")]
    restorer.dtype = choose_precision("auto", device).dtype
    scores = Validation(PairSet(stores), Ranks(), device).scores(
        restorer.to(device), Report(NoLog())
    )
    gains = {name: scores[f"val/{name}"] - scores[f"val/{name}_input"] for name in GAINS}
    print(json.dumps({**gains, "input": {name: scores[f"val/{name}_input"] for name in GAINS}}))


def dataset(work: Path, name: str, qp: int) -> str:
    """The id of the dataset of a sequence at a QP. Creates it on first use."""
    index = work / "datasets.json"
    ids: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
    if f"{name} {qp}" not in ids:
        source = {"kind": "compress", "originals": str(originals(work, name)), "qp": [qp]}
        spec = DatasetSpec.model_validate(
            {"name": f"{name} {qp}", "source": source, "input_encoding": "none"}
        )
        job = folders.create(work, "dataset", spec)
        finish(job)
        ids[f"{name} {qp}"] = job.id
        index.write_text(json.dumps(ids))
    return ids[f"{name} {qp}"]


def originals(work: Path, name: str) -> Path:
    """The folder with the scaled frames of a sequence."""
    folder = work / "originals" / name
    if not folder.exists():
        draft = folder.with_name(f".{name}")
        draft.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(frames(SEQUENCES[name])):
            picture.save(draft / f"{number:04d}.bmp")
        draft.rename(folder)
    return folder


def frames(clip: Clip) -> Iterator[Image.Image]:
    from jobs.media.video import decode_frames, to_picture
    from jobs.specs.sources import RawVideo

    decoded = decode_frames(
        CLIPS / clip.file, raw=RawVideo.model_validate(clip.raw) if clip.raw else None
    )
    for frame in islice(decoded, 0, clip.every * FRAMES, clip.every):
        picture = Image.fromarray(to_picture(frame))
        width, height = (side // clip.divide // 2 * 2 for side in picture.size)
        yield (
            picture
            if clip.divide == 1
            else picture.resize((width, height), Image.Resampling.LANCZOS)
        )


@main.command()
@click.option(
    "--results",
    type=click.Path(path_type=Path, exists=True),
    default=RESULTS,
    show_default=True,
)
def table(results: Path) -> None:
    """Write the tables of docs/quality.md from results."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{tables(read(results))}\n\n{END}{after}", "utf-8")


def tables(rows: list[dict[str, Any]]) -> str:
    """A Markdown table for each QP, with a row for each network.

    First those on most sequences, among them the largest gain of Y.
    """
    qps = sorted({int(qp) for row in rows for qp in row["tested"]})
    return "\n\n".join(_table(qp, rows) for qp in qps)


def _table(qp: int, rows: list[dict[str, Any]]) -> str:
    of_networks: dict[str, dict[str, tuple[dict[str, float], float]]] = {}
    for row in rows:  # The last result of a network and a sequence counts.
        if str(qp) in row["tested"] and row["row"] in ROWS:
            scores = of_networks.setdefault(row["row"], {})
            scores[row["left_out"]] = row["tested"][str(qp)], row["minutes"]
    # A mean over few sequences may be of easy ones: it is below those over more.
    best_first = sorted(of_networks.items(), key=lambda item: (-len(item[1]), -_means(item[1])[0]))
    head = "| network | Y, dB | least … most | RGB, dB | SSIM, thousandths | sequences | min. |"
    lines = [f"QP {qp}", "", head, "|---|---|---|---|---|---|---|"]
    for name, scores in best_first:
        y, rgb, ssim, minutes = _means(scores)
        gains = [gain["psnr_y"] for gain, _ in scores.values()]
        where = "all" if len(scores) == len(SEQUENCES) else ", ".join(sorted(scores))
        lines.append(
            f"| {name} | {y:+.2f} | {min(gains):+.2f} … {max(gains):+.2f} | {rgb:+.2f} "
            f"| {1000 * ssim:+.1f} | {where} | {minutes:.1f} |"
        )
    return "\n".join(lines).replace("-0.00", "0.00")


def _means(scores: dict[str, tuple[dict[str, float], float]]) -> tuple[float, ...]:
    """The means of the gains in Y, in RGB and in SSIM, and of the minutes."""
    values = [
        (gain["psnr_y"], gain["psnr"], gain["ssim"], minutes) for gain, minutes in scores.values()
    ]
    return tuple(sum(column) / len(column) for column in zip(*values, strict=True))


if __name__ == "__main__":
    main()
