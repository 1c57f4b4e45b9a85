"""Pair processing: read, check, measure, crop and encode one input and its target.

Worker processes (jobs.datasets.pair_processes) load little else: keep the imports of this module
light.
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
from jobs.media.qp_maps import Coding, QpMap, encode_map
from jobs.media.quality import psnr, ssim

if TYPE_CHECKING:
    from jobs.specs.dataset import DatasetSpec, Encoding

GLANCE_STEP = 4

Side = ImageFile | Picture
"""An input or a target: an unread image file, or a decoded picture."""

Value = bytes | memoryview


@dataclass(frozen=True)
class PairSettings:
    """Settings for making pairs. `side` is the patch size in pixels; None keeps whole frames."""

    channels: str
    side: int | None
    stride: int | None
    flat_below: float
    input_encoding: "Encoding"
    target_encoding: "Encoding"
    jpeg_quality: int
    glances: bool
    """Whether near-duplicates are dropped, which requires the glances."""


@dataclass(frozen=True)
class Item:
    """A frame that becomes one pair, or several patches. `number` is its index in the job."""

    number: int
    split: str
    sequence: str
    sequence_number: int
    """Limits the near-duplicate check to one sequence. Sequence names may not be unique."""
    frame: int
    input: str
    original: str
    qp: float | None
    rate: str | None
    matrix: str
    """The luma matrix for grayscale: BT.601 or BT.709."""
    crop: bool
    keep: Path | None
    """The file that keeps the decoded input, or None."""
    only_glance: bool
    coding: Coding
    """How the input was coded."""
    scene: str = ""
    """The name of the originals: sequences of the same scene differ in their rate."""
    bits: float | None = None
    """Bits per frame of the input's stream; None for an image."""

    @property
    def name(self) -> str:
        """The name shown to users, for example "clip: frame-007.bmp"."""
        return f"{self.sequence}: {self.original}" if self.sequence else self.original


@dataclass(frozen=True)
class Record:
    """An encoded pair.

    `meta` has at least item, input_encoding, target_encoding, height, width, channels. `qp` is a
    PNG, or empty.
    """

    input: Value
    target: Value
    meta: dict[str, Any]
    qp: bytes = b""

    @property
    def size(self) -> int:
        return len(self.input) + len(self.target)


@dataclass(frozen=True)
class ItemResult:
    """The records of an item.

    `glance` is every fourth pixel of the target, if near-duplicates are dropped.
    """

    item: Item
    records: list[Record]
    glance: Picture | None


def pair_settings(spec: "DatasetSpec") -> PairSettings:
    patches = spec.patches
    return PairSettings(
        channels=spec.channels,
        side=patches.size,
        stride=patches.stride or patches.size,
        flat_below=patches.flat_below,
        input_encoding=spec.input_encoding,
        target_encoding=spec.target_encoding,
        jpeg_quality=spec.jpeg_quality,
        glances=spec.frames.near_duplicates > 0,
    )


def make_pairs(item: Item, input: Side, target: Side, settings: PairSettings) -> ItemResult:
    """Encode the pair of an item, or its patches. Raises JobError if the sizes do not match."""
    return _make_pairs(item, _picture(input), _picture(target), settings)


def _picture(side: Side) -> Picture:
    return side() if isinstance(side, ImageFile) else side


def _make_pairs(item: Item, input: Picture, target: Picture, settings: PairSettings) -> ItemResult:
    if item.crop:
        target = target[: input.shape[0], : input.shape[1]]
    if item.only_glance:
        return ItemResult(item, [], _glance(target))
    if target.shape[:2] != input.shape[:2]:
        raise JobError(
            f"{item.original} is {size(target)}, but {item.input} is {size(input)}. "
            "Remove the file, or choose the matching folder."
        )
    if item.keep:
        item.keep.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_rgb(input)).save(item.keep)
    glance = _glance(target) if settings.glances else None
    input, target, gray = _in_channels(input, target, item, settings)
    return ItemResult(
        item,
        [
            _record(a, b, position, item, settings, gray)
            for position, a, b in _cut(input, target, item, settings)
        ],
        glance,
    )


def _glance(target: Picture) -> Picture:
    return target[::GLANCE_STEP, ::GLANCE_STEP].copy()


def _in_channels(
    input: Picture, target: Picture, item: Item, settings: PairSettings
) -> tuple[Picture, Picture, str | None]:
    """Convert input and target alike to the requested channels.

    The third value is the luma matrix of grayscale, else None.
    """
    if settings.channels == "grayscale":
        return to_gray(input, item.matrix), to_gray(target, item.matrix), item.matrix
    if settings.channels == "rgb" or input.shape != target.shape:
        return to_rgb(input), to_rgb(target), None
    return input, target, None


def _cut(
    input: Picture, target: Picture, item: Item, settings: PairSettings
) -> Iterator[tuple[list[int] | None, Picture, Picture]]:
    """Yield the whole pair, or each non-flat patch of a training pair with its [top, left]."""
    side, stride = settings.side, settings.stride
    if side is None or stride is None or item.split != "train":
        yield None, input, target
        return
    height, width = target.shape[:2]
    if side > min(height, width):
        raise JobError(
            f"Patches of {side}×{side} do not fit into {item.original}, which is {size(target)}. "
            "Use a smaller patch size."
        )
    for top in range(0, height - side + 1, stride):
        for left in range(0, width - side + 1, stride):
            area = slice(top, top + side), slice(left, left + side)
            if settings.flat_below == 0 or float(target[area].var()) >= settings.flat_below:
                yield (
                    [top, left],
                    np.ascontiguousarray(input[area]),
                    np.ascontiguousarray(target[area]),
                )


def _record(
    input: Picture,
    target: Picture,
    position: list[int] | None,
    item: Item,
    settings: PairSettings,
    gray: str | None,
) -> Record:
    height, width, channels = target.shape
    top, left = position or (0, 0)
    meta: dict[str, Any] = {
        "item": item.number,
        "sequence": item.sequence,
        "frame": item.frame,
        "original": item.original,
        "scene": item.scene,
        "bits": item.bits,
        "qp": item.qp,
        "rate": item.rate,
        "frame_type": item.coding.type,
        "qp_mean": _mean(item.coding.qp),
        "patch": position,
        "height": height,
        "width": width,
        "channels": channels,
        "gray": gray,
        "input_encoding": settings.input_encoding,
        "target_encoding": settings.target_encoding,
        "psnr_input": finite(psnr(input, target)),
        "ssim_input": finite(ssim(input, target)),
    }
    return Record(
        encode(input, settings.input_encoding, settings.jpeg_quality),
        encode(target, settings.target_encoding, settings.jpeg_quality),
        meta,
        encode_map(item.coding.qp, top, left, height, width),
    )


def _mean(map: QpMap | None) -> float | None:
    return None if map is None else round(float(map.mean()), 2)
