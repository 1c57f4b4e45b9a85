"""One channel of a layer of a test, at its full size, and the places of the image that it responds to most."""

import json
from fractions import Fraction
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor, nn

from jobs.core import layer_files
from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.media.images import read_image
from jobs.networks.loaded import load
from jobs.networks.pictures import as_tensor, field, save_gray
from jobs.specs import ImageTest
from models.inspection import Seen, maps_of, sights_of, strongest, watch_layers
from models.restorer import Restorer
from models.tiles import Sight

UNKNOWN = 16
"""Pixels on each side that are shown of what a layer responds to, where it is not known how far it sees."""


class _Reached(Exception):
    """The layer that was asked for has run."""

    def __init__(self, name: str, module: nn.Module, maps: Tensor) -> None:
        super().__init__(name)
        self.name, self.module, self.maps = name, module, maps


@torch.inference_mode()
def show_channel(folder: JobFolder, spec: ImageTest, layer: int, channel: int) -> dict[str, Any]:
    """Run the network up to a layer (from 1), write a picture of one of its channels (from 0), and say what is in it.

    `strongest` are places (x, y) of the picture, and what of the input the channel sees there: null where it is not known. The
    answer is kept as JSON beside the picture. Raises JobError."""
    snapshot, part = _shown(folder)
    loaded = load(folder.sibling(spec.model), snapshot)
    # Not what the spec names: that may be another file by now.
    whole = as_tensor(read_image(folder.path / "results" / "input.png", keep_gray=True))
    image = cut(whole, part)
    reached = _run(loaded.restorer, image[None].to(loaded.device) / 255, layer)
    if not 0 <= channel < len(reached.maps):
        raise JobError(
            f"Layer {layer}, {reached.name}, has no channel {channel}: it has {len(reached.maps)}, counted from 0."
        )
    seen, sight = (
        Seen(reached.maps[channel : channel + 1]),
        sights_of(loaded.restorer.net).get(reached.module),
    )
    values = seen.channels[0]
    stem = layer_files.of_channel(layer, reached.name, channel)
    told = {
        "picture": save_gray(folder, f"{stem}.png", seen.picture(0)),
        **seen.of_channel(0),
        "width": values.shape[1],
        "height": values.shape[0],
        "field": field(sight),
    }
    sees, size = sight or _guess(values.shape, image.shape[1:]), image.shape[1:]
    origin = (part["top"], part["left"]) if part else (0, 0)
    places = [
        {
            "x": column,
            "y": row,
            "value": float(values[row, column]),
            "sees": sees and _box(sees, (row, column), size, origin),
        }
        for row, column in strongest(
            values, (_span(sees[0]), _span(sees[1])) if sees else (UNKNOWN, UNKNOWN)
        )
    ]
    answer = {**told, "strongest": places}
    _keep(folder, f"{stem}.json", answer)
    return answer


def cut(image: Tensor, part: dict[str, int] | None) -> Tensor:
    """The part of an image (C, H, W) of which the layers are shown; all of it where none is named."""
    if part is None:
        return image
    return image[
        :, part["top"] : part["top"] + part["height"], part["left"] : part["left"] + part["width"]
    ]


def _shown(folder: JobFolder) -> tuple[str, dict[str, int] | None]:
    """The snapshot that was tested, and the part of the image of which the layers were shown."""
    snapshot, part = "", None
    for event in read(folder.events, types=frozenset({"sample", "facts"})):
        if event["type"] == "sample":
            snapshot, part = event["snapshot"], None
        else:
            part = event.get("layers_of", part)
    if not snapshot:
        raise JobError("The test has no output yet. Wait until it has shown its layers.")
    return snapshot, part


def _run(restorer: Restorer, image: Tensor, wanted: int) -> _Reached:
    count = 0

    def stop(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal count
        count += 1
        if count == wanted:
            raise _Reached(name, module, maps_of(output))

    try:
        with watch_layers(restorer.net, stop):
            restorer.restore(restorer.encode(image))
    except _Reached as reached:
        return reached
    raise JobError(f"There is no layer {wanted}: the network has {count}, counted from 1.")


def _guess(maps: tuple[int, ...], image: torch.Size) -> tuple[Sight, Sight] | None:
    """As if each place saw a little around it, where the places are those of the image."""
    if maps != tuple(image):
        return None
    around = Sight(Fraction(1), Fraction(-UNKNOWN), Fraction(UNKNOWN))
    return around, around


def _span(sight: Sight) -> int:
    """Places of a map that lie so far apart that none sees what the other sees."""
    return max(1, ceil((sight.high - sight.low + 1) / sight.jump))


def _box(
    sees: tuple[Sight, Sight], place: tuple[int, int], size: torch.Size, origin: tuple[int, int]
) -> dict[str, int]:
    """What a place sees, within the image."""
    (top, bottom), (left, right) = (
        (max(0, floor(one.jump * at + one.low)), min(side, ceil(one.jump * at + one.high) + 1))
        for one, at, side in zip(sees, place, size, strict=True)
    )
    return {
        "left": left + origin[1],
        "top": top + origin[0],
        "width": right - left,
        "height": bottom - top,
    }


def _keep(folder: JobFolder, relative: str, answer: dict[str, Any]) -> None:
    path = folder.path / relative
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(answer), encoding="utf-8")
    draft.replace(path)
