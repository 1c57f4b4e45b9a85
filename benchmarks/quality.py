"""Benchmark: quality gain of networks, starters and filters over H.264 on unseen clips.

    python benchmarks/quality.py             a short training, in half a minute
    python benchmarks/quality.py run [--seconds 60] [--seeds 0,1] [--only ROW]...
                                     [--starters FOLDER] [--results FILE] [--work FOLDER]
    python benchmarks/quality.py table [--results FILE]

The clips are those of benchmarks/clips.py: up to 30 consecutive frames of each by libx264 (preset
medium) at QP 22, 27, 32, 37 and 42. Each training sees all clips except those of a fold, at all
rates, for `--seconds` of processor time on one core, and one network is measured on the clips of
the fold at all rates. Filters are measured at the setting that is best for a rate on the clips
outside of the fold. The starters of the package have seen the clips: `--starters` is the work
folder of scripts/train_starter.py, which has weights that have not seen the clips of a fold.

Scores are means over the last ten frames of each clip, of input and output: PSNR of Y and of RGB,
SSIM, VMAF where an ffmpeg with libvmaf is found, the standard deviation of the PSNR of Y over the
frames (`fluctuation`), and processor seconds a megapixel.

`run` appends each result to a file of lines as soon as it is known, and skips those that are there:
start it again to continue. `table` writes the tables of docs/quality.md from that file alone.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.forms.presets import PRESETS
from benchmarks.clips import ALL, CLIPS, SEQUENCES, dataset
from benchmarks.quality_tables import QPS, SHOWN_QP, gain, tables
from benchmarks.record import ROOT, print_progress, print_record, record, skip
from jobs.core import folder as folders
from jobs.core.events import last_state
from jobs.core.events import read as events
from jobs.core.folder import JobFolder
from jobs.media import vmaf
from jobs.media.images import Picture, to_gray
from jobs.media.quality import psnr, ssim
from jobs.specs import ModelSpec
from scripts.train_starter import FOLDS, weights_without

LAST = 10
"""Frames of a clip that are measured. The first are an I frame and what follows it closely."""
RESULTS = ROOT / "benchmarks/results/quality-table.jsonl"
DOCUMENT = ROOT / "docs" / "quality.md"
BEGIN, END = "<!-- Tables by benchmarks/quality.py -->", "<!-- End of the tables -->"

Restore = Callable[[list[Picture]], list[Picture]]
"""A function of consecutive frames (H, W, 4), RGB and QP as PairSet has them, to RGB frames."""


@dataclass(frozen=True)
class Row:
    """A training from nothing or from a starter, a starter as it is, or a filter."""

    settings: dict[str, Any] | None = None
    starter: str = ""
    filter: str = ""
    frames: int = LAST


def _preset(name: str) -> dict[str, Any]:
    """The settings of a preset of the form, from nothing."""
    values = {key: value for key, value in PRESETS[name].values.items() if key != "minutes"}
    return values | {"network": {**values["network"], "start": "identity"}}


L2 = {"loss": {"name": "l2"}}
SLOW = {"solver": {"name": "adam", "learning_rate": 0.0003}}
"""For layers with thousands of inputs, whose outputs change with each of their weights."""
PLAIN: dict[str, Any] = {
    "network": {"name": "srcnn-9-1-5", "skip": False, "start": "paper"},
    "channels": "rgb",
    "validation_interval": 0.1,
}
"""The example of DIGITS with its start; its validations are the curves of docs/decay.md."""
PER_PERCENT = {"name": "exponential", "gamma": 0.098, "per": "percent"}

ROWS: dict[str, Row] = {
    "9-1-5 (*Example*), from nothing": Row({}),
    "ECB, 4 layers of 16 (*Fast*), from nothing": Row(_preset("fast")),
    "starter *fast*": Row(starter="fast"),
    "ECB, 4 layers of 16 (*Fast*), from the starter": Row(_preset("fast"), "fast"),
    "nlmeans": Row(filter="nlmeans"),
    "ECB, 8 layers of 24 (*Best*), from nothing": Row(_preset("best")),
    "DnCNN, 8 layers of 32, L2": Row({"network": {"name": "dncnn", "depth": 8, "maps": 32}, **L2}),
    "spp": Row(filter="spp"),
    "BM3D, 2 frames a clip": Row(filter="bm3d", frames=2),
    "starter *example*": Row(starter="example"),
    "9-1-5 (*Example*), from the starter": Row({}, "example"),
    "starter *good*": Row(starter="good"),
    "ECB, 8 layers of 24 (*Best*), from the starter": Row(_preset("best"), "good"),
    "VDSR, 8 layers of 32, L2": Row({"network": {"name": "vdsr", "depth": 8, "maps": 32}, **L2}),
    "VRCNN, L2": Row({"network": {"name": "vrcnn"}, **L2}),
    "EDSR, 4 blocks of 32, L2": Row({"network": {"name": "edsr", "blocks": 4, "maps": 32}, **L2}),
    "FFDNet, 8 layers of 32, L2": Row({"network": {"name": "ffdnet"}, **L2}),
    "9-1-5, L2": Row({"network": {"name": "srcnn-9-1-5"}, **L2}),
    "9-5-5, L2": Row({"network": {"name": "srcnn-9-5-5"}, **SLOW, **L2}),
    "AR-CNN, L2": Row({"network": {"name": "ar-cnn"}, **SLOW, **L2}),
    "9-1-5 plain, decay per run": Row(PLAIN),
    "9-1-5 plain, decay per percent": Row({**PLAIN, "lr_policy": PER_PERCENT}),
}

SAME = {
    "batch_size": 16,
    "patch_size": 64,
    "patches_per_frame": 16,
    "validation_interval": 1000,
    "snapshot_interval": 1000,
    "device": "cpu",
}
"""Settings of all trainings that differ from the defaults: no validation, a snapshot at the end."""


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Train a network for some seconds, and print its scores on a clip that it has not seen."""
    if not CLIPS.is_dir() and context.invoked_subcommand != "table":
        skip(f"The real clips are missing: {CLIPS}.")
    if context.invoked_subcommand is None:
        name = next(iter(ROWS))
        with tempfile.TemporaryDirectory() as folder:
            model, facts = train(Path(folder), name, Row(ROWS[name].settings), FOLDS[0], 0, 10.0)
            pairs = coded(Path(folder), "carphone", SHOWN_QP)
            print_record(row=name, **facts, carphone=measured(network(model), pairs, 3))


@main.command()
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "data/quality",
    show_default=True,
)
@click.option("--seconds", default=60.0, show_default=True, help="Processor time of a training.")
@click.option("--seeds", default="0", show_default=True, help="Seeds of the trainings, in turn.")
@click.option("--only", multiple=True, type=click.Choice(list(ROWS)), help="Only this row.")
@click.option("--starters", type=click.Path(path_type=Path, exists=True))
def run(
    results: Path,
    work: Path,
    seconds: float,
    seeds: str,
    only: tuple[str, ...],
    starters: Path | None,
) -> None:
    """Measure all rows, and add those that the results lack."""
    added, done = 0, {key(line) for line in read(results)}
    for request in requests(only or tuple(ROWS), [int(seed) for seed in seeds.split(",")], seconds):
        if key(request) in done or not is_possible(ROWS[request["row"]], starters):
            continue
        line = record(**request, **result(work, request, starters))
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        gains = [gain(scores[str(SHOWN_QP)]) for scores in line["clips"].values()]
        print_progress(f"{request['row']}, without {request['fold'][0]}: {fmean(gains):+.3f} dB")
        added += 1
    print_record(results=str(results), added=added)


def requests(
    names: Iterable[str], seeds: Iterable[int], seconds: float
) -> Iterator[dict[str, Any]]:
    """What to measure. Rows without a training have neither seeds nor seconds."""
    for number, seed in enumerate(seeds):
        for name in names:
            settings = ROWS[name].settings
            if number and settings is None:
                continue
            training = {"settings": settings, "seed": seed, "seconds": seconds}
            for fold in FOLDS:
                yield {"row": name, "fold": list(fold), **({} if settings is None else training)}


def key(line: dict[str, Any]) -> str:
    fields = ("row", "fold", "settings", "seed", "seconds")
    return json.dumps([line.get(field) for field in fields], sort_keys=True)


def is_possible(row: Row, starters: Path | None) -> bool:
    """Whether this machine has the filter, or the weights of the row's starter."""
    if row.filter:
        return row.filter == "spp" or row.filter not in missing_filters()
    return not row.starter or (
        starters is not None and weights_without(starters, row.starter, FOLDS[0][0]).exists()
    )


def read(results: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )


def result(work: Path, request: dict[str, Any], starters: Path | None) -> dict[str, Any]:
    """The scores of the clips of a fold at each QP, and facts of the training."""
    row, fold, facts = ROWS[request["row"]], request["fold"], dict[str, Any]()
    start = weights_without(starters, row.starter, fold[0]) if starters and row.starter else None
    restores: dict[int, Restore] = {}
    if row.filter:
        chosen = {qp: best_setting(work, row.filter, fold, qp) for qp in QPS}
        facts["filter"] = chosen
        restores = {qp: filtered(row.filter, chosen[qp]) for qp in QPS}
    elif row.settings is None:
        assert start is not None
        restores = dict.fromkeys(QPS, starter(start))
    else:
        training = (request["seed"], request["seconds"], start)
        model, facts = train(work, request["row"], row, fold, *training)
        restores = dict.fromkeys(QPS, network(model))
    clips = {
        name: {str(qp): measured(restores[qp], coded(work, name, qp), row.frames) for qp in QPS}
        for name in fold
    }
    return {**facts, "clips": clips}


def train(
    work: Path,
    name: str,
    row: Row,
    fold: Iterable[str],
    seed: int,
    seconds: float,
    start: Path | None = None,
) -> tuple[JobFolder, dict[str, Any]]:
    """A model that is trained on all clips except those of a fold, and facts of its training."""
    ids = [dataset(work, clip, *QPS) for clip in ALL if clip not in fold]
    spec = {
        "name": name,
        "dataset": ids[0],
        "more_datasets": ids[1:],
        "seed": seed,
        "minutes": seconds / 60,
        "start_file": str(start) if start else None,
        **SAME,
        **(row.settings or {}),
    }
    model = folders.create(work, "model", ModelSpec.model_validate(spec))
    command = [sys.executable, __file__, "train-model", str(model.path)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    state = last_state(model.events)
    assert state is not None
    assert state["state"] == "done", state.get("reason")
    points = [
        (event["step"], round(values["val/psnr"] - values["val/psnr_input"], 4))
        for event in events(model.events, types=frozenset({"scalars"}))
        if "val/psnr" in (values := event["scalars"])
    ]
    return model, {"steps": points[-1][0], "curve": points}


@main.command(hidden=True)
@click.argument("model")
def train_model(model: str) -> None:
    """The worker of a training whose budget is processor time: the machine may be busy."""
    import time

    from jobs import run as worker
    from jobs.training.clock import Clock

    Clock.now = time.process_time
    sys.exit(worker.main(model))


@dataclass(frozen=True)
class Coded:
    """The measured frames of a clip at a QP. `inputs` have the QPs as a last channel."""

    bits: float
    inputs: list[Picture]
    targets: list[Picture]


@cache
def coded(work: Path, name: str, qp: int) -> Coded:
    from jobs.datasets.pair_sets import PairSet

    folder = JobFolder(work / "jobs" / dataset(work, name, *QPS))
    stores = [store for split in ("train", "val") if (store := folder.store(split)).exists()]
    with PairSet(stores, qps=True) as pairs:
        numbers = [
            number
            for number, stream in enumerate(pairs.streams)
            if stream and stream.rate == f"QP {qp}"
        ]
        numbers.sort(key=lambda number: pairs.meta(number)["frame"])
        stream = pairs.streams[numbers[0]]
        frames = [pairs[number] for number in numbers[-LAST:]]
        return Coded(
            stream.bits,
            [input.numpy().copy() for input, _ in frames],
            [target.numpy().copy() for _, target in frames],
        )


def network(model: JobFolder) -> Restore:
    """The last snapshot of a model."""
    from jobs.networks import snapshots

    return _restore(snapshots.load(model, "last")[1])


def starter(weights: Path) -> Restore:
    from jobs.networks.snapshots import read_file, restorer_of

    return _restore(restorer_of(*read_file(weights), str(weights)))


def _restore(restorer: Any) -> Restore:
    import torch

    from jobs.networks.device import choose_precision
    from models import tiles
    from models.metrics import to_uint8

    torch.set_num_threads(1)
    restorer.dtype = choose_precision("auto", torch.device("cpu")).dtype
    planes = 4 if restorer.takes_qp else 3

    def restore(frames: list[Picture]) -> list[Picture]:
        images = (torch.from_numpy(frame).permute(2, 0, 1)[None, :planes] for frame in frames)
        with torch.inference_mode():
            outputs = [to_uint8(tiles.restore(restorer, image)[0]) for image in images]
        return [output.permute(1, 2, 0).numpy() for output in outputs]

    return restore


@cache
def missing_filters() -> dict[str, str]:
    from jobs.inference.filters import missing

    return missing()


def filtered(name: str, setting: str) -> Restore:
    """A filter at a setting. Y is filtered, and the colour stays."""
    from jobs.inference.filters import Filter

    def restore(frames: list[Picture]) -> list[Picture]:
        if name == "spp" and "spp" in missing_filters():
            return _by_command(f"spp={setting}", frames)
        return [Filter(name, setting)(frame[:, :, :3]) for frame in frames]

    return restore


def _by_command(filter: str, frames: list[Picture]) -> list[Picture]:
    """Y through a filter of the ffmpeg command; only builds under the GPL have spp."""
    import numpy as np

    before = [to_gray(frame[:, :, :3], "BT.601") for frame in frames]
    height, width = before[0].shape[:2]
    layout = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{width}x{height}"]
    command = ["ffmpeg", "-v", "error", *layout, "-i", "-", "-vf", filter, *layout, "-"]
    packed = b"".join(luma.tobytes() for luma in before)
    done = subprocess.run(command, input=packed, stdout=subprocess.PIPE, check=True)
    after = np.frombuffer(done.stdout, np.uint8).reshape(len(before), height, width, 1)
    return [
        (frame[:, :, :3] + (new.astype(np.int16) - old)).clip(0, 255).astype(np.uint8)
        for frame, new, old in zip(frames, after, before, strict=True)
    ]


def best_setting(work: Path, name: str, fold: Iterable[str], qp: int) -> str:
    """The setting with the largest mean gain on the clips outside of a fold."""
    from jobs.inference.filters import SETTINGS

    others = [clip for clip in SEQUENCES if clip not in fold]
    return max(
        SETTINGS[name],
        key=lambda setting: fmean(_tried(work, clip, qp, name, setting) for clip in others),
    )


TRIED_FRAMES = 3
TRIED_SIDE = 128
"""Pixels of the square in the middle of a frame on which settings of BM3D are tried: it is slow."""


@cache
def _tried(work: Path, clip: str, qp: int, name: str, setting: str) -> float:
    pairs = coded(work, clip, qp)
    inputs, targets = (
        [_middle(frame) if name == "bm3d" else frame for frame in frames[-TRIED_FRAMES:]]
        for frames in (pairs.inputs, pairs.targets)
    )
    outputs = filtered(name, setting)(inputs)
    return fmean(
        psnr(output, target) - psnr(input[:, :, :3], target)
        for input, output, target in zip(inputs, outputs, targets, strict=True)
    )


def _middle(frame: Picture) -> Picture:
    top, left = (max(0, side - TRIED_SIDE) // 2 for side in frame.shape[:2])
    return frame[top : top + TRIED_SIDE, left : left + TRIED_SIDE]


def measured(restore: Restore, pairs: Coded, count: int) -> dict[str, Any]:
    """The scores of `count` of the frames: the last ones, or some of them, evenly spaced."""
    step = len(pairs.inputs) / min(count, len(pairs.inputs))
    chosen = [int(place * step) for place in range(min(count, len(pairs.inputs)))]
    inputs, targets = (
        [frames[number] for number in chosen] for frames in (pairs.inputs, pairs.targets)
    )
    before = sum(os.times()[:4])
    outputs = restore(inputs)
    seconds = sum(os.times()[:4]) - before
    seen = [input[:, :, :3] for input in inputs]
    sides = {"input": scores(seen, targets), "output": scores(outputs, targets)}
    with vmaf.meter(*targets[0].shape[:2]) as meter:
        for frames in zip(seen, outputs, targets, strict=True):
            meter.add(*frames)
        if scored := meter.scores():
            sides["input"]["vmaf"], sides["output"]["vmaf"] = scored["input"], scored["output"]
    pixels = sum(target.shape[0] * target.shape[1] for target in targets)
    return {"bits": pairs.bits, "seconds": seconds / pixels * 1e6, **sides}


def scores(frames: list[Picture], targets: list[Picture]) -> dict[str, float]:
    pairs = list(zip(frames, targets, strict=True))
    of_y = [psnr(to_gray(frame, "BT.601"), to_gray(target, "BT.601")) for frame, target in pairs]
    return {
        "psnr_y": fmean(of_y),
        "psnr": fmean(psnr(frame, target) for frame, target in pairs),
        "ssim": fmean(ssim(frame, target) for frame, target in pairs),
        "fluctuation": pstdev(of_y),
    }


@main.command()
@click.option(
    "--results", type=click.Path(path_type=Path, exists=True), default=RESULTS, show_default=True
)
def table(results: Path) -> None:
    """Write the tables of docs/quality.md from results."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n\n{tables(read(results))}\n\n{END}{after}"
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
