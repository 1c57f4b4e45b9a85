"""Make the pictures of the documents from real pages: `make screenshots`.

Does what the tutorial says, in a browser, on a server with a new home, and writes
docs/screens/*.webp. Takes a few minutes, most of them for the training.
"""

import sys
import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.browser import QUIET, browser_path, missing_browser  # noqa: E402
from jobs.media.sample_clip import make_clip  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402

SCREENS = ROOT / "docs" / "screens"
WIDE, NARROW = (1280, 800), (390, 844)
MINUTES = 2
QUALITY = 90
"""Of WebP: small enough for the repository, with true colours."""
SHOWN = """Promise.all([...document.images].filter((image) => {
  const { top, bottom } = image.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}).map((image) => image.decode().catch(() => null)))"""
"""Loads the pictures in the window."""


def main() -> int:
    if missing := missing_browser():
        print(missing, file=sys.stderr)
        return 1
    SCREENS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="clearframe-") as folder:
        place = Path(folder)
        make_clip(place / "sample")
        server = Server(place / "data", [place], free_port())
        with server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
            page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
            page.set_default_timeout(200_000)
            follow_tutorial(page, server)
            browser.close()
    print(f"{sum(path.stat().st_size for path in SCREENS.iterdir()) / 2**20:.2f} MiB of pictures")
    return 0


def follow_tutorial(page: Page, server: Server) -> None:
    page.goto(server.url)
    shoot(page, "home")

    page.goto(f"{server.url}/datasets/new")
    page.locator("#f-stream-source-stream").fill("sample/clip.h264")
    page.locator("#f-stream-source-originals").fill("sample/originals")
    page.get_by_label("Name", exact=True).fill("sample")
    page.locator("#probe .first-pair canvas").first.wait_for()
    page.locator(".probe[aria-busy=false]").wait_for()
    shoot(page, "new-dataset")
    page.get_by_role("button", name="Create dataset").click()
    page.locator("#state.done").wait_for()
    page.locator(".thumbs img").first.wait_for()
    shoot_all(page, "dataset")

    page.get_by_role("link", name="New model").click()
    page.get_by_label("Name", exact=True).fill("first")
    page.get_by_label("Unit of the length").select_option("minutes")
    page.get_by_label("Length", exact=True).fill(str(MINUTES))
    page.locator("#preview svg").first.wait_for()
    page.set_viewport_size({"width": WIDE[0], "height": 1200})  # With *Length*, which is set.
    shoot(page, "new-model")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    page.get_by_role("button", name="Start training").click()
    page.locator("#state.done").wait_for()
    page.reload()
    page.locator("#samples img").first.wait_for()
    shoot_all(page, "model")

    page.goto(f"{server.url}{urlsplit(page.url).path}/test")
    page.get_by_role("radio", name="A validation pair").check()
    page.locator(".pair-list input:checked").wait_for()
    page.get_by_role("button", name="Run test").click()
    page.locator("#state.done").wait_for()
    page.locator("#viewer canvas").first.wait_for()
    shoot_all(page, "test")
    page.locator("#layers").evaluate("element => element.scrollIntoView()")
    page.locator("#layers canvas[data-drawn]").first.wait_for()
    shoot(page, "layers", top="#layers")


def shoot_all(page: Page, name: str) -> None:
    """The page wide and narrow, light and dark."""
    for width, size in (("wide", WIDE), ("narrow", NARROW)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            shoot(page, f"{name}-{width}-{scheme}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def shoot(page: Page, name: str, top: str = "body") -> None:
    """Write what the window shows, from the element `top` on, when all of it is drawn."""
    page.locator(top).evaluate("element => element.scrollIntoView()")
    page.wait_for_load_state("networkidle")
    page.evaluate(SHOWN)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    path = SCREENS / f"{name}.webp"
    with Image.open(BytesIO(page.screenshot(animations="disabled", caret="hide"))) as image:
        image.convert("RGB").save(path, quality=QUALITY, method=6)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
