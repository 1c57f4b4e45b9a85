"""Benchmark: time from a start to its first result, of the server and of each kind of job.

python benchmarks/start.py [--rounds 5]

Prints a JSON object with medians in seconds:

first, again      from the start of a server to its first page, with an empty and a used home; the
                  installation has been used
first_cpu, ...    processor time of the server until then, which other programs affect less
imports           the part of it in which the interpreter loads the server's modules
dataset           from the request for a dataset to the first stored pairs
training          from the request for a training to its first step
first_test        from the request for the first test of a model to its output
second_test       the same for the next test of that model
probe             from the request for a probe of the sample clip to its answer
help              of the command `clearframe --help`
megabytes         proportional set size (PSS) of the fork server before it has forked a worker, and
                  of it and its workers when each model has been tested

The jobs are asked for SETTLE seconds after the server has started, on a clip of 24 frames of
320x192.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record import ROOT, print_record
from jobs.media.sample_clip import make_clip
from tests.support.server import Server, free_port

SETTLE = 15.0

Events = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as work:
            for name in ("first", "again"):
                server = Server(Path(work) / "home", [], free_port())
                taken.setdefault(name, []).append(seconds_to_page(server))
                process = psutil.Process(server.process.pid)
                used = process.cpu_times()
                taken.setdefault(f"{name}_cpu", []).append(used.user + used.system)
                started = process.children()
                server.kill()
                psutil.wait_procs(started, 60)  # Its fork server would slow down the next start.
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import run_server"], cwd=ROOT, check=True)
        taken.setdefault("imports", []).append(time.monotonic() - began)
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip", frames=24, width=320, height=192)
        with Server(Path(folder) / "home", [Path(folder)], free_port()) as server:
            time.sleep(SETTLE)
            alone = megabytes(server)
            for _ in range(rounds):
                for name, seconds in jobs(server, clip).items():
                    taken.setdefault(name, []).append(seconds)
            shared = megabytes(server)
    for _ in range(rounds):
        began = time.monotonic()
        command = [str(Path(sys.executable).with_name("clearframe")), "--help"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        taken.setdefault("help", []).append(time.monotonic() - began)
    print_record(
        rounds=rounds,
        megabytes={"alone": alone, "with_workers": shared},
        **{name: round(statistics.median(times), 3) for name, times in taken.items()},
    )


def megabytes(server: Server) -> list[int]:
    """The PSS of the fork server, and of each worker that it has forked."""
    [fork_server] = psutil.Process(server.process.pid).children()
    processes = fork_server, *fork_server.children()
    return [round(process.memory_full_info().pss / 1e6) for process in processes]


def seconds_to_page(server: Server) -> float:
    """Start the server and load its home page."""
    began = time.monotonic()
    server.start()
    with urllib.request.urlopen(server.url) as page:
        page.read()
    return time.monotonic() - began


def jobs(server: Server, clip: tuple[Path, Path]) -> dict[str, float]:
    """The seconds of each kind of job, for a new model."""
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    began = time.time()
    status, answer = server.call("/probe", {"name": "clip", "source": source})
    probe = time.time() - began
    assert status == 200, answer

    dataset = seconds(server, "/datasets", {"name": "clip", "source": source}, has_begun)
    training = {"name": "m", "dataset": dataset[0], "epochs": 1}
    model = seconds(server, "/models", training, has_begun)
    image = str(next(clip[1].iterdir()))
    test = {"kind": "image", "image": image}
    path = f"/models/{model[0]}/tests"
    first, second = (seconds(server, path, test, has_output) for _ in range(2))
    return {
        "dataset": dataset[1],
        "training": model[1],
        "first_test": first[1],
        "second_test": second[1],
        "probe": probe,
    }


def seconds(
    server: Server, path: str, body: Any, is_result: Callable[[dict[str, Any]], bool]
) -> tuple[str, float]:
    """Create a job and wait for its end. Returns its id and the seconds to the first result."""
    began = time.time()
    id = server.create(path, body)
    server.wait(id, "done")
    events = server.call(f"/jobs/{id}/events?limit=1000")[1]["events"]
    return id, next(event["time"] for event in events if is_result(event)) - began


def has_begun(event: dict[str, Any]) -> bool:
    return event["type"] == "progress" and bool(event["done"])


def has_output(event: dict[str, Any]) -> bool:
    return bool(event["type"] == "sample")


if __name__ == "__main__":
    main()
