"""The test job: one image through a network, and what each layer made of it."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from jobs import snapshots
from jobs.device import choose_device
from jobs.errors import JobError
from jobs.folder import JobFolder
from jobs.images import Picture, read_image, size, to_gray
from jobs.report import Report, finite
from jobs.specs import ModelSpec, TestSpec
from jobs.store import PairReader
from models.inspection import channel_grid, statistics, watch_layers, weight_grid
from models.metrics import psnr, ssim, to_uint8


@torch.inference_mode()
def test_image(folder: JobFolder, spec: TestSpec, report: Report) -> dict[str, Any]:
    """Restore one image, score it where the ground truth is known, then show the layers one by one."""
    model = folder.sibling(spec.model)
    if not model.path.exists():
        raise JobError("The model was deleted. Choose another one.")
    training = model.spec()
    assert isinstance(training, ModelSpec)
    snapshot, net, channels = snapshots.load(model, spec.snapshot, training.network)
    input, target = read_pair(folder.sibling(training.dataset), spec, channels)
    device = choose_device("auto")
    net = net.to(device)
    image = torch.tensor(input).permute(2, 0, 1)

    output = to_uint8(net(image[None].to(device) / 255)[0]).cpu()
    report.log.append("sample", snapshot=snapshot, **pictures(folder, image, output, target), **scores(image, output, target))
    if spec.layers:
        show_layers(folder, net, image[None].to(device) / 255, report)
    return {}


def read_pair(dataset: JobFolder, spec: TestSpec, channels: int) -> tuple[Picture, Picture | None]:
    """The image and, where there is one, its ground truth, in the network's channels. Raises JobError."""
    if spec.pair is not None:
        reader = PairReader(dataset.store("val"))
        if spec.pair >= len(reader):
            raise JobError(f"There is no validation pair {spec.pair}: the dataset has the pairs 0 to {len(reader) - 1}.")
        return reader[spec.pair]
    assert spec.image is not None
    input = in_channels(read_image(Path(spec.image)), channels)
    target = in_channels(read_image(Path(spec.target)), channels) if spec.target else None
    if target is not None and target.shape != input.shape:
        raise JobError(f"The ground truth is {size(target)}, but the image is {size(input)}. They must be of one size.")
    return input, target


def in_channels(picture: Picture, channels: int) -> Picture:
    """RGB as it is, or its Y for a network that restores grayscale."""
    return picture if channels == 3 else to_gray(picture, "BT.601")


def pictures(folder: JobFolder, image: Tensor, output: Tensor, target: Picture | None) -> dict[str, Any]:
    """Write the pictures as PNG; return their addresses and their size."""
    truth = None if target is None else torch.tensor(target).permute(2, 0, 1)
    urls = {
        role: None if picture is None else save_picture(folder, f"results/{role}.png", picture)
        for role, picture in (("input", image), ("output", output), ("target", truth))
    }
    return {**urls, "height": image.shape[1], "width": image.shape[2]}


def scores(image: Tensor, output: Tensor, target: Picture | None) -> dict[str, float | None]:
    """PSNR (dB) and SSIM of input and output against the ground truth, None where it is not known."""
    if target is None:
        return dict.fromkeys(("psnr_input", "psnr_output", "ssim_input", "ssim_output"))
    truth = torch.tensor(target).permute(2, 0, 1)
    large_enough = min(truth.shape[-2:]) >= 11
    return {
        "psnr_input": finite(psnr(image, truth)),
        "psnr_output": finite(psnr(output, truth)),
        "ssim_input": ssim(image, truth) if large_enough else None,
        "ssim_output": ssim(output, truth) if large_enough else None,
    }


def show_layers(folder: JobFolder, net: nn.Module, image: Tensor, report: Report) -> None:
    """Report each layer as soon as it is computed."""
    shown = 0

    def show(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal shown
        shown += 1
        report.log.append("layer", **layer(folder, shown, name, module, output[0].cpu()))
        report.check()

    with watch_layers(net, show):
        net(image)


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
        "picture": save_picture(folder, f"layers/{index:02d}-{name}.png", grid),
        "picture_range": list(picture_range),
        "weights": weights(folder, index, name, module),
    }


def weights(folder: JobFolder, index: int, name: str, module: nn.Module) -> dict[str, Any] | None:
    if not isinstance(module, nn.Conv2d):
        return None
    picture = save_picture(folder, f"layers/{index:02d}-{name}-weights.png", weight_grid(module.weight.cpu()))
    return {"shape": list(module.weight.shape), **statistics(module.weight.cpu()), "picture": picture}


def save_picture(folder: JobFolder, relative: str, picture: Tensor) -> str:
    """Write uint8 (3, H, W), (1, H, W) or (H, W) as PNG, without loss; return its address."""
    path = folder.path / relative
    path.parent.mkdir(exist_ok=True)
    array = picture.permute(1, 2, 0).contiguous() if picture.dim() == 3 and len(picture) == 3 else picture.squeeze(0)
    Image.fromarray(array.cpu().numpy()).save(path, compress_level=1)
    return folder.url(relative)
