"""The training job: random patches through the network, a validation on whole frames after each epoch."""

import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from jobs import snapshots
from jobs.device import autocast, choose_device, choose_precision
from jobs.errors import JobError
from jobs.folder import JobFolder
from jobs.patches import Frames, Patches
from jobs.report import Report
from jobs.snapshots import Position
from jobs.specs import ModelSpec
from models.losses import LOSSES
from models.lr_policies import decay_scale, exponential
from models.metrics import psnr, to_uint8
from models.networks import parameter_count

LOG_INTERVAL = 0.5
"""Seconds between two points of the training curve: reading the loss makes a GPU wait."""


def train(folder: JobFolder, spec: ModelSpec, report: Report) -> dict[str, Any]:
    """Train until the epochs or the minutes are over; return the summary. Goes on from the last snapshot."""
    device = choose_device(spec.device)
    precision = choose_precision(spec.precision, device)
    dataset = folder.sibling(spec.dataset)
    validation = Frames(dataset.store("val"))
    patches = Patches(Frames(dataset.store("train")), spec.patch_size, spec.batch_size, spec.patches_per_frame, spec.seed)

    torch.manual_seed(spec.seed)
    net = snapshots.build(spec.network, patches.channels).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters(), lr=spec.solver.learning_rate, fused=True)
    loss_of = LOSSES[spec.loss.name]
    at = snapshots.resume(folder, net, optimizer)
    clock = Clock(spec, patches.batches, at)
    report.begin(at.step)
    report.message(f"{parameter_count(net):,} parameters on {device_name(device)} in {str(precision).removeprefix('torch.')}")
    if at == Position():
        report.scalars(0, 0, validate(net, validation, device, precision, report))

    epoch, step = at.epoch, at.step
    running = RunningMean()
    while not clock.over(epoch):
        net.train()
        for input, target in patches.epoch(epoch):
            rate = exponential(spec.solver.learning_rate, spec.lr_policy.gamma, clock.progress(step), clock.decay_scale(spec))
            for group in optimizer.param_groups:
                group["lr"] = rate
            with autocast(device, precision):
                loss = loss_of(net(to_unit(input, device)), to_unit(target, device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            running.add(loss.detach(), len(input))
            if running.seconds() > LOG_INTERVAL:
                log_step(report, step, step / patches.batches, running.take(), rate)
                report.progress(step, clock.total(), "steps", clock.eta(step))
            report.check()
            if clock.time_is_up():
                break
        if running:
            log_step(report, step, step / patches.batches, running.take(), rate)
        epoch += 1
        scores = validate(net, validation, device, precision, report)
        name, size = snapshots.save(
            folder, net, optimizer, Position(epoch, step, clock.seconds()), spec.network, patches.channels
        )
        report.scalars(step, step / patches.batches, scores)
        report.log.append("snapshot", name=name, epoch=epoch, step=step, size=size, scalars=scores)
        running = RunningMean()
    report.progress(step, step, "steps", 0)
    return {
        "seconds": clock.seconds(),
        "device": device_name(device),
        "precision": str(precision).removeprefix("torch."),
        "parameters": parameter_count(net),
    }


@torch.inference_mode()
def validate(net: nn.Module, frames: Frames, device: torch.device, precision: torch.dtype, report: Report) -> dict[str, float]:
    """L1 (in 0 to 1) and PSNR (dB, on 8-bit RGB values) over whole frames, averaged over the frames,
    and the PSNR of the undamaged input beside it: `val/l1`, `val/psnr`, `val/psnr_input`."""
    net.eval()
    sums = {"val/l1": 0.0, "val/psnr": 0.0, "val/psnr_input": 0.0}
    for number in range(len(frames)):
        report.check()
        input, target = (image.to(device) for image in frames[number])
        with autocast(device, precision):
            output = net(to_unit(input[None], device))[0]
        sums["val/l1"] += float((output.float() - target / 255).abs().mean())
        sums["val/psnr"] += psnr(to_uint8(output), target)
        sums["val/psnr_input"] += psnr(input, target)
    return {key: value / len(frames) for key, value in sums.items()}


def to_unit(images: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, C, H, W) as float32 in 0 to 1 on the device, in the memory order that convolutions like."""
    return images.to(device, non_blocking=True).to(torch.float32, memory_format=torch.channels_last).div_(255)


def log_step(report: Report, step: int, epoch: float, mean: tuple[float, float], rate: float) -> None:
    loss, images_per_second = mean
    if not math.isfinite(loss):
        raise JobError(
            f"The loss is no number any more at step {step}, with a learning rate of {rate:.3g}. "
            "Start again with a lower base learning rate; the last snapshot is from before."
        )
    report.scalars(step, epoch, {"train/l1": loss, "lr": rate, "images_per_second": images_per_second})


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


class RunningMean:
    """Mean loss and speed since the last `take`, without reading a loss from the device before that."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._images, self._since = 0, time.monotonic()

    def __bool__(self) -> bool:
        return bool(self._losses)

    def add(self, loss: Tensor, images: int) -> None:
        self._losses.append(loss)
        self._images += images

    def seconds(self) -> float:
        return time.monotonic() - self._since

    def take(self) -> tuple[float, float]:
        """(mean loss, images a second)"""
        mean = float(torch.stack(self._losses).mean())
        speed = self._images / max(self.seconds(), 1e-9)
        self._losses, self._images, self._since = [], 0, time.monotonic()
        return mean, speed


class Clock:
    """How far a run is: by its steps, or by the time it was given."""

    def __init__(self, spec: ModelSpec, batches: int, at: Position) -> None:
        self._epochs, self._batches = spec.epochs, batches
        self._budget = spec.minutes * 60 if spec.minutes else None
        self._before, self._began = at, time.monotonic()

    def seconds(self) -> float:
        """Spent on this run, before and after a resume."""
        return self._before.seconds + time.monotonic() - self._began

    def time_is_up(self) -> bool:
        return self._budget is not None and self.seconds() >= self._budget

    def over(self, epoch: int) -> bool:
        return self.time_is_up() if self._epochs is None else epoch >= self._epochs

    def total(self) -> int | None:
        """Steps of the whole run, None where only time will tell."""
        return None if self._epochs is None else self._epochs * self._batches

    def progress(self, step: int) -> float:
        """0 at the start, 1 at the end."""
        total = self.total()
        return min(self.seconds() / self._budget, 1.0) if self._budget else step / total if total else 1.0

    def eta(self, step: int) -> float | None:
        """Seconds left; None where the pace of the steps says it."""
        return max(self._budget - self.seconds(), 0.0) if self._budget else None

    def decay_scale(self, spec: ModelSpec) -> float:
        """With a time budget, epochs and iterations are those the run would make at its pace so far."""
        total = self.total()
        if total is None:
            raise_if_unknown(spec)
        return decay_scale(spec.lr_policy.per, self._epochs or 0, total or 0)


def raise_if_unknown(spec: ModelSpec) -> None:
    if spec.lr_policy.per in ("epoch", "iteration"):
        raise JobError(
            "Decay per epoch or iteration needs a number of epochs, not minutes: choose decay per run, or give epochs."
        )
