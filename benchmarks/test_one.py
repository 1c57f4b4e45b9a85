"""How long *Test one* takes: tests are asked for over HTTP, and followed by a real Socket.IO client.

python benchmarks/test_one.py [--size 320x192 640x384 1920x1080] [--tests 9] [--network srcnn-9-1-5]

Prints one JSON object; for each size {"limit_ms", "cold", "warm"}, times in milliseconds from the request for the test on:

output_ms       until the output, a PNG, is here, with its PSNR and SSIM
first_layer_ms  until the picture of the first layer's channels is here
all_layers_ms   until those of all layers are, and the test is done

cold: no worker of the model was there; warm: medians of the tests after it, with the slowest one beside it. `limit_ms` is what
the output may take when warm: 150 ms for 320x192, and 1 ms for each further 1,000 pixels; the first layer 300 ms, and likewise.
home_ms: the home page, asked for all the time meanwhile by another client; median and slowest. The model is one of a few steps:
what it has learned takes no time.
"""

import argparse
import json
import platform
import queue
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import socketio  # noqa: E402
from PIL import Image  # noqa: E402

from jobs.media.sample_clip import make_clip  # noqa: E402
from jobs.networks.device import cpu_name  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402

MEASURED = ("output_ms", "first_layer_ms", "all_layers_ms")
FIRST = (320, 192)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--size", nargs="+", default=["320x192", "640x384", "1920x1080"])
    options.add_argument("--tests", type=int, default=9)
    options.add_argument("--network", default="srcnn-9-1-5")
    asked = options.parse_args()
    place = Path(tempfile.mkdtemp())
    try:
        with Server(place / "home", [place], free_port()) as server:
            model = trained(server, place, asked.network)
            sizes = [
                (int(width), int(height))
                for width, _, height in (text.partition("x") for text in asked.size)
            ]
            print(
                json.dumps(
                    {
                        **told(),
                        "network": asked.network,
                        **{
                            f"{w}x{h}": of_size(server, place, model, (w, h), asked.tests)
                            for w, h in sizes
                        },
                    }
                )
            )
    finally:
        shutil.rmtree(place)


def told() -> dict[str, Any]:
    return {
        "date": date.today().isoformat(),
        "processor": cpu_name(),
        "python": platform.python_version(),
    }


def trained(server: Server, place: Path, network: str) -> str:
    """A model of a few steps on the sample clip."""
    clip = make_clip(place / "clip", 24)
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
    server: Server, place: Path, model: str, size: tuple[int, int], tests: int
) -> dict[str, Any]:
    """The first test, and those after it."""
    original = next((place / "clip").rglob("*.bmp.gz"))
    image, target = (
        enlarged(original, place / "input.png", size, quality=20),
        enlarged(original, place / "target.png", size),
    )
    body = {"image": str(image), "target": str(target)}
    end_workers(server)
    cold = measure(server, model, body)
    with Asking(server.url) as other:
        warm = [measure(server, model, body) for _ in range(tests)]
    more = (size[0] * size[1] - FIRST[0] * FIRST[1]) / 1000
    return {
        "limit_ms": {"output_ms": round(150 + more), "first_layer_ms": round(300 + more)},
        "cold": rounded(cold),
        "warm": rounded({name: statistics.median(one[name] for one in warm) for name in MEASURED}),
        "warm_slowest": rounded({name: max(one[name] for one in warm) for name in MEASURED}),
        "home_ms": rounded({"median": statistics.median(other.times), "slowest": max(other.times)}),
    }


def rounded(times: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in times.items()}


def enlarged(original: Path, path: Path, size: tuple[int, int], quality: int = 0) -> Path:
    """A picture of that size; with a quality, as JPEG leaves it."""
    import gzip
    import io

    with gzip.open(original) as file:
        picture = Image.open(io.BytesIO(file.read())).convert("RGB").resize(size)
    if quality:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=quality)
        picture = Image.open(packed)
    picture.save(path)
    return path


def end_workers(server: Server) -> None:
    """A server that has just started has no worker."""
    server.kill()
    server.start()


def measure(server: Server, model: str, body: dict[str, Any]) -> dict[str, float]:
    """One test, from the request until all of it is here."""
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    client = socketio.Client()

    def take_in(message: dict[str, Any]) -> None:
        for event in message["events"]:
            events.put(event)

    client.on("events", take_in, namespace="/jobs")
    client.connect(server.url, namespaces=["/jobs"], transports=["websocket"])
    try:
        began = time.perf_counter()
        id = server.create(f"/models/{model}/tests", body)
        client.emit("watch", {"job": id, "since": 0}, namespace="/jobs")
        found: dict[str, float] = {}
        while "all_layers_ms" not in found:
            event = events.get(timeout=120)
            if event["type"] == "state":
                assert event["state"] in ("waiting", "running", "done"), event
            fetched = {"sample": "output", "layer": "picture"}.get(event["type"])
            if fetched:
                fetch(server.url + event[fetched])
            now = 1000 * (time.perf_counter() - began)
            if event["type"] == "sample":
                found["output_ms"] = now
            elif event["type"] == "layer":
                found.setdefault("first_layer_ms", now)
            elif event.get("state") == "done":
                found["all_layers_ms"] = now
        return found
    finally:
        client.disconnect()


def fetch(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        answer.read()


class Asking:
    """A client that asks for the home page again and again; `times` in milliseconds."""

    def __init__(self, url: str) -> None:
        self._url, self._over = url, threading.Event()
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            began = time.perf_counter()
            fetch(self._url)
            self.times.append(1000 * (time.perf_counter() - began))


if __name__ == "__main__":
    main()
