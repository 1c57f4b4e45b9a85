"""A channel of a layer of a test at full size, and the positions of its strongest responses."""

import json
from fractions import Fraction
from math import ceil, floor
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jobs.core.durable_files import write_whole
from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import QPS, JobFolder, channel_stem
from jobs.core.types.layers import (
    Box,
    ChannelResult,
    ChannelStatistics,
    LayersRegion,
    StrongestPlace,
)
from jobs.media.images import read_image
from jobs.networks.loaded import load_tested
from jobs.networks.pictures import as_tensor, field, save_gray
from jobs.networks.user_code import errors_of_user_code
from jobs.specs import ImageTest
from models.definitions.receptive_field import ReceptiveField
from models.inspection import LayerValues, maps_of, receptive_fields_of, strongest, watch_layers
from models.restorer import Restorer

UNKNOWN_RADIUS = 16
"""Pixels to show on each side of a response if the receptive field is unknown."""


class _Reached(Exception):
    """The requested layer has run."""

    def __init__(self, name: str, module: nn.Module, maps: Tensor) -> None:
        super().__init__(name)
        self.name, self.module, self.maps = name, module, maps


@torch.inference_mode()
@errors_of_user_code()
def show_channel(folder: JobFolder, spec: ImageTest, layer: int, channel: int) -> dict[str, Any]:
    """Run the network up to a layer (from 1); write a picture of one of its channels (from 0).

    Returns a ChannelResult and also writes it as JSON next to the picture. `strongest`
    has positions (x, y) in the picture and the area of the input that the channel sees there; the
    area is null if the receptive field is unknown. Raises JobError.
    """
    snapshot, part = _tested(folder)
    loaded = load_tested(folder, spec, snapshot)
    # Read the copy in the test's folder: the file that the spec names may have changed.
    files = [folder.path / "results" / "input.png", folder.path / QPS]
    seen = [as_tensor(read_image(path, keep_gray=True)) for path in files if path.exists()]
    image = cut(torch.cat(seen), part)
    reached = _run(loaded.restorer, image[None].to(loaded.device) / 255, layer)
    if not 0 <= channel < len(reached.maps):
        raise JobError(
            f"Layer {layer}, {reached.name}, has no channel {channel}: "
            f"it has {len(reached.maps)}, counted from 0."
        )
    layer_values, receptive_field = (
        LayerValues(reached.maps[channel : channel + 1]),
        receptive_fields_of(loaded.restorer.net).get(reached.module),
    )
    values = layer_values.channels[0]
    stem = channel_stem(layer, reached.name, channel)
    size = image.shape[1:]
    sees = receptive_field or _guess(values.shape, size)
    origin = (part["top"], part["left"]) if part else (0, 0)
    positions: list[StrongestPlace] = [
        {
            "x": column,
            "y": row,
            "value": float(values[row, column]),
            "sees": _box(sees, (row, column), size, origin) if sees else None,
        }
        for row, column in _strongest(values, sees, size)
    ]
    answer: ChannelResult = {
        "picture": save_gray(folder, f"{stem}.png", layer_values.picture(0)),
        **cast(ChannelStatistics, layer_values.of_channel(0)),
        "width": values.shape[1],
        "height": values.shape[0],
        "field": field(receptive_field),
        "strongest": positions,
    }
    write_whole(folder.path / f"{stem}.json", json.dumps(answer))
    return cast(dict[str, Any], answer)


def cut(image: Tensor, part: Box | LayersRegion | None) -> Tensor:
    """Crop an image (C, H, W) to the part whose layers are shown; None returns all of it."""
    if part is None:
        return image
    return image[
        :, part["top"] : part["top"] + part["height"], part["left"] : part["left"] + part["width"]
    ]


def _tested(folder: JobFolder) -> tuple[str, LayersRegion | None]:
    """Return the tested snapshot, and the part of the image whose layers were shown."""
    snapshot = ""
    part: LayersRegion | None = None
    for event in read(folder.events, types=frozenset({"sample", "facts"})):
        if event["type"] == "sample":
            snapshot, part = event["snapshot"], None
        else:
            part = event.get("layers_of", part)
    if not snapshot:
        raise JobError("The test has no output yet. Wait until its layers are shown.")
    return snapshot, part


def _run(restorer: Restorer, image: Tensor, layer: int) -> _Reached:
    count = 0

    def stop(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal count
        count += 1
        if count == layer:
            raise _Reached(name, module, maps_of(output))

    try:
        with watch_layers(restorer.net, stop):
            restorer.restore(restorer.encode(image))
    except _Reached as reached:
        return reached
    raise JobError(f"The network has no layer {layer}: it has {count}, counted from 1.")


def _guess(
    maps: tuple[int, ...], image: torch.Size
) -> tuple[ReceptiveField, ReceptiveField] | None:
    """Assume UNKNOWN_RADIUS around each position if the maps have the image's size; else None."""
    if maps != tuple(image):
        return None
    around = ReceptiveField(Fraction(1), Fraction(-UNKNOWN_RADIUS), Fraction(UNKNOWN_RADIUS))
    return around, around


def _strongest(
    values: NDArray[np.float32],
    sees: tuple[ReceptiveField, ReceptiveField] | None,
    size: torch.Size,
) -> list[tuple[int, int]]:
    """The strongest places (row, column), whose receptive fields do not overlap.

    Places that see the padding around the image are left out: they respond to its edge. If all
    places do, none is.
    """
    if sees is None:
        return strongest(values, (UNKNOWN_RADIUS, UNKNOWN_RADIUS))
    (top, bottom), (left, right) = (
        _inside(axis, number, side)
        for axis, number, side in zip(sees, values.shape, size, strict=True)
    )
    spacing = (_span(sees[0]), _span(sees[1]))
    if top >= bottom or left >= right:
        return strongest(values, spacing)
    places = strongest(values[top:bottom, left:right], spacing)
    return [(row + top, column + left) for row, column in places]


def _inside(axis: ReceptiveField, number: int, side: int) -> tuple[int, int]:
    """The range of places, of `number`, whose receptive field is inside a side of the image."""
    first = max(0, ceil(-axis.low / axis.jump))
    last = min(number - 1, floor((side - 1 - axis.high) / axis.jump))
    return first, last + 1


def _span(axis: ReceptiveField) -> int:
    """Return the distance between positions of a map at which receptive fields do not overlap."""
    return max(1, ceil((axis.high - axis.low + 1) / axis.jump))


def _box(
    sees: tuple[ReceptiveField, ReceptiveField],
    position: tuple[int, int],
    size: torch.Size,
    origin: tuple[int, int],
) -> Box:
    """Return the receptive field of a position, clipped to the image."""
    (top, bottom), (left, right) = (
        (max(0, floor(axis.jump * at + axis.low)), min(side, ceil(axis.jump * at + axis.high) + 1))
        for axis, at, side in zip(sees, position, size, strict=True)
    )
    return {
        "left": left + origin[1],
        "top": top + origin[0],
        "width": right - left,
        "height": bottom - top,
    }
