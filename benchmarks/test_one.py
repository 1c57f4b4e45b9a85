"""Benchmark: latency of *Test one*, by HTTP requests and live updates over Socket.IO.

python benchmarks/test_one.py [--size 320x192 640x384 1920x1080] [--tests 5] [--network srcnn-9-1-5]

Prints a JSON object; for each size {"limit_ms", "cold", "warm", "warm_slowest", "home_ms"},
times in milliseconds from the request for the test:

output_ms       until the output PNG has arrived, with its PSNR and SSIM
first_layer_ms  until the picture of the first layer's channels has arrived
all_layers_ms   until the pictures of all layers have arrived, and the test is done

cold            without a worker for the model
warm            medians of the following tests
warm_slowest    the slowest of the following tests
limit_ms        limits when warm: for the output 150 ms at 320x192, plus 1 ms for each further
                1,000 pixels; for the first layer 300 ms, plus the same
home_ms         median and slowest response of the home page, which another client requests
                during the tests

The model has few training steps, because learned weights do not affect the time.
"""

import argparse
import gzip
import io
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks.listener import LIMIT, Listener
from benchmarks.record import print_progress, print_record
from benchmarks.start import SETTLE
from jobs.media.sample_clip import make_clip
from tests.support.server import Server, free_port

MEASURED = ("output_ms", "first_layer_ms", "all_layers_ms")
FIRST = (320, 192)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", nargs="+", default=["320x192", "640x384", "1920x1080"])
    parser.add_argument("--tests", type=int, default=5)
    parser.add_argument("--network", default="srcnn-9-1-5")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    try:
        with Server(work / "home", [work], free_port()) as server:
            time.sleep(SETTLE)  # Its fork server loads.
            model = train_model(server, work, args.network)
            sizes = [
                (int(width), int(height))
                for width, _, height in (text.partition("x") for text in args.size)
            ]
            times = {}
            for width, height in sizes:
                print_progress(f"{width}x{height}")
                size = (width, height)
                times[f"{width}x{height}"] = of_size(server, work, model, size, args.tests)
            print_record(network=args.network, **times)
    finally:
        shutil.rmtree(work)


def train_model(server: Server, work: Path, network: str) -> str:
    """Train a model for a few steps on the sample clip. Returns its id."""
    clip = make_clip(work / "clip", 24)
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    spec = {
        "name": "m",
        "dataset": dataset,
        "network": {"name": network},
        "steps": 4,
        "batch_size": 4,
        "patch_size": 32,
    }
    model = server.create("/models", spec)
    server.wait(model, "done")
    return model


def of_size(
    server: Server, work: Path, model: str, size: tuple[int, int], tests: int
) -> dict[str, Any]:
    """Times of the first test of a size, and of the following tests."""
    original = next((work / "clip").rglob("*.bmp.gz"))
    image, target = (
        resized(original, work / "input.png", size, quality=20),
        resized(original, work / "target.png", size),
    )
    body = {"image": str(image), "target": str(target)}
    end_workers(server)
    cold = measure(server, model, body)
    with HomePageClient(server.url) as other:
        warm = [measure(server, model, body) for _ in range(tests)]
    more = (size[0] * size[1] - FIRST[0] * FIRST[1]) / 1000
    return {
        "limit_ms": {"output_ms": round(150 + more), "first_layer_ms": round(300 + more)},
        "cold": rounded(cold),
        "warm": rounded(
            {name: statistics.median(times[name] for times in warm) for name in MEASURED}
        ),
        "warm_slowest": rounded({name: max(times[name] for times in warm) for name in MEASURED}),
        "home_ms": rounded({"median": statistics.median(other.times), "slowest": max(other.times)}),
    }


def rounded(times: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in times.items()}


def resized(original: Path, path: Path, size: tuple[int, int], quality: int = 0) -> Path:
    """Write a picture of that size, with a quality after JPEG compression. Returns the path."""
    with gzip.open(original) as file:
        picture = Image.open(io.BytesIO(file.read())).convert("RGB").resize(size)
    if quality:
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG", quality=quality)
        picture = Image.open(jpeg)
    picture.save(path)
    return path


def end_workers(server: Server) -> None:
    """End the server's workers: the next test needs a new one."""
    [fork_server] = psutil.Process(server.process.pid).children()
    workers = fork_server.children()
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, LIMIT)


def measure(server: Server, model: str, body: dict[str, Any]) -> dict[str, float]:
    """Times of a test in milliseconds, from the request until all data has arrived."""
    times: dict[str, float] = {}
    with closing(Listener(server.port)) as listener:
        began = time.perf_counter()
        listener.watch(server.create(f"/models/{model}/tests", body))
        for message in listener.messages():
            for event in message["events"]:
                if event["type"] == "state":
                    assert event["state"] in ("waiting", "running", "done"), event
                url_field = {"sample": "output", "layer": "picture"}.get(event["type"])
                if url_field:
                    fetch(server.url + event[url_field])
                now = 1000 * (time.perf_counter() - began)
                if event["type"] == "sample":
                    times["output_ms"] = now
                elif event["type"] == "layer":
                    times.setdefault("first_layer_ms", now)
                elif event.get("state") == "done":
                    return {**times, "all_layers_ms": now}
    raise AssertionError(f"the connection was closed before the end of the test: {times}")


def fetch(url: str) -> None:
    with urllib.request.urlopen(url, timeout=LIMIT) as response:
        response.read()


class HomePageClient:
    """A client that requests the home page repeatedly. `times`: in milliseconds."""

    def __init__(self, url: str) -> None:
        self._url, self._stop = url, threading.Event()
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._request)

    def __enter__(self) -> "HomePageClient":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _request(self) -> None:
        while not self._stop.wait(0.05):
            began = time.perf_counter()
            fetch(self._url)
            self.times.append(1000 * (time.perf_counter() - began))


if __name__ == "__main__":
    main()
