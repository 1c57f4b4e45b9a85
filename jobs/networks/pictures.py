"""Pictures that a job writes: images, and what the layers of a network did to one."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jobs.core import layer_files
from jobs.core.folder import JobFolder
from jobs.media.png import encode_png
from models.inspection import (
    Kernels,
    Page,
    Seen,
    kernel_pages,
    maps_of,
    sights_of,
    watch_layers,
    weights_of,
)
from models.restorer import Restorer
from models.tiles import Sight

Tell = Callable[[dict[str, Any]], object]


def show_layers(folder: JobFolder, restorer: Restorer, image: Tensor, tell: Tell) -> None:
    """Run an image (1, C, H, W) in 0 to 1 through the network, and tell of each layer as soon as it is computed."""
    shown, sights = 0, sights_of(restorer.net)

    def show(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal shown
        shown += 1
        tell(layer(folder, shown, name, module, maps_of(output), sights.get(module)))

    with watch_layers(restorer.net, show):
        restorer.restore(restorer.encode(image))


def layer(
    folder: JobFolder,
    index: int,
    name: str,
    module: nn.Module,
    maps: Tensor,
    sight: tuple[Sight, Sight] | None,
) -> dict[str, Any]:
    """What a `layer` event says of one layer; writes its pictures. `maps` are (C, H, W)."""
    seen, stem = Seen(maps), layer_files.of_layer(index, name)
    pages = [
        _page(folder, _numbered(stem, number), page) for number, page in enumerate(seen.pages())
    ]
    return {
        "index": index,
        "name": name,
        "layer_type": str(module),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "shape": list(maps.shape),
        "field": field(sight),
        **seen.statistics(),
        "channels": {"low": _short(seen.low), "high": _short(seen.high), "dead": seen.dead},
        "picture": pages[0]["picture"],
        "pages": pages,
        "weights": weights(folder, f"{stem}-weights", module),
    }


def weights(folder: JobFolder, stem: str, module: nn.Module) -> dict[str, Any] | None:
    kernels = weights_of(module)
    if kernels is None:
        return None
    pages = [
        _kernels(folder, _numbered(stem, number), page)
        for number, page in enumerate(kernel_pages(kernels))
    ]
    about = Seen(kernels.reshape(1, -1)).statistics()
    return {"shape": list(kernels.shape), **about, "picture": pages[0]["picture"], "pages": pages}


def field(sight: tuple[Sight, Sight] | None) -> list[int] | None:
    """(rows, columns) of the image that a place of a layer sees."""
    return None if sight is None else [math.ceil(one.high - one.low) + 1 for one in sight]


def _numbered(stem: str, page: int) -> str:
    return f"{stem}-{page + 1}.png" if page else f"{stem}.png"


def _page(folder: JobFolder, relative: str, page: Page) -> dict[str, Any]:
    picture = save_gray(folder, relative, page.picture)
    tile = {"columns": page.columns, "width": page.width, "height": page.height}
    return {"picture": picture, "first": page.first, "count": page.count, **tile}


def _kernels(folder: JobFolder, relative: str, kernels: Kernels) -> dict[str, Any]:
    return {
        **_page(folder, relative, kernels.page),
        "outputs": list(kernels.outputs),
        "inputs": list(kernels.inputs),
    }


def _short(values: NDArray[np.float64]) -> list[float]:
    """As many digits as a float32 has: a log of many layers is long."""
    return [float(f"{value:.8g}") for value in values]


def save_picture(folder: JobFolder, relative: str, picture: Tensor) -> str:
    """Write uint8 (3, H, W), (1, H, W) or (H, W) as PNG, without loss; return its address."""
    whole = picture if picture.dim() == 3 else picture[None]
    return _save(folder, relative, whole.permute(1, 2, 0).cpu().numpy())


def save_gray(folder: JobFolder, relative: str, picture: NDArray[np.uint8]) -> str:
    """Write (H, W) as PNG, without loss; return its address."""
    return _save(folder, relative, picture[:, :, None])


def _save(folder: JobFolder, relative: str, picture: NDArray[np.uint8]) -> str:
    path = folder.path / relative
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as file:
        file.write(encode_png(picture))
    draft.replace(path)
    return folder.url(relative)


def as_tensor(picture: Any) -> Tensor:
    """A picture (H, W, C) as a tensor (C, H, W)."""
    return torch.tensor(picture).permute(2, 0, 1)
