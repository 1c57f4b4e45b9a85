"""Benchmark: live updates of a job with 50 scalars per second to 200 Socket.IO clients, ten slow.

python benchmarks/live.py [--clients 200] [--slow 10] [--seconds 60] [--minutes 10] [--train]

Prints a JSON object:

live      `--seconds` at 50 events per second: whether each client got each event once and in order
          ("wrong": 0), and the delay from an event's time in the log until a client that is not
          slow has it
long      the events of `--minutes`, ten times as fast: the server's memory (RSS, MB) after each
          tenth of them
training  with --train: patches per second of a real training with and without clients, in turns;
          "together": everything on all cores; "apart": the training on one core, server and
          clients on the others, which shows how long it waits for them

The clients are in a process of their own (live_clients.py), on the same cores. A slow client
reads for a second, and then does not read for four.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record import ROOT, print_record
from benchmarks.test_one import train_model
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.specs import ModelSpec
from tests.support.server import Server, free_port

RATE = 50
FASTER = 10
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--slow", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--train", action="store_true")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    try:
        result: dict[str, Any] = {"clients": args.clients, "slow": args.slow}
        with Server(work / "home", [work], free_port()) as server:
            result["live"] = logged(server, args, RATE, args.seconds)
            result["long"] = logged(server, args, FASTER * RATE, 60 * args.minutes / FASTER)
            if args.train:
                result["training"] = training(server, work, args)
        print_record(**result)
    finally:
        shutil.rmtree(work)


def logged(server: Server, args: argparse.Namespace, rate: float, seconds: float) -> dict[str, Any]:
    """Simulate a training with `rate` events per second, and measure its clients and server."""
    folder = folders.create(
        server.home, "model", ModelSpec(name="played", dataset="00000000", steps=1_000_000)
    )
    lock = folder.lock()
    assert lock is not None
    with open(lock, "rb"), EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        server.kill()
        server.start()  # The server imports the folder at its start.
        with Clients(server, folder.id, args) as clients:
            process, memory = psutil.Process(server.process.pid), list[int]()
            cpu_before = process.cpu_times()
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
            cpu_after = process.cpu_times()
            cpu_seconds = cpu_after.user + cpu_after.system - cpu_before.user - cpu_before.system
            cpu = cpu_seconds / (time.monotonic() - began)
            last = log.append("state", state="done", reason="", summary={})
            received = clients.until(last["seq"])
            memory.append(process.memory_info().rss // 2**20)
    return {
        "events_a_second": rate,
        "seconds": seconds,
        **received,
        "server_mb": memory,
        "server_cpu": round(100 * cpu),
    }


class Clients:
    """The process of the clients."""

    def __init__(self, server: Server, job: str, args: argparse.Namespace) -> None:
        script = str(ROOT / "benchmarks/live_clients.py")
        counts = [str(args.clients), str(args.slow)]
        self._command = [sys.executable, script, str(server.port), job, *counts]

    def __enter__(self) -> "Clients":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def keep_to(self, cores: set[int]) -> None:
        keep_to(self._process.pid, cores)

    def until(self, seq: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"until {seq}\n")
        self._process.stdin.flush()
        received: dict[str, Any] = json.loads(self._process.stdout.readline())
        return received

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def training(server: Server, work: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Results of the same training with and without clients, in turns."""
    dataset = server.job(train_model(server, work, "srcnn-9-1-5"))["spec"]["dataset"]
    cores = os.sched_getaffinity(0)
    first_core = {min(cores)}
    return {
        "together": slower(server, dataset, args, cores, cores),
        "apart": slower(server, dataset, args, first_core, cores - first_core or cores),
    }


def slower(
    server: Server, dataset: str, args: argparse.Namespace, own: set[int], others: set[int]
) -> dict[str, Any]:
    """Slowdown of a training on cores `own` by server and clients on cores `others`."""
    speeds: dict[str, list[float]] = {"alone": [], "with_clients": []}
    for _ in range(ROUNDS):
        for name, measured in speeds.items():
            keep_to(server.process.pid, own)  # The worker inherits the affinity.
            id = server.create("/models", {"name": "timed", "dataset": dataset, "steps": 400})
            server.wait_for(id, lambda job: job["state"] == "running")
            keep_to(server.process.pid, others)
            if name == "with_clients":
                with Clients(server, id, args) as clients:
                    clients.keep_to(others)
                    job = server.wait(id, "done", seconds=600)
            else:
                job = server.wait(id, "done", seconds=600)
            measured.append(round(job["summary"]["patches_per_second"], 1))
    medians = {name: statistics.median(measured) for name, measured in speeds.items()}
    return {
        **speeds,
        "slower_by_percent": round(100 * (1 - medians["with_clients"] / medians["alone"]), 2),
    }


def keep_to(pid: int, cores: set[int]) -> None:
    """Restrict all threads of a process to some cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


if __name__ == "__main__":
    main()
