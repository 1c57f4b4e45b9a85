"""What the networks gain over H.264, on sequences that they have never seen.

    python benchmarks/quality.py run [--results FILE] [--work FOLDER] [--only ROW]... [--leave-out NAME,...]
    python benchmarks/quality.py table [--results FILE]

Real clips (../shared/media), scaled where their source was compressed, are coded by libx264 (medium) at QP 27, 32 and 37.
For each of them, each row of ROWS is trained on the others, and tested on all frames of the one left out: gain in PSNR
over the decoded frames, in RGB (all three channels together) and in Y, and in SSIM, each the mean over the frames.
One training for each QP, on the clips at that QP, or, for rows that say so, at milder ones as well (QP - 5 and QP - 10).

Results are kept line by line: what is there is not done again. `minutes` is the processor time of the training, divided
by the cores: what it takes on this machine when it has nothing else to do.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import click
import psutil
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.dataset import machine  # noqa: E402
from jobs.core import folder as folders  # noqa: E402
from jobs.core import launcher  # noqa: E402
from jobs.core.events import last_state  # noqa: E402
from jobs.core.events import read as events  # noqa: E402
from jobs.core.folder import JobFolder  # noqa: E402
from jobs.specs import DatasetSpec, ModelSpec  # noqa: E402

CLIPS = ROOT.parent / "shared" / "media" / "clips"
QPS = (27, 32, 37)
FRAMES = 30
GAINS = ("psnr", "psnr_y", "ssim")


@dataclass(frozen=True)
class Clip:
    """`divide`: by what its sides are divided, where it was compressed before; `every`: n-th frame is taken."""

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
"""The network of the DIGITS example, as it started there; validated often, for the curves of docs/decay.md."""

PER_PERCENT = {"name": "exponential", "gamma": 0.098, "per": "percent"}
SLOW = {"name": "adam", "learning_rate": 0.0003}
"""For layers with thousands of inputs: what they put out changes with each of their weights."""

L2 = {"loss": {"name": "l2"}}
MILDER = {"milder": True}
"""Of a detail that is there at less damage, a network that has seen it so does not take it for damage."""

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
"""About a minute on two cores each."""

ROWS |= {
    f"{name}, L2, milder QPs too": {**ROWS[name], **L2, **MILDER}
    for name in ("9-1-5", "9-5-5", "AR-CNN", "VRCNN", "EDSR, 4 blocks of 32")
}


@click.group()
def main() -> None:
    pass


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
    "--only", multiple=True, type=click.Choice(list(ROWS)), help="A row; several are possible."
)
@click.option("--leave-out", default=",".join(SEQUENCES), help="Sequences, by name.")
@click.option("--qps", default=",".join(map(str, QPS)), show_default=True)
@click.option(
    "--change", default="{}", help="JSON laid over the settings of each row, for experiments."
)
def run(
    results: Path, work: Path, only: tuple[str, ...], leave_out: str, qps: str, change: str
) -> None:
    wanted = [int(qp) for qp in qps.split(",")]
    done = {key(row) for row in read(results)}
    for left_out in leave_out.split(","):
        for name in only or ROWS:
            for qp in wanted:
                settings = {**ROWS[name], **json.loads(change)}
                trained = [qp - 10, qp - 5, qp] if settings.pop("milder", False) else [qp]
                asked = {
                    "row": name,
                    "left_out": left_out,
                    "trained": trained,
                    "settings": settings,
                }
                if key(asked) in done:
                    continue
                made = train(work, asked, qp)
                with results.open("a") as file:
                    file.write(json.dumps(made) + "\n")
                print(name, left_out, trained, json.dumps(made["tested"]), flush=True)


def key(row: dict[str, Any]) -> str:
    return json.dumps(
        [row["row"], row["left_out"], row["trained"], row["settings"]], sort_keys=True
    )


def read(results: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )


def train(work: Path, asked: dict[str, Any], qp: int) -> dict[str, Any]:
    """One training, and its test at a QP."""
    names = [name for name in SEQUENCES if name != asked["left_out"]]
    ids = [dataset(work, name, qp) for name in names for qp in asked["trained"]]
    spec = {
        "name": asked["row"],
        "dataset": ids[0],
        "more_datasets": ids[1:],
        **SAME,
        **asked["settings"],
    }
    model = folders.create(work, "model", ModelSpec.model_validate(spec))
    cpu_seconds, wall = finish(model)
    state = last_state(model.events)
    assert state is not None
    return {
        **asked,
        "tested": {qp: test(model, dataset(work, asked["left_out"], qp))},
        "curve": curve(model),
        "minutes": cpu_seconds / 60 / (os.cpu_count() or 1),
        "wall_minutes": wall / 60,
        "machine": machine(),
        "date": date.today().isoformat(),
    }


SAME = {
    "batch_size": 16,
    "patch_size": 64,
    "patches_per_frame": 16,
    "validation_interval": 1000,
    "snapshot_interval": 1000,
}
"""Of all rows, but for the defaults of the form. A thousand epochs are never reached: one snapshot, at the end."""


def curve(model: JobFolder) -> list[tuple[int, float]]:
    """Steps, and the gain in PSNR of the validation at each."""
    scalars = (
        (event["step"], event["scalars"])
        for event in events(model.events, types=frozenset({"scalars"}))
    )
    return [
        (step, round(of["val/psnr"] - of["val/psnr_input"], 4))
        for step, of in scalars
        if "val/psnr" in of
    ]


def finish(job: JobFolder) -> tuple[float, float]:
    """Run a job to its end; seconds of processor time, and of the clock."""
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
    """Gains on all frames, in a process of its own: LMDB opens a store once in a process only."""
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
    """The id of a sequence at a QP, made once."""
    known = work / "datasets.json"
    ids: dict[str, str] = json.loads(known.read_text()) if known.exists() else {}
    if f"{name} {qp}" not in ids:
        source = {"kind": "compress", "originals": str(originals(work, name)), "qp": [qp]}
        spec = DatasetSpec.model_validate(
            {"name": f"{name} {qp}", "source": source, "input_encoding": "none"}
        )
        job = folders.create(work, "dataset", spec)
        finish(job)
        ids[f"{name} {qp}"] = job.id
        known.write_text(json.dumps(ids))
    return ids[f"{name} {qp}"]


def originals(work: Path, name: str) -> Path:
    """The folder of a sequence's frames, scaled."""
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
    from jobs.specs.dataset import RawVideo

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
    type=click.Path(path_type=Path),
    default=ROOT / "benchmarks/results/quality.jsonl",
    show_default=True,
)
def table(results: Path) -> None:
    """Markdown: for each QP a row a network, a column a sequence that was left out."""
    rows = read(results)
    for qp in QPS:
        print(
            f"QP {qp}\n\n| network | {' | '.join(SEQUENCES)} | mean | min. |\n|---|{'---|' * (len(SEQUENCES) + 2)}"
        )
        for name in ROWS:
            of = {
                row["left_out"]: row
                for row in rows
                if row["row"] == name and str(qp) in row["tested"]
            }
            if of:
                gains = {sequence: row["tested"][str(qp)] for sequence, row in of.items()}
                minutes = sum(row["minutes"] for row in of.values()) / len(of)
                cells = [
                    *(words([gains[one]]) if one in gains else "" for one in SEQUENCES),
                    words(list(gains.values())),
                ]
                print(f"| {name} | {' | '.join(cells)} | {minutes:.1f} |")
        print()


def words(gains: list[dict[str, float]]) -> str:
    """Means, as dB in Y, dB in RGB, and thousandths of SSIM."""
    y, rgb, ssim = (
        sum(one[gain] for one in gains) / len(gains) for gain in ("psnr_y", "psnr", "ssim")
    )
    return f"{y:+.2f}, {rgb:+.2f}, {1000 * ssim:+.1f}"


if __name__ == "__main__":
    main()
