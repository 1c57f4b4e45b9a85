"""The home page of a server with many jobs: how long it takes to answer.

python benchmarks/home.py [--jobs 10000] [--rounds 20]

Makes a home of that many jobs (a tenth datasets, half models with 20 snapshots each, the rest tests), starts a server on it, and
prints one JSON object: the seconds until it is up, and for each address of the home page the median and the slowest answer in
milliseconds, as a client on this machine has them.
"""

import argparse
import http.client
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from jobs.core import folder as folders  # noqa: E402
from jobs.core.events import Event  # noqa: E402
from jobs.networks.device import cpu_name  # noqa: E402
from jobs.specs import DatasetSpec, ImageTest, JobSpec, ModelSpec  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402

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
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--jobs", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=20)
    asked = options.parse_args()
    place = Path(tempfile.mkdtemp())
    try:
        fill(place / "home", asked.jobs)
        server = Server(place / "home", [place], free_port())
        first_start = server.start(seconds=600)
        server.kill()
        with server:
            print(json.dumps(measured(server, asked.jobs, asked.rounds, first_start)))
    finally:
        shutil.rmtree(place)


def fill(home: Path, jobs: int) -> None:
    random = Random(1)
    source = {"kind": "folders", "input": "/clips/in", "target": "/clips/out"}
    datasets, models = list[str](), list[str]()
    for number in range(jobs):
        words = {"name": f"clip {number}", "group": f"group {number % 10}"}
        if number % 10 == 0:
            summary = {
                "pairs": {"train": 270, "val": 30},
                "width": 352,
                "height": 288,
                "psnr_input": 30 + random.random(),
            }
            datasets.append(
                made(
                    home,
                    "dataset",
                    DatasetSpec.model_validate({**words, "source": source}),
                    [],
                    summary,
                )
            )
        elif number % 2 == 0:
            snapshots = [snapshot(at, random) for at in range(SNAPSHOTS)]
            spec = ModelSpec.model_validate({**words, "dataset": random.choice(datasets)})
            models.append(made(home, "model", spec, snapshots, {}))
        else:
            scores = {"psnr_input": 30.0, "psnr_output": 30 + random.random()}
            test = ImageTest.model_validate(
                {**words, "model": random.choice(models or ["0" * 8]), "image": "/clips/in/0.png"}
            )
            made(home, "test", test, [], scores)


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


def made(home: Path, kind: str, spec: JobSpec, events: list[Event], summary: dict[str, Any]) -> str:
    """The id of a job that has run, and failed one time in seven."""
    folder = folders.create(home, kind, spec)
    state = "error" if hash(folder.id) % 7 == 0 else "done"
    all = [
        {"type": "state", "state": "running"},
        *events,
        {"type": "state", "state": state, "summary": summary},
    ]
    with folder.events.open("a") as log:  # Not by EventLog, which waits for the disk at each state.
        log.writelines(
            json.dumps({"seq": seq, "time": time.time(), **event}) + "\n"
            for seq, event in enumerate(all, 2)
        )
    return folder.id


def measured(server: Server, jobs: int, rounds: int, first_start: float) -> dict[str, Any]:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    first = urllib.request.urlopen(server.url).read().decode()
    following = (
        first.split('rel="next"')[0]
        .rpartition('href="')[2]
        .partition('"')[0]
        .replace("&amp;", "&")
        .partition("#")[0]
    )
    taken = {}
    for address in ADDRESSES:
        path = following if address == "next" else address
        times = [answered(client, path) for _ in range(rounds + 1)][1:]
        taken[address] = {
            "median_ms": round(statistics.median(times), 1),
            "slowest_ms": round(max(times), 1),
        }
    return {
        "date": date.today().isoformat(),
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "jobs": jobs,
        "bytes": len(first),
        "first_start_s": round(first_start, 1),
        "start_s": round(server.took, 1),
        "pages": taken,
    }


def answered(client: http.client.HTTPConnection, path: str) -> float:
    """Milliseconds, on a connection that is there already."""
    began = time.perf_counter()
    client.request("GET", path)
    answer = client.getresponse()
    answer.read()
    assert answer.status == 200, path
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
