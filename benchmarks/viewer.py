"""Benchmark: frame rate of the viewer of *Test one* with three pictures, in a real Chromium.

python benchmarks/viewer.py [--size 1920x1080] [--seconds 3] [--window 1440x900]

Prints a JSON object with results per comparison mode, while the mouse drags the divider, pans
the picture at 400 %, or zooms by the wheel:

frames_per_second    frame rate of the page while something changes in each frame
slowest_ms           interval between two frames, 99th percentile
script_ms            time of the page's own code per frame, median
first_ms             time until the first picture of the mode, including the computation of errors
                     and differences

Without a graphics card, Chromium also paints on the CPU.
"""

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.browser import QUIET, browser_path, missing_browser
from benchmarks.record import print_record, skip
from benchmarks.test_one import resized, train_model
from tests.support.server import Server, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

COUNT = """() => {
    window.frames_ = [];
    window.counting = true;
    const count = (now) => {
        window.frames_.push(now);
        if (window.counting) requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
    window.script = [];
    const real = window.requestAnimationFrame;
    if (!window.timed) window.requestAnimationFrame = (draw) => real((now) => {
        const began = performance.now();
        draw(now);
        window.script.push(performance.now() - began);
    });
    window.timed = true;
}"""
MOVE_INTERVAL_MS = 4
"""Milliseconds between two moves of the mouse, less than a frame takes."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--window", default="1440x900")
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    size, window = ([int(side) for side in text.split("x")] for text in (args.size, args.window))
    if (missing := missing_browser()) is not None:
        skip(missing)
    work = Path(tempfile.mkdtemp())
    try:
        with Server(work / "home", [work], free_port()) as server:
            url = tested(server, work, (size[0], size[1]))
            result = measured(url, (window[0], window[1]), args.seconds)
            print_record(size=args.size, window=args.window, **result)
    finally:
        shutil.rmtree(work)


def tested(server: Server, work: Path, size: tuple[int, int]) -> str:
    """The URL of a test with three pictures of that size."""
    model = train_model(server, work, "srcnn-9-1-5")
    original = next((work / "clip").rglob("*.bmp.gz"))
    image, target = (
        resized(original, work / "input.png", size, quality=20),
        resized(original, work / "target.png", size),
    )
    test = server.create(
        f"/models/{model}/tests", {"image": str(image), "target": str(target), "layers": False}
    )
    server.wait(test, "done")
    return f"{server.url}/tests/{test}"


def measured(url: str, window: tuple[int, int], seconds: float) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser_path(), args=QUIET) as chromium,
    ):
        page = chromium.new_context(viewport={"width": window[0], "height": window[1]}).new_page()
        page.goto(url)
        page.locator(".tags span").first.wait_for()
        return {
            "browser": chromium.version,
            "idle": counted(page, lambda _: None, seconds),
            "slider": counted(page, drag_divider, seconds),
            "slider_400": {**zoomed(page), **counted(page, drag_picture, seconds)},
            **{name: of_mode(page, label, seconds) for name, label in MODES.items()},
        }


MODES = {"side": "Side by side", "difference": "Difference", "error": "Error map"}


def zoomed(page: "Page") -> dict[str, Any]:
    page.keyboard.press("0")
    while "400" not in page.locator(".zoom output").inner_text():
        page.keyboard.press("+")
    return {}


def of_mode(page: "Page", label: str, seconds: float) -> dict[str, Any]:
    page.keyboard.press("0")
    began = time.perf_counter()
    page.get_by_role("button", name=label).click()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    first = round(1000 * (time.perf_counter() - began), 1)
    zoomed(page)
    moved = counted(page, drag_picture, seconds)
    wheel = counted(page, turn_wheel, seconds)
    return {"first_ms": first, "moved": moved, "zoomed": wheel}


def drag_divider(page: "Page") -> None:
    box = page.locator(".divider").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    swing(page, x, y)
    page.mouse.up()


def drag_picture(page: "Page") -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.down()
    swing(page, x, y)
    page.mouse.up()


def swing(page: "Page", x: float, y: float) -> None:
    """Move the mouse to the right and back, in small steps."""
    for step in [*range(0, 200, 4), *range(200, 0, -4)]:
        page.mouse.move(x + step, y + step / 4)
        time.sleep(MOVE_INTERVAL_MS / 1000)


def turn_wheel(page: "Page") -> None:
    page.locator(".stage").first.click()  # Before a click, the wheel scrolls the page.
    for delta in [-30] * 20 + [30] * 20:
        page.mouse.wheel(0, delta)
        time.sleep(MOVE_INTERVAL_MS / 1000)


def counted(page: "Page", move: Any, seconds: float) -> dict[str, float]:
    """Frame statistics while `move` runs repeatedly."""
    page.evaluate(COUNT)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        move(page)
        if move.__name__ == "<lambda>":
            page.wait_for_timeout(1000 * seconds)
    page.evaluate("window.counting = false")
    frames = page.evaluate("window.frames_")
    script = page.evaluate("window.script")
    intervals = sorted(later - earlier for earlier, later in itertools.pairwise(frames))
    return {
        "frames_per_second": round(1000 * len(intervals) / (frames[-1] - frames[0]), 1),
        "slowest_ms": round(intervals[int(0.99 * len(intervals))], 1),
        "script_ms": round(statistics.median(script), 2) if script else 0.0,
    }


if __name__ == "__main__":
    main()
