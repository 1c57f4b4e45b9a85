"""The test job for one image: the restored image, its scores, and the outputs of all layers."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.core.folder import LAYERS, QPS, JobFolder
from jobs.core.report import Report, finite
from jobs.core.types.layers import LayerFields, LayersRegion
from jobs.core.types.samples import ImageSample, Scores
from jobs.core.types.summaries import TestSummary
from jobs.datasets.pair_sets import PairSet
from jobs.media.images import Picture, Reading, conversion_notes, read, size, to_gray
from jobs.media.qp_maps import with_plane
from jobs.media.video import DecodedFrame, frames
from jobs.networks.channel import cut
from jobs.networks.loaded import Loaded, load_tested
from jobs.networks.pictures import as_tensor, save_picture, show_layers
from jobs.restoring.network import no_qp
from jobs.specs import AnyTest, ImageTest, ModelSpec
from models import memory, tiles
from models.central_part import middle
from models.metrics import psnr, ssim, to_uint8
from models.restorer import Restorer

ShowMessage = Callable[[str], object]
"""Shows a message on the job's page."""


@torch.inference_mode()
def test_image(folder: JobFolder, spec: ImageTest, report: Report) -> TestSummary:
    """Restore an image, score it if its ground truth is known, and then show the layers."""
    loaded = load_tested(folder, spec)
    restorer = loaded.restorer
    input, target = read_pair(
        folder, datasets_of(folder, spec), spec, loaded.channels, report.message, restorer.takes_qp
    )
    seen = as_tensor(input)
    image = seen[: loaded.channels]

    began = time.perf_counter()
    output = to_uint8(restored(restorer, seen))
    seconds = round(time.perf_counter() - began, 4)
    truth = None if target is None else as_tensor(target)
    sample: ImageSample = {
        "snapshot": loaded.snapshot,
        "seconds": seconds,
        "input": save_picture(folder, "results/input.png", image),
        "output": save_picture(folder, "results/output.png", output),
        "target": None if truth is None else save_picture(folder, "results/target.png", truth),
        "height": image.shape[1],
        "width": image.shape[2],
        **scores(image, output, target),
    }
    report.log.append("sample", **sample)
    save_qps(folder, seen[loaded.channels :])  # For channels that a user asks for later.
    if spec.layers:
        show_all_layers(folder, loaded, seen, report)
    return {}


def datasets_of(folder: JobFolder, spec: AnyTest) -> list[str]:
    """The ids of the datasets of the test's model; none with a starter."""
    if spec.model is None:
        return []
    training = folder.sibling(spec.model).spec()
    assert isinstance(training, ModelSpec)
    return training.datasets


def save_qps(folder: JobFolder, qps: Tensor) -> None:
    """Keep the QPs (1, H, W) that the network sees, for `show_channel`; none if it sees none."""
    if len(qps):
        save_picture(folder, QPS, qps)
    else:  # An earlier run may have used another snapshot.
        (folder.path / QPS).unlink(missing_ok=True)


def restored(restorer: Restorer, image: Tensor) -> Tensor:
    """The restored image, float32 in 0 to 1, of a uint8 image (C, H, W), which may have QPs.

    Uses tiles if the image is too large for the memory. Raises JobError.
    """
    try:
        return tiles.restore(restorer, image[None])[0]
    except tiles.TooLarge as error:
        raise JobError(str(error)) from error


def show_all_layers(folder: JobFolder, loaded: Loaded, image: Tensor, report: Report) -> None:
    """Write all layers' outputs for an image (C, H, W), or for its middle if memory is short."""
    # Remove the layers of an earlier run, which may have used another snapshot.
    shutil.rmtree(folder.path / LAYERS, ignore_errors=True)
    part = middle(loaded.restorer, image.shape, memory.free_memory(loaded.device))
    region = None if part is None else cast(LayersRegion, asdict(part))
    if region is not None:
        report.log.append("facts", layers_of=region)
    show_layers(
        folder,
        loaded.restorer,
        cut(image, region)[None].to(loaded.device) / 255,
        lambda layer: log_layer(report, layer),
    )


def log_layer(report: Report, layer: LayerFields) -> None:
    report.log.append("layer", **layer)
    report.check()


def read_pair(
    folder: JobFolder,
    datasets: list[str],
    spec: ImageTest,
    channels: int,
    show_message: ShowMessage,
    qps: bool = False,
) -> tuple[Picture, Picture | None]:
    """The image and its ground truth (or None), in the network's channels.

    `qps`: whether the image gets one more channel with its QPs, 0 where they are unknown.
    Reports conversions to `show_message`. Raises JobError.
    """
    if spec.pair is not None:
        return _pair(folder, datasets, spec.split, spec.pair, qps)
    if channels == 1:
        show_message(
            "The network restores grayscale. "
            "The test uses the brightness of the image (Y of BT.601)."
        )
    if spec.stream is not None:
        frame = frame_of(Path(spec.stream), spec.frame or 0, qps, show_message)
        input, qp = frame(), frame.coding.qp
    else:
        assert spec.image is not None
        reading = image_of(spec.image, show_message)
        input, qp = reading.picture, reading.coding.qp
    if qps and qp is None and spec.qp is None:
        show_message(no_qp(Path(spec.stream or spec.image or "").name))
    target = image_of(spec.target, show_message).picture if spec.target else None
    if target is not None and target.shape != input.shape:
        raise JobError(
            f"The ground truth is {size(target)}, but the image is {size(input)}. "
            "Their sizes must be equal."
        )
    input = in_channels(input, channels)
    return (
        with_plane(input, qp, spec.qp) if qps else input,
        None if target is None else in_channels(target, channels),
    )


def _pair(
    folder: JobFolder, datasets: list[str], split: str, number: int, qps: bool
) -> tuple[Picture, Picture]:
    pairs, split_name = (
        PairSet.of(folder, datasets, split, qps),
        {"val": "validation", "test": "test"}[split],
    )
    if len(pairs) == 0:
        raise JobError(f"The model's datasets have no {split_name} pairs. Give an image.")
    if number >= len(pairs):
        raise JobError(
            f"There is no {split_name} pair {number}. Give a pair from 0 to {len(pairs) - 1}."
        )
    with pairs:
        input, target = pairs[number]
    return input.numpy(), target.numpy()


def image_of(path: str, show_message: ShowMessage) -> Reading:
    reading = read(Path(path))
    for note in conversion_notes([reading.header]):
        show_message(note)
    return reading


def frame_of(path: Path, number: int, qps: bool, show_message: ShowMessage) -> DecodedFrame:
    """A frame of a video, counted from 0 in display order. `qps`: whether to decode its QPs.

    Raises JobError if the video has fewer frames. The message then has the first decoding error.
    """
    problems: list[str] = []
    count = 0
    for frame in frames(path, problems.append, qps=qps):
        if count == number:
            for problem in problems:
                show_message(f"{problem}. Frame {number} may be another frame of the video.")
            return frame
        count += 1
    why = "".join(f" {problem}." for problem in problems[:1])
    if count == 0:
        raise JobError(
            f"No frame of {path.name} could be decoded.{why} Give a stream that contains pictures."
        )
    raise JobError(f"{path.name} has no frame {number}. Give a frame from 0 to {count - 1}.{why}")


def in_channels(picture: Picture, channels: int) -> Picture:
    """The picture unchanged for 3 channels, its Y (BT.601) for 1."""
    return picture if channels == 3 else to_gray(picture, "BT.601")


def scores(image: Tensor, output: Tensor, target: Picture | None) -> Scores:
    """PSNR (dB) and SSIM of input and output against the ground truth; None if it is unknown."""
    if target is None:
        return {"psnr_input": None, "psnr_output": None, "ssim_input": None, "ssim_output": None}
    truth = as_tensor(target)
    return {
        "psnr_input": finite(psnr(image, truth)),
        "psnr_output": finite(psnr(output, truth)),
        "ssim_input": finite(ssim(image, truth)),
        "ssim_output": finite(ssim(output, truth)),
    }
