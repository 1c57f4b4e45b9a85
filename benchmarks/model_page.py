"""How long the page of a long run takes to open: a log is made up, served, and opened by urllib and by Chromium.

python benchmarks/model_page.py [--steps 1000000] [--keep FOLDER]

Prints one JSON object, times in milliseconds:

first_ms                    the curves of a log that no server has followed: its index is made, once
cold_page_ms, cold_curves_ms    from a server that has just started
page_ms, curves_ms, zoom_ms     medians of 9; the last is a hundredth of the run, with finer points
drawn_ms                    from the click until the charts of a Chromium that has been here before are drawn, median of 5
drawn_first_visit_ms        in one that has not

That the smallest and the largest of all points are among those that were sent is checked.
"""

import argparse
import json
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from jobs.core import folder as folders  # noqa: E402
from jobs.core.folder import JobFolder  # noqa: E402
from jobs.networks.device import cpu_name  # noqa: E402
from jobs.specs import ModelSpec  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402

STEPS_AN_EPOCH = 1000
POINTS = 1000


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--steps", type=int, default=1_000_000)
    options.add_argument(
        "--keep", type=Path, help="a folder for the log; it is used again where it is there"
    )
    asked = options.parse_args()
    place = asked.keep or Path(tempfile.mkdtemp())
    try:
        home = place / "home"
        found = list((home / "jobs").glob("*"))
        folder = JobFolder(found[0]) if found else write_log(home, asked.steps)
        print(json.dumps({**told(), "steps": asked.steps, **measured(home, folder)}))
    finally:
        if asked.keep is None:
            shutil.rmtree(place)


def told() -> dict[str, Any]:
    return {
        "date": date.today().isoformat(),
        "processor": cpu_name(),
        "python": platform.python_version(),
    }


def write_log(home: Path, steps: int) -> JobFolder:
    """A point of the training curve each step, as short epochs have them, a validation each epoch, and what comes between."""
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
            told = {
                "train/l1": 0.02 + draw.random() / 1000,
                "lr": 0.001,
                "gradient_norm": draw.random(),
            }
            speed = {
                "images_per_second": 1e3 * draw.random(),
                "pixels_per_second": 4e6,
                "data_wait": draw.random(),
            }
            append("scalars", step=step, epoch=step / STEPS_AN_EPOCH, scalars={**told, **speed})
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
            if step % STEPS_AN_EPOCH == 0:
                scores = {name: draw.random() for name in ("l1", "psnr", "psnr_y", "ssim")}
                both = {
                    f"val/{name}{kind}": value
                    for name, value in scores.items()
                    for kind in ("", "_input")
                }
                append("scalars", step=step, epoch=step / STEPS_AN_EPOCH, scalars=both)
        append("state", state="done", reason="", summary={"seconds": steps / 100})
    return folder


def measured(home: Path, folder: JobFolder) -> dict[str, Any]:
    shutil.rmtree(folder.path / ".index", ignore_errors=True)
    with Server(home, [home], free_port()) as server:
        page, curves = (
            f"{server.url}/models/{folder.id}",
            f"{server.url}/api/v1/jobs/{folder.id}/scalars?max_points={POINTS}",
        )
        first, _ = fetched(curves)
        # A server that has just started has nothing in its memory.
        server.kill()
        server.start()
        cold_page, _ = fetched(page)
        cold_curves, answer = fetched(curves)
        series = json.loads(answer)["series"]
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
            "curves_kb": round(len(answer) / 1e3),
            "zoom_ms": median(zoomed),
            **drawn(page),
        }


def fetched(url: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        body = answer.read()
    return round(1000 * (time.perf_counter() - began), 1), body


def median(url: str) -> float:
    return statistics.median(fetched(url)[0] for _ in range(9))


def check(folder: JobFolder, series: dict[str, Any]) -> None:
    """Raises AssertionError where the extremes of the whole log are not among the points that were sent."""
    values = [
        event["scalars"]["train/l1"]
        for event in map(json.loads, folder.events.open())
        if event["type"] == "scalars" and "train/l1" in event["scalars"]
    ]
    sent = series["train/l1"]["value"]
    assert len(sent) <= POINTS
    assert (min(sent), max(sent)) == (min(values), max(values))


WATCH = """new MutationObserver(() => {
  if (Number(document.querySelector('.chart')?.dataset.points) > 1) window.drawnAt ??= performance.now();
}).observe(document, {subtree: true, attributes: true, childList: true})"""


def drawn(page: str) -> dict[str, float]:
    """Milliseconds from going to the page until its charts have their points; none without Chromium."""
    path = shutil.which("chromium")
    if path is None:
        return {}
    from playwright.sync_api import sync_playwright

    first, again = list[float](), list[float]()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(5):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            for times in (first, again):
                tab = context.new_page()
                tab.add_init_script(WATCH)
                tab.goto(page)
                while not tab.evaluate("window.drawnAt"):
                    tab.wait_for_timeout(200)  # Seldom: asking takes the time of what is measured.
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
