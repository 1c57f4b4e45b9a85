"""Several processes that train one network together, one a GPU: what each does alone, and where they agree.

Under torchrun they find each other by its environment. Where a spec names several GPUs, the job's process is the
first rank and starts the others itself, in its own process group. Only rank 0 writes: log, snapshots, pictures.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # It is public, but not in __all__.
from torch.nn.parallel import DistributedDataParallel

from jobs.folder import JobFolder
from jobs.patches import Cuts


@dataclass(frozen=True)
class Ranks:
    rank: int = 0
    size: int = 1

    def share(self, cuts: Cuts) -> Cuts:
        """This rank's part of a step's patches; where there are fewer patches than ranks, some have one twice."""
        mine = cuts[slice(self.rank, None, self.size)]
        return mine if len(mine) else cuts[slice(0, 1)]

    def weight(self, step_patches: int, mine: int) -> float:
        """By what this rank's mean loss is multiplied, so that the mean of all ranks is that over all patches."""
        whole = len(range(self.rank, step_patches, self.size))
        return whole * self.size / step_patches if self.size > 1 else 1.0

    def together(self, net: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the ranks."""
        if self.size == 1:
            return net
        on_gpu = next(net.parameters()).is_cuda
        return DistributedDataParallel(net, device_ids=[torch.cuda.current_device()] if on_gpu else None)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool, device: torch.device) -> bool:
        return bool(self.sum(torch.tensor(float(flag), device=device)) > 0) if self.size > 1 else flag

    def of_first(self, value: float, device: torch.device) -> float:
        """The value that rank 0 has."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(told, 0)
        return float(told)

    def same(self, value: Any) -> Any:
        """What rank 0 has, in all of them."""
        if self.size == 1:
            return value
        told = [value]
        dist.broadcast_object_list(told, 0)
        return told[0]

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()


def join(folder: JobFolder, wanted: int) -> Ranks:
    """Become one of several ranks, or stay alone. `wanted`: as many processes as a spec names GPUs."""
    if "RANK" not in os.environ and wanted > 1:
        _start_others(folder, wanted)
    if "RANK" not in os.environ:
        return Ranks()
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Ranks(dist.get_rank(), dist.get_world_size())


_meeting: list[TCPStore] = []
"""Where the ranks meet: rank 0 keeps it open while it lives."""


def _start_others(folder: JobFolder, size: int) -> None:
    """As torchrun does: the meeting place is open, at a free port, before anybody looks for it."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    _meeting.append(store)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(size),
        "RANK": "0",
    }
    for rank in range(1, size):
        subprocess.Popen([sys.executable, "-m", "jobs.run", str(folder.path)], env={**os.environ, "RANK": str(rank)})
