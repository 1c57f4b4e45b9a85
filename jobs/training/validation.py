"""How good a network is on the validation pairs: numbers over all of them, pictures of a few, layers of one."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jobs.core.folder import JobFolder
from jobs.core.report import Report, finite
from jobs.datasets.pair_sets import PairSet
from jobs.networks.pictures import save_picture, show_layers
from jobs.training.ranks import Ranks
from models.metrics import luma, psnr, ssim, to_uint8
from models.restorer import Restorer

Scores = dict[str, float]

SCORES = ("l1", "psnr", "psnr_y", "ssim")

SAMPLES = 4
SAMPLE_SIDE = 128
HELD_BYTES = 2**30
"""Validation pairs are held decoded where they take no more."""


@dataclass(frozen=True)
class Sample:
    """A square of a validation pair: uint8 (C, side, side) each."""

    pair: int
    input: Tensor
    target: Tensor


class Validation:
    """The validation pairs of a run, and how near their inputs are to their targets."""

    def __init__(
        self, pairs: PairSet, ranks: Ranks, device: torch.device, prefix: str = "val"
    ) -> None:
        self._pairs, self._ranks, self._device, self._prefix = pairs, ranks, device, prefix
        self._mine = range(ranks.rank, len(pairs), ranks.size)
        hold = pairs.bytes() < HELD_BYTES
        self._held = {number: self._read(number) for number in self._mine} if hold else {}
        self._of_inputs: dict[int, list[float]] = {}
        self.samples = (
            [self._sample(number) for number in self._chosen()] if ranks.rank == 0 else []
        )

    def _read(self, number: int) -> tuple[Tensor, Tensor]:
        """uint8 (C, H, W) each"""
        input, target = self._pairs[number]
        return input.permute(2, 0, 1), target.permute(2, 0, 1)

    def _pair(self, number: int) -> tuple[Tensor, Tensor]:
        input, target = self._held.get(number) or self._read(number)
        return input.to(self._device), target.to(self._device)

    @torch.inference_mode()
    def scores(self, restorer: Restorer, report: Report) -> Scores:
        """Each a mean over whole frames, with `val/` before its name:

        l1        mean absolute difference in 0 to 1, before rounding
        psnr      dB, on 8-bit values: of RGB all three channels together, or of the one channel of grayscale
        psnr_y    dB, on 8-bit Y (BT.601, full range)
        ssim      Gaussian window of 11x11, mean of the channels

        and with `_input` behind it the same of the inputs as they are. A pair of which one of the two is not known (the
        PSNR of equal images, the SSIM of one smaller than the window) is left out of both means.
        """
        restorer.eval()
        sums = torch.zeros(len(SCORES), 3, dtype=torch.float64)
        for number in self._mine:
            if (
                self._ranks.size == 1
            ):  # Several agree at their next step: one that left here would be waited for.
                report.check()
            input, target = self._pair(number)
            output = restorer(unit(input[None], self._device))[0]
            if number not in self._of_inputs:
                self._of_inputs[number] = _nearness(input / 255, target)
            both = torch.tensor(
                [_nearness(output, target), self._of_inputs[number]], dtype=torch.float64
            )
            known = both.isfinite().all(0)
            sums += torch.cat((both.where(known, 0.0), known[None]), 0).T
        return self._named(self._ranks.sum(sums.to(self._device)).cpu())

    def _named(self, sums: Tensor) -> Scores:
        scores = {}
        for name, (output, input, count) in zip(SCORES, sums.tolist(), strict=True):
            scores[f"{self._prefix}/{name}"] = output / count if count else math.nan
            scores[f"{self._prefix}/{name}_input"] = input / count if count else math.nan
        return scores

    def _chosen(self) -> list[int]:
        """Pairs spread evenly over all."""
        count = min(SAMPLES, len(self._pairs))
        return [(2 * place + 1) * len(self._pairs) // (2 * count) for place in range(count)]

    def _sample(self, number: int) -> Sample:
        """The square of a pair that compression has hurt most: there is most to see."""
        input, target = self._read(number)
        side = min(SAMPLE_SIDE, *input.shape[-2:])
        error = (input.float() - target.float()).square().mean(0)
        hurt = torch.nn.functional.avg_pool2d(error[None, None], side, stride=max(side // 4, 1))[
            0, 0
        ]
        row, column = divmod(int(hurt.argmax()), hurt.shape[1])
        top, left = row * max(side // 4, 1), column * max(side // 4, 1)
        cut = (slice(None), slice(top, top + side), slice(left, left + side))
        return Sample(number, input[cut].contiguous(), target[cut].contiguous())

    @torch.inference_mode()
    def show_samples(
        self, folder: JobFolder, restorer: Restorer, report: Report, step: int, epoch: float
    ) -> None:
        """Write pictures of the samples, and tell of them."""
        restorer.eval()
        for index, sample in enumerate(self.samples):
            output = to_uint8(restorer(unit(sample.input[None], self._device))[0]).cpu()
            report.tell(
                "sample", **_told(folder, index, sample, output, step), step=step, epoch=epoch
            )

    @torch.inference_mode()
    def show_layers(
        self, folder: JobFolder, restorer: Restorer, report: Report, step: int, epoch: float
    ) -> None:
        """Write pictures of what the layers do to the first sample, and tell of them."""
        restorer.eval()
        image = unit(self.samples[0].input[None], self._device)
        show_layers(
            folder,
            restorer,
            image,
            lambda layer: report.log.append("layer", **layer, step=step, epoch=epoch),
        )


def _nearness(image: Tensor, target: Tensor) -> list[float]:
    """The SCORES of an image in 0 to 1, (C, H, W), beside a target in uint8."""
    rounded = to_uint8(image)
    l1 = float((image - target / 255).abs().mean())
    return [l1, psnr(rounded, target), psnr(luma(rounded), luma(target)), ssim(rounded, target)]


def unit(images: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, C, H, W) as float32 in 0 to 1 on the device, in the memory order that convolutions like."""
    return (
        images.to(device, non_blocking=True)
        .to(torch.float32, memory_format=torch.channels_last)
        .div_(255)
    )


def _told(
    folder: JobFolder, index: int, sample: Sample, output: Tensor, step: int
) -> dict[str, Any]:
    """What a `sample` event says; writes the pictures, those that never change once."""
    urls = {}
    for role, picture in (("input", sample.input), ("target", sample.target)):
        name = f"samples/{index}-{role}.png"
        urls[role] = (
            folder.url(name)
            if (folder.path / name).exists()
            else save_picture(folder, name, picture)
        )
    return {
        "index": index,
        "pair": sample.pair,
        **urls,
        "output": save_picture(folder, f"samples/{index}-step-{step:08d}.png", output),
        "psnr_input": finite(psnr(sample.input, sample.target)),
        "psnr_output": finite(psnr(output, sample.target)),
        "ssim_input": finite(ssim(sample.input, sample.target)),
        "ssim_output": finite(ssim(output, sample.target)),
        "height": output.shape[1],
        "width": output.shape[2],
    }
