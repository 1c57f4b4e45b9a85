"""How smooth the viewer of *Test one* is with three pictures: a real Chromium is moved about in, its frames are counted.

python benchmarks/viewer.py [--size 1920x1080] [--seconds 3] [--window 1440x900]

Prints one JSON object; for each way of comparing, with the divider dragged, the picture moved at 400 %, or zoomed by the wheel:

frames_per_second    that the page could draw in while something changed each frame
slowest_ms           between two frames, of all but the slowest 1 %
script_ms            that the page's own code took for a frame, median
first_ms             until the first picture of that way is there: errors and differences are computed then

Without a graphics card Chromium also paints on the processor.
"""

import argparse
import itertools
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from benchmarks.test_one import enlarged, told, trained  # noqa: E402
from tests.browser.conftest import QUIET  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402

COUNT = """() => {
    window.frames_ = [];
    window.counting = true;
    const see = (now) => { window.frames_.push(now); if (window.counting) requestAnimationFrame(see); };
    requestAnimationFrame(see);
    window.script = [];
    const real = window.requestAnimationFrame;
    if (!window.timed) window.requestAnimationFrame = (draw) => real((now) => {
        const began = performance.now();
        draw(now);
        window.script.push(performance.now() - began);
    });
    window.timed = true;
}"""
MOVED_MS = 4
"""Milliseconds between two moves of the mouse: more of them than there are frames."""


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--size", default="1920x1080")
    options.add_argument("--window", default="1440x900")
    options.add_argument("--seconds", type=float, default=3.0)
    asked = options.parse_args()
    size, window = ([int(side) for side in text.split("x")] for text in (asked.size, asked.window))
    place = Path(tempfile.mkdtemp())
    try:
        with Server(place / "home", [place], free_port()) as server:
            url = tested(server, place, (size[0], size[1]))
            result = measured(url, (window[0], window[1]), asked.seconds)
            print(json.dumps({**told(), "size": asked.size, "window": asked.window, **result}))
    finally:
        shutil.rmtree(place)


def tested(server: Server, place: Path, size: tuple[int, int]) -> str:
    """The address of a test with three pictures of that size."""
    model = trained(server, place, "srcnn-9-1-5")
    original = next((place / "clip").rglob("*.bmp.gz"))
    image, target = (
        enlarged(original, place / "input.png", size, quality=20),
        enlarged(original, place / "target.png", size),
    )
    test = server.create(
        f"/models/{model}/tests", {"image": str(image), "target": str(target), "layers": False}
    )
    server.wait(test, "done")
    return f"{server.url}/tests/{test}"


def measured(url: str, window: tuple[int, int], seconds: float) -> dict[str, Any]:
    with sync_playwright() as playwright:
        path = (
            shutil.which("chromium")
            or shutil.which("chromium-browser")
            or shutil.which("google-chrome")
        )
        with playwright.chromium.launch(executable_path=path, args=QUIET) as chromium:
            page = chromium.new_context(
                viewport={"width": window[0], "height": window[1]}
            ).new_page()
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


def zoomed(page: Page) -> dict[str, Any]:
    page.keyboard.press("0")
    while "400" not in page.locator(".zoom output").inner_text():
        page.keyboard.press("+")
    return {}


def of_mode(page: Page, label: str, seconds: float) -> dict[str, Any]:
    page.keyboard.press("0")
    began = time.perf_counter()
    page.get_by_role("button", name=label).click()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    first = round(1000 * (time.perf_counter() - began), 1)
    zoomed(page)
    moved = counted(page, drag_picture, seconds)
    wheel = counted(page, turn_wheel, seconds)
    return {"first_ms": first, "moved": moved, "zoomed": wheel}


def drag_divider(page: Page) -> None:
    box = page.locator(".divider").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    swing(page, x, y)
    page.mouse.up()


def drag_picture(page: Page) -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.down()
    swing(page, x, y)
    page.mouse.up()


def swing(page: Page, x: float, y: float) -> None:
    """To the right and back, in small steps."""
    for step in [*range(0, 200, 4), *range(200, 0, -4)]:
        page.mouse.move(x + step, y + step / 4)
        time.sleep(MOVED_MS / 1000)


def turn_wheel(page: Page) -> None:
    for delta in [-30] * 20 + [30] * 20:
        page.mouse.wheel(0, delta)
        time.sleep(MOVED_MS / 1000)


def counted(page: Page, move: Any, seconds: float) -> dict[str, float]:
    """The frames while something is moved again and again."""
    page.evaluate(COUNT)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        move(page)
        if move.__name__ == "<lambda>":
            page.wait_for_timeout(1000 * seconds)
    page.evaluate("window.counting = false")
    frames = page.evaluate("window.frames_")
    script = page.evaluate("window.script")
    between = sorted(later - earlier for earlier, later in itertools.pairwise(frames))
    return {
        "frames_per_second": round(1000 * len(between) / (frames[-1] - frames[0]), 1),
        "slowest_ms": round(between[int(0.99 * len(between))], 1),
        "script_ms": round(statistics.median(script), 2) if script else 0.0,
    }


if __name__ == "__main__":
    main()
