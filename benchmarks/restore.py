"""Benchmark: frames a second and gain of `clearframe restore` and of filters of ffmpeg.

    python benchmarks/restore.py [--clip FILE] [--frames 60] [--qp 37] [--rounds 2]

libx264 (preset medium) encodes consecutive frames of a clip, 1280x720 by default. Starters and
filters restore them in turns, each from that file to an .mp4 and each with all cores; starters also
to FFV1, which is lossless and quicker to encode. From a QP of 35 on, all .mp4 files have the same
encoder and options. `frames_per_second` is the best of all rounds: as the command reports it for
the starters, without the start of its process, and with it (0.1 s) for ffmpeg. `gain` is PSNR of Y
over the input, of the written file, in dB. The starters have seen the default clip in their
training. Prints a JSON object.
"""

import json
import shutil
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any, get_args

import av
import click
import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clips import CLIPS
from benchmarks.record import print_progress, print_record, skip
from jobs.media.video import decode_frames, to_picture
from jobs.restoring.encoding import ENCODERS
from jobs.specs.networks import Starter
from models.metrics import luma, psnr

FILTERS = {
    "spp": "spp=6:5:hard",
    "nlmeans": "nlmeans=s=1:p=7:r=5",
    "bilateral": "bilateral=sigmaS=1:sigmaR=0.02",
}
"""Filters of ffmpeg, each at the best of a few settings on the first frames of the default clip."""

LOSSLESS = ", FFV1"
STARTERS = [name + codec for name in get_args(Starter) for codec in ("", LOSSLESS)]

Picture = NDArray[np.uint8]


@click.command()
@click.option("--clip", type=click.Path(path_type=Path), default=CLIPS / "bigbuckbunny.mp4")
@click.option("--frames", "count", default=60, show_default=True)
@click.option("--qp", default=37, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(clip: Path, count: int, qp: int, rounds: int) -> None:
    if not clip.is_file():
        skip(f"The clip is missing: {clip}.")
    if not shutil.which("ffmpeg"):
        skip("The ffmpeg command is missing.")
    with TemporaryDirectory() as folder:
        work = Path(folder)
        originals = [to_picture(frame) for frame in islice(decode_frames(clip), count)]
        source = work / "input.mp4"
        encode(originals, source, qp)
        before = score(source, originals)
        rows: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for name in (*STARTERS, *FILTERS):
                out = work / f"{name}.{'mkv' if name.endswith(LOSSLESS) else 'mp4'}"
                speed = (
                    filtered(source, out, FILTERS[name], len(originals))
                    if name in FILTERS
                    else restored(source, out, name.removesuffix(LOSSLESS))
                )
                row = rows.setdefault(name, {"frames_per_second": 0.0})
                row["frames_per_second"] = max(row["frames_per_second"], round(speed, 2))
                row["gain"] = round(score(out, originals) - before, 3)
                print_progress(f"{name}: {speed:.2f} frames/s, {row['gain']:+.3f} dB")
        height, width = originals[0].shape[:2]
        print_record(
            clip=clip.name, width=width, height=height, frames=len(originals), qp=qp, results=rows
        )


def encode(pictures: list[Picture], path: Path, qp: int) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", 25, options={"qp": str(qp)})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def restored(source: Path, out: Path, starter: str) -> float:
    """Restore by the command; frames a second, as it reports them."""
    command = [sys.executable, "-m", "commands.main", "restore", source, out]
    command += ["--codec", "ffv1"] if out.suffix == ".mkv" else []
    result = run([*command, "--starter", starter, "--overwrite", "--json"])
    return float(json.loads(result)["frames_per_second"])


def filtered(source: Path, out: Path, setting: str, count: int) -> float:
    # The rate of restored files whose input has a QP above 32, as that of this benchmark.
    values = {**ENCODERS["h264"].options, "crf": str(ENCODERS["h264"].crf)}
    options = [part for key, value in values.items() for part in (f"-{key}", value)]
    began = time.perf_counter()
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, "-vf", setting, "-c:v", "libx264"]
    run([*command, *options, out])
    return count / (time.perf_counter() - began)


def run(command: list[Any]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def score(path: Path, originals: list[Picture]) -> float:
    """The mean PSNR of Y in dB."""
    with av.open(str(path)) as container:
        pictures = [to_picture(frame) for frame in container.decode(video=0)]
    return mean(
        float(psnr(brightness(picture), brightness(original)))
        for picture, original in zip(pictures, originals, strict=True)
    )


def brightness(picture: Picture) -> torch.Tensor:
    return luma(torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1))


if __name__ == "__main__":
    main()
