"""Benchmark: time to open the page of a long run, by urllib and by Chromium, with a generated log.

python benchmarks/model_page.py [--steps 1000000] [--keep FOLDER]

Prints a JSON object, times in milliseconds:

first_ms                        the curves of a log without an index, which the server creates
cold_page_ms, cold_curves_ms    from a server that has just started
page_ms, curves_ms, zoom_ms     medians of 9; zoom is a hundredth of the run, with finer points
drawn_ms                        from the click until Chromium has drawn the charts, median of 5,
                                on a repeated visit
drawn_first_visit_ms            as drawn_ms, on a first visit

The benchmark checks that the response includes the smallest and the largest of all points.
"""

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.browser import QUIET, browser_path, missing_browser
from benchmarks.record import print_progress, print_record
from jobs.core import folder as folders
from jobs.core.folder import JobFolder
from jobs.specs import ModelSpec
from tests.support.server import Server, free_port

STEPS_PER_EPOCH = 1000
POINTS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument(
        "--keep", type=Path, help="keep the log in this folder, and reuse it if it exists"
    )
    args = parser.parse_args()
    work = args.keep or Path(tempfile.mkdtemp())
    try:
        home = work / "home"
        jobs = list((home / "jobs").glob("*"))
        folder = JobFolder(jobs[0]) if jobs else write_log(home, args.steps)
        print_record(steps=args.steps, **measured(home, folder))
    finally:
        if args.keep is None:
            shutil.rmtree(work)


def write_log(home: Path, steps: int) -> JobFolder:
    """A log with a training point per step, a validation per epoch, progress and hardware."""
    spec = ModelSpec(name="long", dataset="00000000", steps=steps)
    folder = folders.create(home, "model", spec)
    draw = random.Random(1)
    seq = 0
    with folder.events.open("w") as log:

        def append(type: str, **fields: Any) -> None:
            nonlocal seq
            seq += 1
            event = {"seq": seq, "time": 1.7e9 + seq * 0.01, "type": type, **fields}
            log.write(json.dumps(event, separators=(",", ":")) + "\n")

        append("state", state="running", reason="")
        for step in range(1, steps + 1):
            training = {
                "train/l1": 0.02 + draw.random() / 1000,
                "lr": 0.001,
                "gradient_norm": draw.random(),
            }
            speed = {
                "images_per_second": 1e3 * draw.random(),
                "pixels_per_second": 4e6,
                "data_wait": draw.random(),
            }
            append(
                "scalars", step=step, epoch=step / STEPS_PER_EPOCH, scalars={**training, **speed}
            )
            if step % 25 == 0:
                append("progress", done=step, total=steps, unit="steps", rate=100.0, eta=1.0)
            if step % 200 == 0:
                append(
                    "hardware",
                    cpu=190.0 * draw.random(),
                    cores=2,
                    rss=10**9,
                    memory_total=10**10,
                    gpus=[],
                )
            if step % STEPS_PER_EPOCH == 0:
                scores = {name: draw.random() for name in ("l1", "psnr", "psnr_y", "ssim")}
                scalars = {
                    f"val/{name}{kind}": value
                    for name, value in scores.items()
                    for kind in ("", "_input")
                }
                append("scalars", step=step, epoch=step / STEPS_PER_EPOCH, scalars=scalars)
        append("state", state="done", reason="", summary={"seconds": steps / 100})
    return folder


def measured(home: Path, folder: JobFolder) -> dict[str, Any]:
    shutil.rmtree(folder.path / ".index", ignore_errors=True)
    with Server(home, [home], free_port()) as server:
        page, curves = (
            f"{server.url}/models/{folder.id}",
            f"{server.url}/api/v1/jobs/{folder.id}/scalars?max_points={POINTS}",
        )
        first, _ = fetch(curves)
        # A new server has empty caches.
        server.kill()
        server.start()
        cold_page, _ = fetch(page)
        cold_curves, body = fetch(curves)
        series = json.loads(body)["series"]
        check(folder, series)
        steps = series["train/l1"]["step"][-1]
        zoomed = f"{curves}&from_step={steps // 2}&to_step={steps // 2 + steps // 100}"
        return {
            "log_mb": round(folder.events.stat().st_size / 1e6),
            "first_ms": first,
            "cold_page_ms": cold_page,
            "cold_curves_ms": cold_curves,
            "page_ms": median(page),
            "curves_ms": median(curves),
            "curves_kb": round(len(body) / 1e3),
            "zoom_ms": median(zoomed),
            **drawing_times(page),
        }


def fetch(url: str) -> tuple[float, bytes]:
    """Milliseconds and body of a request."""
    began = time.perf_counter()
    with urllib.request.urlopen(url) as response:
        body = response.read()
    return round(1000 * (time.perf_counter() - began), 1), body


def median(url: str) -> float:
    return statistics.median(fetch(url)[0] for _ in range(9))


def check(folder: JobFolder, series: dict[str, Any]) -> None:
    """Raises AssertionError if the sent points lack the extremes of the whole log."""
    values = [
        event["scalars"]["train/l1"]
        for event in map(json.loads, folder.events.open())
        if event["type"] == "scalars" and "train/l1" in event["scalars"]
    ]
    sent = series["train/l1"]["value"]
    assert len(sent) <= POINTS
    assert (min(sent), max(sent)) == (min(values), max(values))


WATCH = """new MutationObserver(() => {
  const points = Number(document.querySelector('.chart')?.dataset.points);
  if (points > 1) window.drawnAt ??= performance.now();
}).observe(document, {subtree: true, attributes: true, childList: true})"""


def drawing_times(page: str) -> dict[str, float]:
    """Milliseconds from navigation until the charts have their points; empty without a browser."""
    if (missing := missing_browser()) is not None:
        print_progress(f"Without drawn_ms: {missing}")
        return {}
    from playwright.sync_api import sync_playwright

    first, again = list[float](), list[float]()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        for _ in range(5):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            for times in (first, again):
                tab = context.new_page()
                tab.add_init_script(WATCH)
                tab.goto(page)
                while not tab.evaluate("window.drawnAt"):
                    tab.wait_for_timeout(200)  # Frequent polling would slow the page.
                times.append(tab.evaluate("window.drawnAt"))
                tab.wait_for_load_state("networkidle")
                tab.close()
            context.close()
        browser.close()
    return {
        "drawn_ms": round(statistics.median(again), 1),
        "drawn_first_visit_ms": round(statistics.median(first), 1),
    }


if __name__ == "__main__":
    main()
