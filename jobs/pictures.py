"""Pictures that a job writes: images, and what the layers of a network did to one."""

import re
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from jobs.folder import JobFolder
from models.inspection import channel_grid, statistics, watch_layers, weight_grid
from models.restorer import Restorer

Tell = Callable[[dict[str, Any]], object]


def show_layers(folder: JobFolder, restorer: Restorer, image: Tensor, tell: Tell) -> None:
    """Run an image (1, C, H, W) in 0 to 1 through the network, and tell of each layer as soon as it is computed."""
    shown = 0

    def show(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal shown
        shown += 1
        tell(layer(folder, shown, name, module, output[0].float().cpu()))

    with watch_layers(restorer.net, show):
        restorer.restore(restorer.encode(image))


def layer(folder: JobFolder, index: int, name: str, module: nn.Module, activations: Tensor) -> dict[str, Any]:
    """What a `layer` event says of one layer; writes its pictures. `activations` are (C, H, W)."""
    grid, picture_range = channel_grid(activations)
    return {
        "index": index,
        "name": name,
        "layer_type": str(module),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "shape": list(activations.shape),
        **statistics(activations),
        "picture": save_picture(folder, f"layers/{index:02d}-{_slug(name)}.png", grid),
        "picture_range": list(picture_range),
        "weights": weights(folder, index, name, module),
    }


def weights(folder: JobFolder, index: int, name: str, module: nn.Module) -> dict[str, Any] | None:
    if not isinstance(module, nn.Conv2d):
        return None
    kernels = module.weight.detach().float().cpu()
    picture = save_picture(folder, f"layers/{index:02d}-{_slug(name)}-weights.png", weight_grid(kernels))
    return {"shape": list(kernels.shape), **statistics(kernels), "picture": picture}


def _slug(name: str) -> str:
    """As a part of a file's name: a pasted network may call its layers ../x."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60]


def save_picture(folder: JobFolder, relative: str, picture: Tensor) -> str:
    """Write uint8 (3, H, W), (1, H, W) or (H, W) as PNG, without loss; return its address."""
    path = folder.path / relative
    path.parent.mkdir(exist_ok=True)
    array = picture.permute(1, 2, 0).contiguous() if picture.dim() == 3 and len(picture) == 3 else picture.squeeze(0)
    draft = path.with_name(f".{path.name}")
    Image.fromarray(array.cpu().numpy()).save(draft, "PNG", compress_level=1)
    draft.replace(path)
    return folder.url(relative)


def as_tensor(picture: Any) -> Tensor:
    """A picture (H, W, C) as a tensor (C, H, W)."""
    return torch.tensor(picture).permute(2, 0, 1)
