"""Where and in which numbers a network is computed."""

from contextlib import AbstractContextManager, nullcontext

import torch

from jobs.errors import JobError


def choose_device(wanted: str) -> torch.device:
    """The device of "auto", "cpu" or "cuda". Raises JobError where there is no GPU but one is wanted."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise JobError("This machine has no GPU that PyTorch can use. Choose the device auto or cpu.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """bfloat16 where it is asked for, or where the hardware computes in it and "auto" leaves the choice."""
    if wanted == "auto":
        return torch.bfloat16 if _computes_bfloat16(device) else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16"))


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)
