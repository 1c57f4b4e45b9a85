"""The GPUs of the machine, their memory, and the programs that use them.

Uses NVIDIA's library NVML, because the server does not load torch. The name of a GPU is its full
UUID; each MIG instance has a UUID of its own. Numbers are ambiguous: NVML counts in the order of
PCI addresses, CUDA starts with the fastest GPU.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import psutil
import pynvml

from jobs.core.errors import JobError
from jobs.core.launcher import GPUS

VISIBLE = "CUDA_VISIBLE_DEVICES"

IDLE_BYTES = 600 * 2**20
"""Memory in use by compute programs, above which a GPU counts as used.

Tools that only watch a GPU keep less.
"""

TEST_BYTES = 2**30
"""A test runs on a GPU with at least this much free memory, otherwise on the CPU."""


@dataclass(frozen=True)
class Device:
    """A GPU: its UUID, and the names under which programs can use it, its MIG instances or itself.

    `parts` is empty in MIG mode without instances.
    """

    uuid: str
    parts: tuple[str, ...]


@cache
def names() -> tuple[str, ...]:
    """The GPUs that jobs may use; empty without NVIDIA's driver.

    They are those in the server's CUDA_VISIBLE_DEVICES in that order, or all in PCI order. Raises
    JobError if the variable has an entry that fits no GPU.
    """
    devices = _devices()
    listed = os.environ.get(VISIBLE)
    if not devices or listed is None:
        return tuple(part for device in devices for part in device.parts)
    return visible(listed, devices)


def visible(listed: str, devices: Sequence[Device]) -> tuple[str, ...]:
    """The names of the GPUs in a value of CUDA_VISIBLE_DEVICES. Raises JobError.

    Entries are numbers in PCI order, or UUIDs, which may be abbreviated. As for CUDA, -1 or an
    empty entry ends the list.
    """
    found: list[str] = []
    for entry in listed.replace(" ", "").split(","):
        if not entry or entry.startswith("-"):
            break
        matches = _matches(entry, devices)
        if len(matches) != 1:
            available = ", ".join(part for device in devices for part in device.parts) or "none"
            raise JobError(
                f"{VISIBLE} (option --gpus): {entry} fits {'several GPUs' if matches else 'no GPU'}"
                f". Use numbers from 0 to {len(devices) - 1}, or these UUIDs: {available}."
            )
        if matches[0] in found:
            raise JobError(
                f"{VISIBLE} (option --gpus): {entry} is listed twice. List each GPU once."
            )
        found.append(matches[0])
    return tuple(found)


def _matches(entry: str, devices: Sequence[Device]) -> list[str]:
    """The names that an entry of CUDA_VISIBLE_DEVICES fits. A GPU in MIG mode: its first part."""
    if entry.isdigit():
        return [part for device in devices[int(entry) :][:1] for part in device.parts[:1]]
    if entry.startswith("GPU-"):
        return [
            part for device in devices if device.uuid.startswith(entry) for part in device.parts[:1]
        ]
    return [
        part
        for device in devices
        for part in device.parts
        if entry.startswith("MIG-") and part.startswith(entry)
    ]


def is_mig(name: str) -> bool:
    """Whether a name is that of a MIG instance. A process can use one of them only."""
    return name.startswith("MIG-")


def _devices() -> list[Device]:
    """All GPUs in PCI order; empty if NVML cannot be used."""
    try:
        pynvml.nvmlInit()
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(number)
            for number in range(pynvml.nvmlDeviceGetCount())
        ]
        return [
            Device(str(pynvml.nvmlDeviceGetUUID(handle)), tuple(_parts(handle)))
            for handle in handles
        ]
    except pynvml.NVMLError:
        return []


def _parts(handle: Any) -> list[str]:
    with suppress(pynvml.NVMLError):  # Most GPUs have no MIG mode.
        if pynvml.nvmlDeviceGetMigMode(handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE:
            return _instances(handle)
    return [str(pynvml.nvmlDeviceGetUUID(handle))]


def _instances(handle: Any) -> list[str]:
    instances = []
    for number in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with suppress(pynvml.NVMLError_NotFound):
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
            instances.append(str(pynvml.nvmlDeviceGetUUID(instance)))
    return instances


def is_used(name: str) -> bool:
    """Whether other programs compute on a GPU on which no job of this server runs."""
    with suppress(pynvml.NVMLError):
        handle = pynvml.nvmlDeviceGetHandleByUUID(name)
        used = int(_memory(handle).used)
        # A desktop draws on a GPU; that leaves it free for computing.
        drawing = _processes(pynvml.nvmlDeviceGetGraphicsRunningProcesses, handle)
        computing = _processes(pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
        drawn = sum(bytes for pid, bytes in drawing.items() if pid not in computing)
        return used - drawn > IDLE_BYTES
    return False


def users(name: str) -> str:
    """The other programs that compute on a GPU, for a message: "python (process 42, 1.5 GiB)".

    "" if NVML does not list them, as in a container.
    """
    with suppress(pynvml.NVMLError):
        handle = pynvml.nvmlDeviceGetHandleByUUID(name)
        running = _processes(pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
        return ", ".join(
            f"{_program(pid)} (process {pid}, {bytes / 2**30:.1f} GiB)"
            for pid, bytes in running.items()
        )
    return ""


def _processes(list_running: Any, handle: Any) -> dict[int, int]:
    """The bytes in use by running processes, by pid; empty if NVML has no list of them."""
    with suppress(pynvml.NVMLError):
        return {
            int(process.pid): int(process.usedGpuMemory or 0) for process in list_running(handle)
        }
    return {}


def _program(pid: int) -> str:
    with suppress(psutil.Error):
        return psutil.Process(pid).name()
    return "a program"


def roomiest() -> str:
    """The GPU with most free memory, for a test; "" if none has room, and it runs on the CPU."""
    free = {name: _free_bytes(name) for name in names()}
    name = max(free, key=free.__getitem__, default="")
    return name if name and free[name] >= TEST_BYTES else ""


def environment_of_test(name: str) -> dict[str, str]:
    """The environment of a worker of tests on a GPU. Without a name, it must not look for one."""
    if not names():
        return {}
    return {VISIBLE: name, GPUS: str(names().index(name))} if name else {VISIBLE: ""}


def _free_bytes(name: str) -> int:
    with suppress(pynvml.NVMLError):
        return int(_memory(pynvml.nvmlDeviceGetHandleByUUID(name)).free)
    return 0


def _memory(handle: Any) -> Any:
    """Bytes of memory: `used`, `free`, and `reserved` by the driver, in version 2 of the reading.

    Version 1 counts what the driver reserves as used: 912 MiB on an idle A100.
    """
    return pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
