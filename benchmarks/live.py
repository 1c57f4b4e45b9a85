"""Live updates at scale: one job that logs 50 scalars a second, and 200 Socket.IO clients on it, ten of them slow.

python benchmarks/live.py [--clients 200] [--slow 10] [--seconds 60] [--minutes 10] [--train]

Prints one JSON object:

live      `--seconds` at 50 events a second: that each client got each event once and in order ("wrong": 0), and the delay from
          an event's time in the log until a client has it, of the clients that are not slow
long      the events of `--minutes`, ten times as fast: the server's memory (RSS, MB) after each tenth of them
training  with --train: patches a second of a real training with the clients on it, beside the same one without any, by turns;
          "together" on all cores, "apart" the training on one, server and clients on the others: what it waits for them

The clients are Node's socket.io-client in a process of their own, on the same cores. A slow one reads for a second, and then
leaves its connection alone for four.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from benchmarks.test_one import trained  # noqa: E402
from jobs.core import folder as folders  # noqa: E402
from jobs.core.events import EventLog  # noqa: E402
from jobs.networks.device import cpu_name  # noqa: E402
from jobs.specs import ModelSpec  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402

RATE = 50
FASTER = 10
ROUNDS = 5
NODE = (
    shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    or "node"
)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--clients", type=int, default=200)
    options.add_argument("--slow", type=int, default=10)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--train", action="store_true")
    asked = options.parse_args()
    place = Path(tempfile.mkdtemp())
    try:
        told: dict[str, Any] = {
            "date": date.today().isoformat(),
            "processor": cpu_name(),
            "cores": os.cpu_count(),
        }
        told |= {"python": platform.python_version(), "clients": asked.clients, "slow": asked.slow}
        with Server(place / "home", [place], free_port()) as server:
            told["live"] = logged(server, asked, RATE, asked.seconds)
            told["long"] = logged(server, asked, FASTER * RATE, 60 * asked.minutes / FASTER)
            if asked.train:
                told["training"] = training(server, place, asked)
        print(json.dumps(told))
    finally:
        shutil.rmtree(place)


def logged(
    server: Server, asked: argparse.Namespace, rate: float, seconds: float
) -> dict[str, Any]:
    """A training that this process plays: so many events a second."""
    folder = folders.create(
        server.home, "model", ModelSpec(name="played", dataset="00000000", steps=1_000_000)
    )
    lock = folder.lock()
    assert lock is not None
    with open(lock, "rb"), EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        server.kill()
        server.start()  # It takes in the folder.
        with Clients(server, folder.id, asked) as clients:
            process, memory = psutil.Process(server.process.pid), list[int]()
            busy = process.cpu_times()
            began = time.monotonic()
            count = int(rate * seconds)
            for step in range(count):
                if step % (count // 10) == 0:
                    memory.append(process.memory_info().rss // 2**20)
                log.append(
                    "scalars",
                    step=step,
                    epoch=step / 1000,
                    scalars={"train/l1": 0.02, "lr": 0.001, "step": step},
                )
                time.sleep(max(0.0, began + (step + 1) / rate - time.monotonic()))
            used = process.cpu_times()
            cpu = (used.user + used.system - busy.user - busy.system) / (time.monotonic() - began)
            last = log.append("state", state="done", reason="", summary={})
            found = clients.until(last["seq"])
            memory.append(process.memory_info().rss // 2**20)
    return {
        "events_a_second": rate,
        "seconds": seconds,
        **found,
        "server_mb": memory,
        "server_cpu": round(100 * cpu),
    }


class Clients:
    """The clients' process."""

    def __init__(self, server: Server, job: str, asked: argparse.Namespace) -> None:
        script = str(ROOT / "benchmarks/live_clients.mjs")
        self._command = [NODE, script, server.url, job, str(asked.clients), str(asked.slow)]

    def __enter__(self) -> "Clients":
        # A group of its own: the node of a Python package is started by another process.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def keep_to(self, cores: set[int]) -> None:
        for process in (
            psutil.Process(self._process.pid),
            *psutil.Process(self._process.pid).children(recursive=True),
        ):
            keep_to(process.pid, cores)

    def until(self, seq: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"until {seq}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def training(server: Server, place: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The same training without and with clients, by turns."""
    dataset = server.job(trained(server, place, "srcnn-9-1-5"))["spec"]["dataset"]
    cores = os.sched_getaffinity(0)
    one = {min(cores)}
    return {
        "together": slower(server, dataset, asked, cores, cores),
        "apart": slower(server, dataset, asked, one, cores - one or cores),
    }


def slower(
    server: Server, dataset: str, asked: argparse.Namespace, its: set[int], others: set[int]
) -> dict[str, Any]:
    """A training on its cores, the server and the clients on others."""
    speeds: dict[str, list[float]] = {"alone": [], "with_clients": []}
    for _ in range(ROUNDS):
        for name, found in speeds.items():
            keep_to(server.process.pid, its)  # A worker inherits it.
            id = server.create("/models", {"name": "timed", "dataset": dataset, "steps": 400})
            server.wait_for(id, lambda job: job["state"] == "running")
            keep_to(server.process.pid, others)
            if name == "with_clients":
                with Clients(server, id, asked) as clients:
                    clients.keep_to(others)
                    job = server.wait(id, "done", seconds=600)
            else:
                job = server.wait(id, "done", seconds=600)
            found.append(round(job["summary"]["patches_per_second"], 1))
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    return {
        **speeds,
        "slower_by_percent": round(100 * (1 - medians["with_clients"] / medians["alone"]), 2),
    }


def keep_to(pid: int, cores: set[int]) -> None:
    """All threads of a process."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


if __name__ == "__main__":
    main()
