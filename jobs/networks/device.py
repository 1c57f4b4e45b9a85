"""Where a network is computed, and in which numbers."""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from jobs.core.errors import JobError

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str, local_rank: int = 0) -> torch.device:
    """The device of "auto", "cpu", "cuda", "cuda:1" or "cuda:0,1": each rank of a machine has one.

    Raises JobError where a GPU is wanted that is not there.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    named = gpus(wanted)
    index = (
        named[local_rank % len(named)]
        if ":" in wanted
        else local_rank % max(torch.cuda.device_count(), 1)
    )
    check_gpu(index)
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device


def check_gpu(index: int) -> None:
    """Raises JobError for a GPU that is not there."""
    if index >= torch.cuda.device_count():
        there = (
            f"it has {torch.cuda.device_count()}, counted from 0"
            if torch.cuda.is_available()
            else "it has none"
        )
        raise JobError(
            f"This machine has no GPU {index} that PyTorch can use: {there}. Choose the device auto or cpu."
        )


def gpus(wanted: str) -> list[int]:
    """The numbers of "cuda:0,1"; [0] of what names none."""
    _, _, numbers = wanted.partition(":")
    return [int(number) for number in numbers.split(",")] if numbers else [0]


@dataclass(frozen=True)
class Precision:
    """How the layers compute: "float32", "tf32" (float32 with short products, on a GPU), "bfloat16" or "float16"."""

    name: str
    device: torch.device

    @property
    def dtype(self) -> torch.dtype | None:
        """Of the layers, None for float32."""
        return AUTOCAST.get(self.name)

    def scaler(self) -> torch.amp.GradScaler:
        """float16 has no room for small gradients: they are scaled up."""
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "float16")


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """What is asked for; "auto": bfloat16 where the hardware computes in it, else tf32 on a GPU, else float32."""
    if wanted == "auto":
        slow = "tf32" if device.type == "cuda" else "float32"
        wanted = "bfloat16" if computes_bfloat16(device) else slow
    if wanted == "tf32" and device.type == "cpu":
        raise JobError("TF32 is a format of GPUs. Choose the precision auto, float32 or bfloat16.")
    if device.type == "cuda":
        # Convolutions only: the products in SSIM would be too coarse.
        torch.backends.cudnn.allow_tf32 = wanted != "float32"
        torch.backends.cudnn.benchmark = True
    return Precision(wanted, device)


def computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Linux says it whatever the version of PyTorch.
    features = {*_told_by_linux("flags").split(), *_told_by_linux("Features").split()}
    return bool(features & {"avx512_bf16", "amx_bf16", "bf16"})


def device_name(device: torch.device) -> str:
    """NVIDIA H200; or AMD EPYC, 2 threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {torch.get_num_threads()} threads"


def cpu_name() -> str:
    return _told_by_linux("model name") or platform.processor() or "CPU"


def _told_by_linux(field: str) -> str:
    """Of the first processor; "" where there is no /proc/cpuinfo, or nothing of that in it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    values = (
        value.strip()
        for name, _, value in (line.partition(":") for line in lines)
        if name.strip() == field
    )
    return next(values, "")
