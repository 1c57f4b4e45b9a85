"""Choice of device and numeric precision."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from jobs.core.errors import JobError
from jobs.core.launcher import GPUS

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(requested: str, local_rank: int = 0) -> torch.device:
    """Return the device for "auto", "cpu", "cuda", "cuda:1" or "cuda:0,1": one per local rank.

    Raises JobError if the requested GPU does not exist.
    """
    # In true float32: tiles in TF32 would differ from the whole image by more than 1e-6.
    # A training may ask for TF32 in its convolutions (choose_precision).
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if requested == "cpu" or (requested == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    named = gpus(requested)
    index = (
        named[local_rank % len(named)]
        if ":" in requested
        else local_rank % max(torch.cuda.device_count(), 1)
    )
    check_gpu(index)
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device


def check_gpu(index: int) -> None:
    """Raise JobError if the GPU does not exist."""
    if index >= torch.cuda.device_count():
        available = (
            f"it has {torch.cuda.device_count()}, counted from 0"
            if torch.cuda.is_available()
            else "it has none"
        )
        raise JobError(
            f"This machine has no GPU {index} that PyTorch can use: {available}. "
            "Set the device to auto or cpu."
        )


def gpus(requested: str) -> list[int]:
    """Return the indices in "cuda:0,1", or [0] if it has none.

    A worker of the server sees the GPUs that it was given, and no other: they count from 0.
    """
    _, _, numbers = requested.partition(":")
    if numbers and os.environ.get(GPUS):
        return list(range(len(os.environ[GPUS].split(","))))
    return [int(number) for number in numbers.split(",")] if numbers else [0]


@dataclass(frozen=True)
class Precision:
    """The number format of the layers: "float32", "tf32", "bfloat16" or "float16".

    TF32 is float32 with products of reduced precision, on a GPU.
    """

    name: str
    device: torch.device

    @property
    def dtype(self) -> torch.dtype | None:
        """The autocast dtype of the layers; None for float32 and TF32."""
        return AUTOCAST.get(self.name)

    def scaler(self) -> torch.amp.GradScaler:
        """Return a gradient scaler; only float16 enables it, because small gradients underflow."""
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "float16")


def choose_precision(requested: str, device: torch.device) -> Precision:
    """Return the requested precision.

    "auto" is bfloat16 if the hardware computes in it, else float16 on a GPU that computes in it
    (Volta and Turing), else float32. Raises JobError for TF32 on hardware without it.
    """
    if requested == "auto":
        fallback = "float16" if _computes_float16(device) else "float32"
        requested = "bfloat16" if computes_bfloat16(device) else fallback
    if requested == "tf32" and not _computes_tf32(device):
        raise JobError(
            "TF32 requires a GPU of compute capability 8.0 or higher (Ampere). "
            "Set the precision to auto or float32."
        )
    if device.type == "cuda":
        # TF32 for convolutions only: SSIM needs products of full precision.
        torch.backends.cudnn.allow_tf32 = requested == "tf32"
        torch.backends.cudnn.benchmark = True
    return Precision(requested, device)


def computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(_cpu_features() & {"avx512_bf16", "amx_bf16", "bf16"})


def computes_eight_bits(device: torch.device) -> bool:
    """Whether oneDNN computes products of bytes, faster than of floats."""
    has_operations = torch.backends.mkldnn.is_available()
    return device.type == "cpu" and has_operations and "avx2" in _cpu_features()


def _cpu_features() -> set[str]:
    """The names that Linux has for them. Not all versions of PyTorch report all of them."""
    return {*_cpuinfo("flags").split(), *_cpuinfo("Features").split()}


def _computes_tf32(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def _computes_float16(device: torch.device) -> bool:
    """Whether half precision is faster than float32: from compute capability 7.0."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def device_name(device: torch.device) -> str:
    """Return the name of the hardware, for example "NVIDIA H200" or "AMD EPYC, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{cpu_name()}, {threads} {'thread' if threads == 1 else 'threads'}"


def cpu_name() -> str:
    return _cpuinfo("model name") or platform.processor() or "CPU"


def _cpuinfo(field: str) -> str:
    """Return a field of the first processor in /proc/cpuinfo, or "" if it is missing."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    values = (
        value.strip()
        for name, _, value in (line.partition(":") for line in lines)
        if name.strip() == field
    )
    return next(values, "")
