"""The test job: one image through a network, and what each layer made of it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jobs import snapshots
from jobs.device import choose_device
from jobs.errors import JobError
from jobs.folder import JobFolder
from jobs.images import Picture, read_image, size, to_gray
from jobs.pair_sets import PairSet
from jobs.pictures import as_tensor, save_picture, show_layers
from jobs.report import Report, finite
from jobs.specs import ModelSpec, TestSpec
from models import tiles
from models.metrics import psnr, ssim, to_uint8
from models.restorer import Restorer


@torch.inference_mode()
def test_image(folder: JobFolder, spec: TestSpec, report: Report) -> dict[str, Any]:
    """Restore one image, score it where the ground truth is known, then show the layers one by one."""
    model = folder.sibling(spec.model)
    if not model.path.exists():
        raise JobError("The model was deleted. Choose another one.")
    training = model.spec()
    assert isinstance(training, ModelSpec)
    snapshot, restorer, channels = snapshots.load(model, spec.snapshot)
    input, target = read_pair(folder, training.datasets, spec, channels)
    device = choose_device("auto")
    restorer = restorer.to(device)
    image = as_tensor(input)

    output = to_uint8(restored(restorer, image))
    report.log.append("sample", snapshot=snapshot, **pictures(folder, image, output, target), **scores(image, output, target))
    if spec.layers:
        show_layers(folder, restorer, image[None].to(device) / 255, lambda layer: tell(report, layer))
    return {}


def restored(restorer: Restorer, image: Tensor) -> Tensor:
    """What the network makes of an image (C, H, W), uint8; float32 in 0 to 1, in tiles where it is too large for the memory."""
    try:
        return tiles.restore(restorer, image[None])[0]
    except tiles.TooLarge as error:
        raise JobError(str(error)) from error


def tell(report: Report, layer: dict[str, Any]) -> None:
    report.log.append("layer", **layer)
    report.check()


def read_pair(folder: JobFolder, datasets: list[str], spec: TestSpec, channels: int) -> tuple[Picture, Picture | None]:
    """The image and, where there is one, its ground truth, in the network's channels. Raises JobError."""
    if spec.pair is not None:
        pairs = PairSet.of(folder, datasets, "val")
        if spec.pair >= len(pairs):
            raise JobError(f"There is no validation pair {spec.pair}: the dataset has the pairs 0 to {len(pairs) - 1}.")
        damaged, true = pairs[spec.pair]
        return damaged.numpy(), true.numpy()
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
    truth = None if target is None else as_tensor(target)
    urls = {
        role: None if picture is None else save_picture(folder, f"results/{role}.png", picture)
        for role, picture in (("input", image), ("output", output), ("target", truth))
    }
    return {**urls, "height": image.shape[1], "width": image.shape[2]}


def scores(image: Tensor, output: Tensor, target: Picture | None) -> dict[str, float | None]:
    """PSNR (dB) and SSIM of input and output against the ground truth, None where it is not known."""
    if target is None:
        return dict.fromkeys(("psnr_input", "psnr_output", "ssim_input", "ssim_output"))
    truth = as_tensor(target)
    return {
        "psnr_input": finite(psnr(image, truth)),
        "psnr_output": finite(psnr(output, truth)),
        "ssim_input": finite(ssim(image, truth)),
        "ssim_output": finite(ssim(output, truth)),
    }
