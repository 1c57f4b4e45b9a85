"""One pair: read both pictures, check that they belong together, measure, cut and encode them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from jobs.errors import JobError
from jobs.folder import JobFolder
from jobs.images import LUMA, Picture, size, to_gray, to_rgb
from jobs.quality import psnr_and_ssim
from jobs.report import finite
from jobs.sources import Paired, Sequence
from jobs.specs.dataset import DatasetSpec
from jobs.store import Record, encode

GLANCE_STEP = 4


@dataclass(frozen=True)
class Item:
    """A frame that is to become a pair, or the patches of one; `number` counts all of a job's."""

    number: int
    split: str
    sequence: Sequence
    pair: Paired

    @property
    def original(self) -> str:
        return self.sequence.originals.name(self.pair.original)

    @property
    def name(self) -> str:
        """How a person finds it: "frame 7 of clip.h264"."""
        return f"{self.sequence.name}: {self.original}" if self.sequence.name else self.original


@dataclass(frozen=True)
class Made:
    """What came of an item. `glance` is every fourth pixel of its target, to tell near-duplicates by."""

    item: Item
    records: list[Record]
    glance: Picture


def make(item: Item, spec: DatasetSpec, folder: JobFolder, only_glance: bool = False) -> Made:
    """The encoded pair of an item, or its patches. Raises JobError where input and target cannot belong together."""
    target = item.pair.load_original()
    if only_glance:
        return Made(item, [], _glance(target))
    input = item.pair.load_input()
    if item.sequence.crop:
        target = target[: input.shape[0], : input.shape[1]]
    if target.shape[:2] != input.shape[:2]:
        raise JobError(
            f"{item.original} is {size(target)}, but {item.sequence.inputs.name(item.pair.frame)} is {size(input)}. "
            "Remove it or give the right folder."
        )
    if spec.keep_decoded:
        _keep(input, item, folder)
    glance = _glance(target)
    input, target, gray = _in_channels(input, target, item, spec)
    return Made(item, [_record(a, b, place, item, spec, gray) for place, a, b in _cut(input, target, item, spec)], glance)


def _glance(target: Picture) -> Picture:
    return target[::GLANCE_STEP, ::GLANCE_STEP].copy()


def _keep(input: Picture, item: Item, folder: JobFolder) -> None:
    path = folder.path / "decoded" / item.sequence.name.replace("/", "-") / f"{item.pair.frame:06d}.bmp"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_rgb(input)).save(path)


def _in_channels(input: Picture, target: Picture, item: Item, spec: DatasetSpec) -> tuple[Picture, Picture, str | None]:
    """Both in the channels that were asked for, and the matrix of grayscale: one conversion for input and target alike."""
    if spec.channels == "grayscale":
        matrix = item.sequence.colour.name if item.sequence.colour.name in LUMA else "BT.601"
        return to_gray(input, matrix), to_gray(target, matrix), matrix
    if spec.channels == "rgb" or input.shape != target.shape:
        return to_rgb(input), to_rgb(target), None
    return input, target, None


def _cut(input: Picture, target: Picture, item: Item, spec: DatasetSpec) -> Iterator[tuple[list[int] | None, Picture, Picture]]:
    """The whole pair, or the patches [top, left] of a training pair that are not flat."""
    side, stride = spec.patches.size, spec.patches.stride or spec.patches.size
    if side is None or stride is None or item.split != "train":
        yield None, input, target
        return
    height, width = target.shape[:2]
    if side > min(height, width):
        raise JobError(f"Patches of {side}x{side} do not fit into {item.original}, which is {size(target)}. Cut smaller ones.")
    for top in range(0, height - side + 1, stride):
        for left in range(0, width - side + 1, stride):
            area = slice(top, top + side), slice(left, left + side)
            if spec.patches.flat_below == 0 or float(target[area].var()) >= spec.patches.flat_below:
                yield [top, left], np.ascontiguousarray(input[area]), np.ascontiguousarray(target[area])


def _record(input: Picture, target: Picture, place: list[int] | None, item: Item, spec: DatasetSpec, gray: str | None) -> Record:
    height, width, channels = target.shape
    quality = psnr_and_ssim(input, target)
    meta: dict[str, Any] = {
        "item": item.number,
        "sequence": item.sequence.name,
        "frame": item.pair.frame,
        "original": item.original,
        "qp": item.sequence.qp,
        "rate": item.sequence.rate,
        "patch": place,
        "height": height,
        "width": width,
        "channels": channels,
        "gray": gray,
        "input_encoding": spec.input_encoding,
        "target_encoding": spec.target_encoding,
        "psnr_input": finite(quality[0]),
        "ssim_input": finite(quality[1]),
    }
    return Record(
        encode(input, spec.input_encoding, spec.jpeg_quality), encode(target, spec.target_encoding, spec.jpeg_quality), meta
    )
