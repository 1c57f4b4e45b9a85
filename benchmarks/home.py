"""Benchmark: response time of the home page of a server with many jobs.

python benchmarks/home.py [--jobs 10000] [--rounds 20]

Creates a home with that many jobs (a tenth datasets, half models with 20 snapshots each, the
rest tests), starts a server on it, and prints a JSON object: the seconds until the server is
up, and for each address of the home page the median and the slowest response in milliseconds,
measured by a client on the same machine.
"""

import argparse
import http.client
import json
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.record import print_record
from jobs.core import folder as folders
from jobs.specs import DatasetSpec, ImageTest, JobSpec, ModelSpec
from tests.support.server import Server, free_port

SNAPSHOTS = 20
ADDRESSES = (
    "/",
    "/?models.sort=-gain",
    "/?tests.sort=name",
    "/?datasets.sort=group",
    "/?q=clip+7",
    "/?state=error&group=group+3",
    "next",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    try:
        fill(work / "home", args.jobs)
        server = Server(work / "home", [work], free_port())
        first_start = server.start(seconds=600)
        server.kill()
        with server:
            print_record(**measured(server, args.jobs, args.rounds, first_start))
    finally:
        shutil.rmtree(work)


def fill(home: Path, jobs: int) -> None:
    """Create jobs in a home."""
    random = Random(1)
    source = {"kind": "folders", "input": "/clips/in", "target": "/clips/out"}
    datasets, models = list[str](), list[str]()
    for number in range(jobs):
        common = {"name": f"clip {number}", "group": f"group {number % 10}"}
        if number % 10 == 0:
            summary = {
                "pairs": {"train": 270, "val": 30},
                "width": 352,
                "height": 288,
                "psnr_input": 30 + random.random(),
            }
            datasets.append(
                finished_job(
                    home,
                    "dataset",
                    DatasetSpec.model_validate({**common, "source": source}),
                    [],
                    summary,
                )
            )
        elif number % 2 == 0:
            snapshots = [snapshot(index, random) for index in range(SNAPSHOTS)]
            spec = ModelSpec.model_validate({**common, "dataset": random.choice(datasets)})
            models.append(finished_job(home, "model", spec, snapshots, {}))
        else:
            scores = {"psnr_input": 30.0, "psnr_output": 30 + random.random()}
            test = ImageTest.model_validate(
                {**common, "model": random.choice(models or ["0" * 8]), "image": "/clips/in/0.png"}
            )
            finished_job(home, "test", test, [], scores)


def snapshot(number: int, random: Random) -> dict[str, Any]:
    scores = {"val/l1": random.random(), "val/psnr": 30 + random.random(), "val/psnr_input": 30.0}
    return {
        "type": "snapshot",
        "name": f"e{number:04d}",
        "epoch": number,
        "step": number * 34,
        "size": 230_000,
        "scalars": scores,
    }


def finished_job(
    home: Path, kind: str, spec: JobSpec, events: list[dict[str, Any]], summary: dict[str, Any]
) -> str:
    """Create a job that has run, and failed in a seventh of all cases. Returns its id."""
    folder = folders.create(home, kind, spec)
    state = "error" if hash(folder.id) % 7 == 0 else "done"
    events_of_job = [
        {"type": "state", "state": "running"},
        *events,
        {"type": "state", "state": state, "summary": summary},
    ]
    with folder.events.open("a") as log:  # EventLog would sync the disk at each state.
        log.writelines(
            json.dumps({"seq": seq, "time": time.time(), **event}) + "\n"
            for seq, event in enumerate(events_of_job, 2)
        )
    return folder.id


def measured(server: Server, jobs: int, rounds: int, first_start: float) -> dict[str, Any]:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    first = urllib.request.urlopen(server.url).read().decode()
    next_page = (
        first.split('rel="next"')[0]
        .rpartition('href="')[2]
        .partition('"')[0]
        .replace("&amp;", "&")
        .partition("#")[0]
    )
    times_by_address = {}
    for address in ADDRESSES:
        path = next_page if address == "next" else address
        times = [response_time(client, path) for _ in range(rounds + 1)][1:]
        times_by_address[address] = {
            "median_ms": round(statistics.median(times), 1),
            "slowest_ms": round(max(times), 1),
        }
    return {
        "jobs": jobs,
        "bytes": len(first),
        "first_start_s": round(first_start, 1),
        "start_s": round(server.took, 1),
        "pages": times_by_address,
    }


def response_time(client: http.client.HTTPConnection, path: str) -> float:
    """Milliseconds of a request on an open connection."""
    began = time.perf_counter()
    client.request("GET", path)
    response = client.getresponse()
    response.read()
    assert response.status == 200, path
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
