"""One pair: read both pictures, check that they belong together, measure, cut and encode them.

Light to import: the processes that make pairs (jobs.datasets.workers) start with nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from jobs.core.errors import JobError
from jobs.core.report import finite
from jobs.media.encodings import encode
from jobs.media.images import ImageFile, Picture, size, to_gray, to_rgb
from jobs.media.quality import psnr_and_ssim

if TYPE_CHECKING:
    from jobs.specs.dataset import DatasetSpec, Encoding

GLANCE_STEP = 4

Side = ImageFile | Picture
"""An input or a target: a file that is still to be read, or a picture that was decoded."""

Value = bytes | memoryview


@dataclass(frozen=True)
class Making:
    """How pairs are made; patches have sides of `side` pixels, None for whole frames."""

    channels: str
    side: int | None
    stride: int | None
    flat_below: float
    input_encoding: "Encoding"
    target_encoding: "Encoding"
    jpeg_quality: int
    glances: bool
    """Whether near-duplicates are looked for."""


@dataclass(frozen=True)
class Item:
    """A frame that is to become a pair, or the patches of one; `number` counts all of a job's."""

    number: int
    split: str
    sequence: str
    sequence_number: int
    """Near-duplicates are looked for within one sequence; names may be alike."""
    frame: int
    input: str
    original: str
    qp: float | None
    rate: str | None
    matrix: str
    """Of grayscale: BT.601 or BT.709."""
    crop: bool
    keep: Path | None
    """Where its decoded input is kept as a file."""
    only_glance: bool

    @property
    def name(self) -> str:
        """How a person finds it: "clip: frame-007.bmp"."""
        return f"{self.sequence}: {self.original}" if self.sequence else self.original


@dataclass(frozen=True)
class Record:
    """An encoded pair; `meta` has at least item, input_encoding, target_encoding, height, width, channels."""

    input: Value
    target: Value
    meta: dict[str, Any]

    @property
    def size(self) -> int:
        return len(self.input) + len(self.target)


@dataclass(frozen=True)
class Made:
    """What came of an item. `glance` is every fourth pixel of its target where near-duplicates are looked for."""

    item: Item
    records: list[Record]
    glance: Picture | None


def making(spec: "DatasetSpec") -> Making:
    patches = spec.patches
    return Making(
        channels=spec.channels,
        side=patches.size,
        stride=patches.stride or patches.size,
        flat_below=patches.flat_below,
        input_encoding=spec.input_encoding,
        target_encoding=spec.target_encoding,
        jpeg_quality=spec.jpeg_quality,
        glances=spec.frames.near_duplicates > 0,
    )


def make(item: Item, input: Side, target: Side, how: Making) -> Made:
    """The encoded pair of an item, or its patches. Raises JobError where input and target cannot belong together."""
    return _make(item, _picture(input), _picture(target), how)


def _picture(side: Side) -> Picture:
    return side() if isinstance(side, ImageFile) else side


def _make(item: Item, input: Picture, target: Picture, how: Making) -> Made:
    if item.crop:
        target = target[: input.shape[0], : input.shape[1]]
    if item.only_glance:
        return Made(item, [], _glance(target))
    if target.shape[:2] != input.shape[:2]:
        raise JobError(
            f"{item.original} is {size(target)}, but {item.input} is {size(input)}. Remove it or give the right folder."
        )
    if item.keep:
        item.keep.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_rgb(input)).save(item.keep)
    glance = _glance(target) if how.glances else None
    input, target, gray = _in_channels(input, target, item, how)
    return Made(
        item,
        [_record(a, b, place, item, how, gray) for place, a, b in _cut(input, target, item, how)],
        glance,
    )


def _glance(target: Picture) -> Picture:
    return target[::GLANCE_STEP, ::GLANCE_STEP].copy()


def _in_channels(
    input: Picture, target: Picture, item: Item, how: Making
) -> tuple[Picture, Picture, str | None]:
    """Both in the channels that were asked for, and the matrix of grayscale: one conversion for input and target alike."""
    if how.channels == "grayscale":
        return to_gray(input, item.matrix), to_gray(target, item.matrix), item.matrix
    if how.channels == "rgb" or input.shape != target.shape:
        return to_rgb(input), to_rgb(target), None
    return input, target, None


def _cut(
    input: Picture, target: Picture, item: Item, how: Making
) -> Iterator[tuple[list[int] | None, Picture, Picture]]:
    """The whole pair, or the patches [top, left] of a training pair that are not flat."""
    side, stride = how.side, how.stride
    if side is None or stride is None or item.split != "train":
        yield None, input, target
        return
    height, width = target.shape[:2]
    if side > min(height, width):
        raise JobError(
            f"Patches of {side}x{side} do not fit into {item.original}, which is {size(target)}. Cut smaller ones."
        )
    for top in range(0, height - side + 1, stride):
        for left in range(0, width - side + 1, stride):
            area = slice(top, top + side), slice(left, left + side)
            if how.flat_below == 0 or float(target[area].var()) >= how.flat_below:
                yield (
                    [top, left],
                    np.ascontiguousarray(input[area]),
                    np.ascontiguousarray(target[area]),
                )


def _record(
    input: Picture,
    target: Picture,
    place: list[int] | None,
    item: Item,
    how: Making,
    gray: str | None,
) -> Record:
    height, width, channels = target.shape
    psnr, ssim = psnr_and_ssim(input, target)
    meta: dict[str, Any] = {
        "item": item.number,
        "sequence": item.sequence,
        "frame": item.frame,
        "original": item.original,
        "qp": item.qp,
        "rate": item.rate,
        "patch": place,
        "height": height,
        "width": width,
        "channels": channels,
        "gray": gray,
        "input_encoding": how.input_encoding,
        "target_encoding": how.target_encoding,
        "psnr_input": finite(psnr),
        "ssim_input": finite(ssim),
    }
    return Record(
        encode(input, how.input_encoding, how.jpeg_quality),
        encode(target, how.target_encoding, how.jpeg_quality),
        meta,
    )
