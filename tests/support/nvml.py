"""A stand-in for NVIDIA's library NVML, with the figures of real GPUs.

Version 1 of the memory reading counts what the driver reserves as used. nvidia-smi showed on idle
GPUs 912 MiB for an A100 and 606 to 699 MiB for an H200.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from app.runner import gpus

MIB = 2**20


@dataclass
class Card:
    """A GPU or a MIG instance. Bytes of memory; `computing` and `drawing`: bytes by pid."""

    uuid: str
    total: int = 81920 * MIB
    reserved: int = 907 * MIB
    idle: int = 5 * MIB
    """What the driver uses on top of what it reserves."""
    computing: dict[int, int] = field(default_factory=dict)
    drawing: dict[int, int] = field(default_factory=dict)
    hidden: int = 0
    """Used by processes of other containers, which NVML does not list."""
    instances: list["Card"] | None = None
    """The MIG instances; None if MIG mode is off."""

    @property
    def used(self) -> int:
        return self.idle + self.hidden + sum((self.computing | self.drawing).values())


def a100(uuid: str, **fields: Any) -> Card:
    return Card(uuid, **fields)


def h200(uuid: str, **fields: Any) -> Card:
    return Card(uuid, total=143771 * MIB, reserved=694 * MIB, **fields)


def install(monkeypatch: pytest.MonkeyPatch, cards: list[Card]) -> None:
    """Let pynvml report these GPUs, in PCI order."""

    def by_uuid(uuid: str) -> Card:
        parts = [part for card in cards for part in [card, *(card.instances or [])]]
        for part in parts:
            if part.uuid == uuid:
                return part
        raise pynvml.NVMLError_NotFound

    def memory(card: Card, version: int | None = None) -> SimpleNamespace:
        free = card.total - card.reserved - card.used
        if version is None:
            return SimpleNamespace(total=card.total, used=card.total - free, free=free)
        assert version == pynvml.nvmlMemory_v2
        return SimpleNamespace(total=card.total, reserved=card.reserved, used=card.used, free=free)

    def mig_mode(card: Card) -> list[int]:
        if card.instances is None:
            raise pynvml.NVMLError_NotSupported
        return [pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_ENABLE]

    def instance(card: Card, number: int) -> Card:
        for found in (card.instances or [])[number:]:
            return found
        raise pynvml.NVMLError_NotFound

    def processes(bytes_by_pid: dict[int, int]) -> Iterator[SimpleNamespace]:
        return (SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in bytes_by_pid.items())

    functions = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: len(cards),
        "nvmlDeviceGetHandleByIndex": cards.__getitem__,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetUUID": lambda card: card.uuid,
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetMigMode": mig_mode,
        "nvmlDeviceGetMaxMigDeviceCount": lambda card: 7,
        "nvmlDeviceGetMigDeviceHandleByIndex": instance,
        "nvmlDeviceGetComputeRunningProcesses": lambda card: list(processes(card.computing)),
        "nvmlDeviceGetGraphicsRunningProcesses": lambda card: list(processes(card.drawing)),
    }
    for name, function in functions.items():
        monkeypatch.setattr(pynvml, name, function)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    gpus.names.cache_clear()
