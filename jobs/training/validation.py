"""Validation: scores over all validation pairs, pictures of some, and the layers of one."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.core.report import Report, finite
from jobs.core.types.samples import Pinned, ValidationSample
from jobs.datasets.pair_sets import PairSet
from jobs.datasets.rates import Rates
from jobs.networks.pictures import save_picture, show_layers
from jobs.training.ranks import Ranks
from models import memory, tiles
from models.metrics import luma, psnr, ssim, to_uint8
from models.restorer import Restorer

Scores = dict[str, float]

SCORES = ("l1", "psnr", "psnr_y", "ssim")

SAMPLES = 4
SAMPLE_SIDE = 128
CACHE_BYTES = 2**30
"""Validation pairs stay decoded in memory if they use less than this."""


@dataclass(frozen=True)
class Sample:
    """A part of a validation pair: uint8 (C, H, W) each. `pair` is the pair's number.

    `seen` is the network's input: the input and, if it takes them, the QPs. `left` and `top` are
    the place of the part in the frame. `pinned`: whether a user chose it.
    """

    index: int
    pair: int
    left: int
    top: int
    pinned: bool
    seen: Tensor
    target: Tensor

    @property
    def input(self) -> Tensor:
        return self.seen[: len(self.target)]


class Validation:
    """The validation pairs of a run, and the scores of their inputs."""

    def __init__(
        self, pairs: PairSet, ranks: Ranks, device: torch.device, prefix: str = "val"
    ) -> None:
        self._pairs, self._ranks, self._device, self._prefix = pairs, ranks, device, prefix
        self._numbers = range(ranks.rank, len(pairs), ranks.size)
        fits = pairs.bytes() < CACHE_BYTES
        self._cache = {number: self._read(number) for number in self._numbers} if fits else {}
        self._input_scores: dict[int, list[float]] = {}
        self.rates = Rates(pairs)
        """The rate-distortion curves of the last `scores`."""
        self.samples = (
            [self._sample(index, number) for index, number in enumerate(self._sample_numbers())]
            if ranks.rank == 0
            else []
        )

    def _read(self, number: int) -> tuple[Tensor, Tensor]:
        """Input and target of a pair, uint8 (C, H, W) each; with QPs, the input has C + 1."""
        input, target = self._pairs[number]
        return input.permute(2, 0, 1), target.permute(2, 0, 1)

    def _pair(self, number: int) -> tuple[Tensor, Tensor]:
        input, target = self._cache.get(number) or self._read(number)
        return input.to(self._device), target.to(self._device)

    @torch.inference_mode()
    def scores(self, restorer: Restorer, report: Report) -> Scores:
        """The means of scores over whole frames, with `val/` before their names.

        l1        mean absolute difference in 0 to 1, before rounding
        psnr      dB, on 8-bit values: over all three channels of RGB, or the channel of grayscale
        psnr_y    dB, on 8-bit Y (BT.601, full range)
        ssim      Gaussian window of 11x11, mean of the channels

        Names with the suffix `_input` are the scores of the inputs. If a score of the output or of
        the input is not finite (the PSNR of equal images, or the SSIM of an image smaller than the
        window), the pair counts in neither mean.
        """
        restorer.eval()
        sums = torch.zeros(len(SCORES), 3, dtype=torch.float64)
        self.rates.clear()
        for number in self._numbers:
            # Several ranks stop together at their next step: the others would wait for this one.
            if self._ranks.size == 1:
                report.check()
            seen, target = self._pair(number)
            output = self._restored(restorer, seen[None])[0]
            if number not in self._input_scores:
                self._input_scores[number] = _scores_of(seen[: len(target)] / 255, target)
            both = torch.tensor(
                [_scores_of(output, target), self._input_scores[number]], dtype=torch.float64
            )
            finite_in_both = both.isfinite().all(0)
            sums += torch.cat((both.where(finite_in_both, 0.0), finite_in_both[None]), 0).T
            output_y, input_y = both[:, SCORES.index("psnr_y")].tolist()
            self.rates.add(number, input_y, output_y)
        by_stream = torch.from_numpy(self.rates.sums).to(self._device)
        self.rates.sums = self._ranks.sum(by_stream).cpu().numpy()
        return self._named(self._ranks.sum(sums.to(self._device)).cpu())

    def _restored(self, restorer: Restorer, image: Tensor) -> Tensor:
        """A whole frame, or in tiles if it is too large for the memory. Raises JobError."""

        def in_tiles(limit: int) -> Tensor:
            return tiles.in_tiles(
                lambda tile: restorer(to_unit_range(tile, self._device)),
                image,
                tiles.largest(restorer, image.shape, limit)
                if tiles.can_tile(restorer)
                else tiles.whole(image.shape),
            )

        try:
            return tiles.smaller_until_it_fits(in_tiles, memory.free_memory(self._device))
        except tiles.TooLarge as error:
            height, width = image.shape[-2:]
            raise JobError(
                f"The memory is too small to validate a frame of {width}×{height}. {error} "
                "The last snapshot is kept."
            ) from error

    def _named(self, sums: Tensor) -> Scores:
        scores = {}
        for name, (output, input, count) in zip(SCORES, sums.tolist(), strict=True):
            scores[f"{self._prefix}/{name}"] = output / count if count else math.nan
            scores[f"{self._prefix}/{name}_input"] = input / count if count else math.nan
        return scores

    def _sample_numbers(self) -> list[int]:
        """Some pairs, spread evenly over all."""
        count = min(SAMPLES, len(self._pairs))
        return [(2 * place + 1) * len(self._pairs) // (2 * count) for place in range(count)]

    def _sample(self, index: int, number: int) -> Sample:
        """The square of a pair with the largest error: it shows most of the restoration."""
        seen, target = self._read(number)
        side = min(SAMPLE_SIDE, *target.shape[-2:])
        error = (seen[: len(target)].float() - target.float()).square().mean(0)
        errors = torch.nn.functional.avg_pool2d(error[None, None], side, stride=max(side // 4, 1))[
            0, 0
        ]
        row, column = divmod(int(errors.argmax()), errors.shape[1])
        top, left = row * max(side // 4, 1), column * max(side // 4, 1)
        return self._part(Sample(index, number, left, top, False, seen, target), side, side)

    def _pinned(self, pinned: Pinned) -> Sample | None:
        """The part of a pair that a user chose; None if the pair has no such part."""
        if not 0 <= pinned["pair"] < len(self._pairs):
            return None
        seen, target = self._read(pinned["pair"])
        height, width = target.shape[-2:]
        region = pinned["region"] or {"left": 0, "top": 0, "width": width, "height": height}
        left, top = region["left"], region["top"]
        if left + region["width"] > width or top + region["height"] > height:
            return None
        whole = Sample(pinned["index"], pinned["pair"], left, top, True, seen, target)
        return self._part(whole, region["width"], region["height"])

    @staticmethod
    def _part(whole: Sample, width: int, height: int) -> Sample:
        """Cut a part at `left` and `top` out of the pictures of a whole frame."""
        rows = slice(whole.top, whole.top + height)
        cut = (slice(None), rows, slice(whole.left, whole.left + width))
        return replace(
            whole, seen=whole.seen[cut].contiguous(), target=whole.target[cut].contiguous()
        )

    @torch.inference_mode()
    def show_samples(
        self, folder: JobFolder, restorer: Restorer, report: Report, step: int, epoch: float
    ) -> None:
        """Write pictures of the samples and log `sample` events, those of pinned ones first."""
        restorer.eval()
        pinned = filter(None, map(self._pinned, folder.pinned()["samples"]))
        for sample in (*pinned, *self.samples):
            output = to_uint8(self._restored(restorer, sample.seen[None])[0]).cpu()
            fields = _sample_fields(folder, sample, output, step, epoch)
            report.log.append("sample", **fields)

    @torch.inference_mode()
    def show_layers(
        self, folder: JobFolder, restorer: Restorer, report: Report, step: int, epoch: float
    ) -> None:
        """Write pictures of the layers' outputs for the first sample and log `layer` events."""
        restorer.eval()
        image = to_unit_range(self.samples[0].seen[None], self._device)
        show_layers(
            folder,
            restorer,
            image,
            lambda layer: report.log.append("layer", **layer, step=step, epoch=epoch),
        )


def _scores_of(image: Tensor, target: Tensor) -> list[float]:
    """The SCORES of an image (C, H, W) in 0 to 1, compared with a uint8 target."""
    rounded = to_uint8(image)
    l1 = float((image - target / 255).abs().mean())
    return [l1, psnr(rounded, target), psnr(luma(rounded), luma(target)), ssim(rounded, target)]


def to_unit_range(images: Tensor, device: torch.device) -> Tensor:
    """Convert uint8 (N, C, H, W) to float32 in 0 to 1 on the device.

    The memory format is channels_last, which is faster for convolutions.
    """
    return (
        images.to(device, non_blocking=True)
        .to(torch.float32, memory_format=torch.channels_last)
        .div_(255)
    )


def _sample_fields(
    folder: JobFolder, sample: Sample, output: Tensor, step: int, epoch: float
) -> ValidationSample:
    """The fields of a `sample` event. Writes the pictures; input and target only once."""
    index = sample.index

    def url_of(role: str, picture: Tensor) -> str:
        name = f"samples/{index}-{role}.png"
        if (folder.path / name).exists():
            return folder.url(name)
        return save_picture(folder, name, picture)

    return {
        "index": index,
        "pair": sample.pair,
        "left": sample.left,
        "top": sample.top,
        "pinned": sample.pinned,
        "input": url_of("input", sample.input),
        "target": url_of("target", sample.target),
        "output": save_picture(folder, f"samples/{index}-step-{step:08d}.png", output),
        "psnr_input": finite(psnr(sample.input, sample.target)),
        "psnr_output": finite(psnr(output, sample.target)),
        "ssim_input": finite(ssim(sample.input, sample.target)),
        "ssim_output": finite(ssim(output, sample.target)),
        "height": output.shape[1],
        "width": output.shape[2],
        "step": step,
        "epoch": epoch,
    }
