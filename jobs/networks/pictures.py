"""PNG files that a job writes: images, and the feature maps and weights of layers."""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jobs.core.durable_files import write_whole
from jobs.core.folder import JobFolder, layer_stem
from jobs.core.types.layers import (
    ChannelPage,
    KernelPage,
    LayerFields,
    LayerWeights,
    Statistics,
)
from jobs.media.png import PAETH, UP, encode_png
from models.definitions.receptive_field import ReceptiveField
from models.inspection import (
    Kernels,
    LayerValues,
    Page,
    kernel_pages,
    maps_of,
    receptive_fields_of,
    watch_layers,
    weights_of,
)
from models.restorer import Restorer

Emit = Callable[[LayerFields], object]


def show_layers(folder: JobFolder, restorer: Restorer, image: Tensor, emit: Emit) -> None:
    """Run an image (1, C, H, W) in 0 to 1 through the network.

    Passes the fields of a `layer` event to `emit` as soon as a layer is computed.
    """
    count, fields = 0, receptive_fields_of(restorer.net)

    def emit_layer(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal count
        count += 1
        emit(layer(folder, count, name, module, maps_of(output), fields.get(module)))

    with watch_layers(restorer.net, emit_layer):
        restorer.restore(restorer.encode(image))


def layer(
    folder: JobFolder,
    index: int,
    name: str,
    module: nn.Module,
    maps: Tensor,
    receptive_field: tuple[ReceptiveField, ReceptiveField] | None,
) -> LayerFields:
    """Write the pictures of a layer; return the data of its `layer` event. `maps` is (C, H, W)."""
    values, stem = LayerValues(maps), layer_stem(index, name)
    pages = [
        _page(folder, _numbered(stem, number), page) for number, page in enumerate(values.pages())
    ]
    return {
        "index": index,
        "name": name,
        "layer_type": str(module),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "shape": list(maps.shape),
        "field": field(receptive_field),
        **statistics_of(values),
        "channels": {"low": _short(values.low), "high": _short(values.high), "dead": values.dead},
        "picture": pages[0]["picture"],
        "pages": pages,
        "weights": weights(folder, f"{stem}-weights", module),
    }


def statistics_of(values: LayerValues) -> Statistics:
    """The statistics of models/inspection.py, which knows no types of jobs."""
    return cast(Statistics, values.statistics())


def weights(folder: JobFolder, stem: str, module: nn.Module) -> LayerWeights | None:
    """Write the pictures of a layer's kernels; return their facts, or None without kernels."""
    kernels = weights_of(module)
    if kernels is None:
        return None
    pages = [
        _kernels(folder, _numbered(stem, number), page)
        for number, page in enumerate(kernel_pages(kernels))
    ]
    statistics = statistics_of(LayerValues(kernels.reshape(1, -1)))
    return {
        "shape": list(kernels.shape),
        **statistics,
        "picture": pages[0]["picture"],
        "pages": pages,
    }


def field(receptive_field: tuple[ReceptiveField, ReceptiveField] | None) -> list[int] | None:
    """Return the receptive field of a layer: (rows, columns) of the image; None if unknown."""
    return (
        None
        if receptive_field is None
        else [math.ceil(axis.high - axis.low) + 1 for axis in receptive_field]
    )


def _numbered(stem: str, page: int) -> str:
    return f"{stem}-{page + 1}.png" if page else f"{stem}.png"


def _page(folder: JobFolder, relative: str, page: Page) -> ChannelPage:
    picture = save_gray(folder, relative, page.picture)
    return {
        "picture": picture,
        "first": page.first,
        "count": page.count,
        "columns": page.columns,
        "width": page.width,
        "height": page.height,
    }


def _kernels(folder: JobFolder, relative: str, kernels: Kernels) -> KernelPage:
    return {
        **_page(folder, relative, kernels.page),
        "outputs": list(kernels.outputs),
        "inputs": list(kernels.inputs),
    }


def _short(values: NDArray[np.float64]) -> list[float]:
    """Round to the precision of float32, which keeps the log short."""
    return [float(f"{value:.8g}") for value in values]


def save_picture(folder: JobFolder, relative: str, picture: Tensor) -> str:
    """Write uint8 (3, H, W), (1, H, W) or (H, W) as a lossless PNG; return its URL path."""
    channels = picture if picture.dim() == 3 else picture[None]
    return _save(folder, relative, channels.permute(1, 2, 0).cpu().numpy())


def save_gray(folder: JobFolder, relative: str, picture: NDArray[np.uint8]) -> str:
    """Write (H, W) as a lossless PNG; return its URL path."""
    return _save(folder, relative, picture[:, :, None], PAETH)


def _save(folder: JobFolder, relative: str, picture: NDArray[np.uint8], filter: int = UP) -> str:
    path = folder.path / relative
    path.parent.mkdir(exist_ok=True)
    write_whole(path, encode_png(picture, filter))
    return folder.url(relative)


def as_tensor(picture: Any) -> Tensor:
    """Convert a picture (H, W, C) to a tensor (C, H, W)."""
    return torch.tensor(picture).permute(2, 0, 1)
