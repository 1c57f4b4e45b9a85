"""Benchmark: memory of a test of 10,000 small images with ground truth on a real server.

python benchmarks/test_many.py [--images 10000] [--size 96x64]

Prints a JSON object: images per second, the memory of worker and server (RSS, MB) after a
tenth of the images and at the end, and the time for a page of the complete table (median of 5,
milliseconds).
"""

import argparse
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record import print_record
from benchmarks.test_one import resized, train_model
from tests.support.server import Server, free_port


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", default="96x64")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    try:
        with Server(work / "home", [work], free_port()) as server:
            print_record(images=args.images, size=args.size, **measured(server, work, args))
    finally:
        shutil.rmtree(work)


def measured(server: Server, work: Path, args: argparse.Namespace) -> dict[str, Any]:
    model = train_model(server, work, "srcnn-9-1-5")
    width, _, height = args.size.partition("x")
    folders = pictures(work, (int(width), int(height)), args.images)
    began = time.perf_counter()
    body = {"kind": "images", "images": [str(folders[0])], "targets": str(folders[1])}
    id = server.create(f"/models/{model}/tests", body)
    early = server.wait_for(
        id, lambda job: bool(job["progress"]) and job["progress"]["done"] >= args.images // 10, 600
    )
    worker = psutil.Process(int((server.home / "jobs" / id / "worker.lock").read_text()))
    before = memory(worker, server)
    late = before
    while (job := server.job(id))["state"] == "running":
        if job["progress"]["done"] < args.images:
            late = memory(worker, server)
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    assert job["summary"]["images"] == args.images, job["reason"]
    return {
        "images_a_second": round(args.images / seconds, 1),
        "after_a_tenth": {"images": early["progress"]["done"], **before},
        "at_the_end": {**late, "server_mb": rss(psutil.Process(server.process.pid))},
        "page_ms": median(f"{server.url}/tests/{id}"),
        "results_ms": median(f"{server.url}/api/v1/jobs/{id}/results"),
    }


def pictures(work: Path, size: tuple[int, int], count: int) -> tuple[Path, Path]:
    """Folders with `count` copies of an image and of its ground truth."""
    original = next((work / "clip").rglob("*.bmp.gz"))
    folders = work / "inputs", work / "targets"
    for folder, quality in zip(folders, (20, 0), strict=True):
        folder.mkdir()
        first = resized(original, folder / "0.png", size, quality)
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
        with urllib.request.urlopen(url) as response:
            response.read()
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    main()
