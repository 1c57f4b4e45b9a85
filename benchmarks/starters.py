"""Benchmark: gain of the starters over H.264 on the clips of benchmarks/clips.py.

    python benchmarks/starters.py [--starter NAME] [--every 8] [--blind] [--only CLIP]...
                                  [--left-out FOLDER] [--others | --originals]

libx264 (preset medium) encodes 30 consecutive frames of each clip at each rate, and the gain of
every n-th frame is measured: PSNR over the decoded frame, in Y and in RGB. The starters have seen
these clips: `--left-out` is the work folder of scripts/train_starter.py, with weights of trainings
without some of the clips, and measures each clip by weights that have not seen it. `--blind`
restores without the QP. `seconds` is processor time a megapixel. Instead, `--others` measures other
codecs, and `--originals` other kinds of originals: compressed before, at full size, and test
patterns of ffmpeg; Y of frames 1, 5 and 9 of nine. Outputs of originals that were compressed before
are also measured against the pictures before both compressions. Prints a JSON object.
"""

import io
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any, get_args

import av
import click
import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.clips import CLIPS, SEQUENCES, frames
from benchmarks.record import print_progress, print_record, skip
from jobs.media.video import to_picture
from jobs.networks import starters
from jobs.networks.snapshots import read_file, restorer_of
from jobs.specs.networks import Start
from models import tiles
from models.metrics import luma, psnr, to_uint8
from models.restorer import Restorer
from scripts.starter_material import Coder, coded, compressed, lumas, qp_of
from scripts.train_starter import weights_without

RATES = [
    *({"qp": str(qp)} for qp in (18, 22, 27, 32, 37, 42)),
    *({"crf": str(crf)} for crf in (18, 28, 40)),
]

HEVC = {"x265-params": "log-level=none"}
OTHERS = {
    "MPEG-4, quantiser 4": (Coder("mpeg4", {"qmin": "4", "qmax": "4"}, True), None),
    "MPEG-4, quantiser 10": (Coder("mpeg4", {"qmin": "10", "qmax": "10"}, True), None),
    "MPEG-2, quantiser 4": (Coder("mpeg2video", {"qmin": "4", "qmax": "4"}, True), None),
    "MPEG-2, quantiser 12": (Coder("mpeg2video", {"qmin": "12", "qmax": "12"}, True), None),
    "VP9, CRF 34": (Coder("libvpx-vp9", {"crf": "34", "b": "0", "cpu-used": "4"}, True), None),
    "VP9, CRF 48": (Coder("libvpx-vp9", {"crf": "48", "b": "0", "cpu-used": "4"}, True), None),
    "JPEG, quality 75": (Coder("JPEG", {"quality": "75"}, True), None),
    "JPEG, quality 30": (Coder("JPEG", {"quality": "30"}, True), None),
    "HEVC, CRF 28, `--qp 27`": (Coder("libx265", {"crf": "28", **HEVC}), 27),
    "HEVC, CRF 34, `--qp 32`": (Coder("libx265", {"crf": "34", **HEVC}), 32),
}
"""By title: the coder, and the QP that is assumed where its decoder reports none."""
OTHER_FRAMES, EVERY_OTHER = 9, 4
QPS = (18, 22, 27, 32, 37, 42)
"""Rates of other kinds of originals."""
BEFORE = (18, 23, 28)
"""CRFs of clips that are compressed before."""
PATTERNS = (
    *("cellauto=rule=110", "gradients", "life=ratio=0.1", "mandelbrot", "rgbtestsrc"),
    *("sierpinski", "smptebars", "testsrc", "testsrc2", "yuvtestsrc"),
)
"""Sources of libavfilter."""
LEAST_ERROR = 0.01
"""Mean squared error in grey levels below which pictures count alike: 68 dB."""

Picture = NDArray[np.uint8]


@click.command()
@click.option("--starter", type=click.Choice(get_args(Start)), default="fast", show_default=True)
@click.option("--every", default=8, show_default=True, help="Measure every n-th frame.")
@click.option("--blind", is_flag=True, help="Restore without the QP.")
@click.option(
    "--left-out", type=click.Path(path_type=Path, exists=True), help="Work folder of the training."
)
@click.option("--others", is_flag=True, help="Other codecs.")
@click.option("--originals", is_flag=True, help="Other kinds of originals.")
@click.option("--only", multiple=True, type=click.Choice(list(SEQUENCES)), help="Only this clip.")
def main(
    starter: Start,
    every: int,
    blind: bool,
    left_out: Path | None,
    others: bool,
    originals: bool,
    only: tuple[str, ...],
) -> None:
    if not CLIPS.is_dir():
        skip(f"The real clips are missing: {CLIPS}.")
    torch.set_num_threads(1)
    if others:
        print_record(starter=starter, left_out=left_out is not None, **_others(starter, left_out))
        return
    if originals:
        print_record(starter=starter, left_out=left_out is not None, **_kinds(starter, left_out))
        return
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in only or SEQUENCES:
        restorer = _restorer(starter, name, left_out)
        pictures = [np.asarray(frame) for frame in frames(name)]
        for rate in RATES:
            row = measure(restorer, pictures, rate, every, blind)
            label = " ".join(f"{kind} {value}" for kind, value in rate.items())
            rows[label].append({"clip": name, **row})
            print_progress(f"{name}, {label}: {row['y']:+.3f} dB Y, {row['rgb']:+.3f} dB RGB")
    means = {
        label: {
            "y": mean(row["y"] for row in of_rate),
            "rgb": mean(row["rgb"] for row in of_rate),
            "worst_y": min(row["y"] for row in of_rate),
            "worst_rgb": min(row["rgb"] for row in of_rate),
        }
        for label, of_rate in rows.items()
    }
    print_record(
        starter=starter,
        every=every,
        blind=blind,
        left_out=left_out is not None,
        means=means,
        rates=dict(rows),
    )


def _others(starter: Start, left_out: Path | None) -> dict[str, dict[str, float]]:
    """By codec, the mean and the smallest gain of Y over the clips, in dB."""
    gains: dict[str, list[float]] = {title: [] for title in OTHERS}
    for name in SEQUENCES:
        restorer = _restorer(starter, name, left_out)
        originals = [np.asarray(frame) for frame in islice(frames(name), OTHER_FRAMES)]
        for title, (coder, assumed) in OTHERS.items():
            pairs = list(coded(originals, coder))[::EVERY_OTHER]
            gains[title].append(mean(_gain_of_y(restorer, *pair, assumed) for pair in pairs))
            print_progress(f"{name}, {title}: {gains[title][-1]:+.3f} dB Y")
    return {title: {"mean": mean(of), "worst": min(of)} for title, of in gains.items()}


def _kinds(starter: Start, left_out: Path | None) -> dict[str, dict[int, dict[str, float]]]:
    """By kind of originals and QP, the mean and the smallest gain of Y in dB."""
    gains: defaultdict[str, dict[int, list[float]]] = defaultdict(lambda: {qp: [] for qp in QPS})
    for name, restorer, originals, targets in _originals(starter, left_out):
        for qp in QPS:
            pictures = list(coded(originals, Coder("libx264", {"qp": str(qp)}, True)))[
                ::EVERY_OTHER
            ]
            for kind, of_kind in targets.items():
                gain = mean(
                    _gain_of_y(restorer, input, target, of_block, None)
                    for (input, _, of_block), target in zip(
                        pictures, of_kind[::EVERY_OTHER], strict=True
                    )
                )
                gains[kind][qp].append(gain)
                print_progress(f"{name}, {kind}, QP {qp}: {gain:+.3f} dB Y")
    return {
        kind: {qp: {"mean": mean(of), "worst": min(of)} for qp, of in of_kind.items()}
        for kind, of_kind in gains.items()
    }


def _originals(
    starter: Start, left_out: Path | None
) -> Iterator[tuple[str, Restorer, list[Picture], dict[str, list[Picture]]]]:
    """(name, the restorer, RGB frames, Y of the targets by kind) of originals of other kinds."""
    for name, clip in SEQUENCES.items():
        restorer = _restorer(starter, name, left_out)
        originals = [np.asarray(frame) for frame in islice(frames(name), OTHER_FRAMES)]
        for crf in BEFORE:
            again = compressed(originals, Coder("libx264", {"crf": str(crf)}))
            kind = f"compressed at CRF {crf} before"
            targets = {kind: lumas(again), f"{kind}, against the first pictures": lumas(originals)}
            yield name, restorer, again, targets
        if clip.divide > 1:
            whole = [np.asarray(frame) for frame in islice(frames(name, False), OTHER_FRAMES)]
            yield name, restorer, whole, {"at full size": lumas(whole)}
    for pattern in PATTERNS:
        pictures = _pattern(pattern)
        targets = {"test patterns": lumas(pictures)}
        yield pattern, starters.load(starter)[0], pictures, targets


def _pattern(source: str) -> list[Picture]:
    """Frames of a source of libavfilter, RGB (240, 320, 3)."""
    graph, (name, _, options) = av.filter.Graph(), source.partition("=")
    graph.link_nodes(
        graph.add(name, f"size=320x240:{options}".rstrip(":")), graph.add("buffersink")
    ).configure()
    return [to_picture(graph.vpull()) for _ in range(OTHER_FRAMES)]


@torch.inference_mode()
def _gain_of_y(
    restorer: Restorer, input: Picture, target: Picture, qp: Picture, assumed: int | None
) -> float:
    """The gain of Y of limited range (H, W), with the QP at each pixel."""
    planes = np.stack([input, qp if assumed is None else np.full_like(qp, assumed)])[None]
    image = (torch.from_numpy(planes).float() - torch.tensor([16, 0])[:, None, None]) / (
        torch.tensor([219, 51])[:, None, None]
    )
    restored = (restorer.net(image)[0, 0] * 219 + 16).round().clamp(0, 255).numpy()
    before, after = (
        max(LEAST_ERROR, float(np.square(picture - target.astype(np.float32)).mean()))
        for picture in (input, restored)
    )
    return 10 * math.log10(before / after)


def _restorer(starter: Start, clip: str, left_out: Path | None) -> Restorer:
    if left_out is None:
        return starters.load(starter)[0]
    path = weights_without(left_out, starter, clip)
    return restorer_of(*read_file(path), str(path))


def measure(
    restorer: Restorer, originals: list[Picture], rate: dict[str, str], every: int, blind: bool
) -> dict[str, float]:
    """Mean gains in dB, and processor seconds a megapixel."""
    rows, seconds, pixels = [], 0.0, 0
    coded = zip(originals, decoded(originals, rate), strict=True)
    for number, (original, (picture, qp)) in enumerate(coded):
        if number % every:
            continue
        began = time.process_time()
        planes = np.concatenate([picture, 5 * qp[..., None] * (not blind)], 2)
        image = torch.from_numpy(planes.astype(np.uint8)).permute(2, 0, 1)[None]
        restored = to_uint8(tiles.restore(restorer, image)[0])
        seconds += time.process_time() - began
        pixels += qp.size
        target = torch.from_numpy(original.copy()).permute(2, 0, 1)
        input = image[0, :3]
        rows.append(
            (
                psnr(luma(restored), luma(target)) - psnr(luma(input), luma(target)),
                psnr(restored, target) - psnr(input, target),
                psnr(luma(input), luma(target)),
            )
        )
    y, rgb, before = (sum(values) / len(rows) for values in zip(*rows, strict=True))
    return {"y": y, "rgb": rgb, "input_y": before, "seconds": seconds / pixels * 1e6}


def decoded(originals: list[Picture], rate: dict[str, str]) -> Iterator[tuple[Picture, Picture]]:
    """Each picture after libx264, as RGB, and its QP."""
    packed = io.BytesIO()
    with av.open(packed, "w", format="matroska") as container:
        options = {"preset": "medium", "threads": "1", **rate}
        stream: Any = container.add_stream("libx264", Fraction(25), options=options)
        height, width = originals[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, original in enumerate(originals):
            frame = av.VideoFrame.from_ndarray(original, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    packed.seek(0)
    with av.open(packed) as container:
        context: Any = container.streams.video[0].codec_context
        context.options = {"export_side_data": "+venc_params"}
        for frame in container.decode(video=0):
            yield to_picture(frame), qp_of(frame)


if __name__ == "__main__":
    main()
