"""Whether a test of many images stays within its memory: 10,000 small images with their ground truth, through a real server.

python benchmarks/test_many.py [--images 10000] [--size 96x64]

Prints one JSON object: images a second, the memory of the worker and of the server (RSS, MB) after a tenth of the images and at
the end, and what a page of the table takes when all are there (median of 5, milliseconds).
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from benchmarks.test_one import enlarged, told, trained  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--images", type=int, default=10_000)
    options.add_argument("--size", default="96x64")
    asked = options.parse_args()
    place = Path(tempfile.mkdtemp())
    try:
        with Server(place / "home", [place], free_port()) as server:
            print(
                json.dumps(
                    {
                        **told(),
                        "images": asked.images,
                        "size": asked.size,
                        **measured(server, place, asked),
                    }
                )
            )
    finally:
        shutil.rmtree(place)


def measured(server: Server, place: Path, asked: argparse.Namespace) -> dict[str, Any]:
    model = trained(server, place, "srcnn-9-1-5")
    width, _, height = asked.size.partition("x")
    folders = pictures(place, (int(width), int(height)), asked.images)
    began = time.perf_counter()
    body = {"kind": "images", "images": [str(folders[0])], "targets": str(folders[1])}
    id = server.create(f"/models/{model}/tests", body)
    early = server.wait_for(
        id, lambda job: bool(job["progress"]) and job["progress"]["done"] >= asked.images // 10, 600
    )
    worker = psutil.Process(int((server.home / "jobs" / id / "worker.lock").read_text()))
    before = memory(worker, server)
    late = before
    while (job := server.job(id))["state"] == "running":
        if job["progress"]["done"] < asked.images:
            late = memory(worker, server)
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    assert job["summary"]["images"] == asked.images, job["reason"]
    return {
        "images_a_second": round(asked.images / seconds, 1),
        "after_a_tenth": {"images": early["progress"]["done"], **before},
        "at_the_end": {**late, "server_mb": rss(psutil.Process(server.process.pid))},
        "page_ms": median(f"{server.url}/tests/{id}"),
        "results_ms": median(f"{server.url}/api/v1/jobs/{id}/results"),
    }


def pictures(place: Path, size: tuple[int, int], count: int) -> tuple[Path, Path]:
    """As many copies of one image, and of its ground truth."""
    original = next((place / "clip").rglob("*.bmp.gz"))
    folders = place / "inputs", place / "targets"
    for folder, quality in zip(folders, (20, 0), strict=True):
        folder.mkdir()
        first = enlarged(original, folder / "0.png", size, quality)
        for number in range(1, count):
            (folder / f"{number}.png").hardlink_to(first)
    return folders


def memory(worker: psutil.Process, server: Server) -> dict[str, int]:
    return {"worker_mb": rss(worker), "server_mb": rss(psutil.Process(server.process.pid))}


def rss(process: psutil.Process) -> int:
    return int(process.memory_info().rss // 2**20)


def median(url: str) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        with urllib.request.urlopen(url) as answer:
            answer.read()
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    main()
