"""Tests of the gallery of pairs and the viewer, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.datasets.store import PairReader
from jobs.media.sample_clip import make_clip
from tests.browser.conftest import keep_picture
from tests.browser.looks import layout_shift, until
from tests.support.server import Server
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]


@pytest.fixture
def dataset(server: Server, clip: Clip) -> str:
    id = server.dataset(clip)
    server.wait(id, "done")
    return id


@pytest.fixture
def viewer(page: Page, server: Server, dataset: str) -> Locator:
    """The loaded viewer of the first training pair."""
    page.goto(f"{server.url}/datasets/{dataset}/pairs/train/0")
    wait_loaded(page)
    return page.locator(".viewer")


def wait_loaded(page: Page) -> None:
    """Wait until the page's scripts have run and handle keys."""
    until(page, "document.querySelector('.tags span') !== null")


def values(viewer: Locator) -> tuple[list[int], list[list[int]]]:
    """The pixel [x, y] under the pointer, and its values in all pictures."""
    position = [
        int(number) for number in re.findall(r"\d+", viewer.locator(".pixels .where").inner_text())
    ]
    return position, [
        [int(number) for number in text.split()]
        for text in viewer.locator(".pixels b").all_inner_texts()
    ]


def painted(page: Page, x: int, y: int) -> list[int]:
    """The colour of the canvas at a point of the stage."""
    return list(
        page.evaluate(
            "[...document.querySelector('.stage canvas').getContext('2d')"
            f".getImageData({x}, {y}, 1, 1).data]"
        )
    )[:3]


def test_the_gallery_is_sorted_and_paged_by_keys(page: Page, server: Server, clip: Clip) -> None:
    id = server.dataset(clip, validation={"percent": 1})
    server.wait(id, "done")
    page.goto(f"{server.url}/datasets/{id}/pairs")
    expect(page.locator(".gallery li")).to_have_count(23)
    page.get_by_role("link", name="PSNR").click()
    page.get_by_role("link", name="PSNR").click()
    expect(page).to_have_url(re.compile("sort=psnr&order=desc"))
    expect(page.locator(".gallery li")).to_have_count(23)
    texts = page.locator(".measured span:first-child").all_inner_texts()
    psnrs = [float(text.removesuffix(" dB")) for text in texts]
    assert psnrs == sorted(psnrs, reverse=True)
    page.locator(".gallery .both").first.click()
    expect(page.locator(".pager")).to_contain_text("1 of 23 by PSNR")
    wait_loaded(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pager")).to_contain_text("2 of 23 by PSNR")
    wait_loaded(page)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".pager")).to_contain_text("1 of 23 by PSNR")
    page.get_by_role("link", name="Pairs", exact=True).click()
    expect(page).to_have_url(re.compile("sort=psnr&order=desc"))
    page.get_by_role("link", name="Validation").click()
    expect(page.locator(".gallery li")).to_have_count(1)


def test_the_viewer_shows_the_pixel_values_of_the_pair(
    page: Page, server: Server, dataset: str, viewer: Locator
) -> None:
    stage = viewer.locator(".stage").bounding_box()
    assert stage is not None
    reader = PairReader(server.home / "jobs" / dataset / "train.lmdb")
    input, target = reader[0]
    reader.close()
    for x, y in ((0.4, 0.3), (0.5, 0.5), (0.7, 0.8)):
        page.mouse.move(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"])
        at, (left, right) = values(viewer)
        assert (left, right) == (input[at[1], at[0]].tolist(), target[at[1], at[0]].tolist())
    page.mouse.move(stage["x"] + 2, stage["y"] + 2)
    expect(viewer.locator(".pixels")).to_contain_text("Point at the picture")


def test_the_divider_is_dragged_and_moved_by_keys(page: Page, viewer: Locator) -> None:
    divider = page.get_by_role("slider")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    box = divider.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y)
    page.mouse.up()
    assert int(divider.get_attribute("aria-valuenow") or 0) > 60
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    divider.press("ArrowRight")
    divider.press("PageUp")
    expect(divider).to_have_attribute("aria-valuenow", "11")
    expect(page).to_have_url(re.compile(r"train/0\?mode=slider$"))  # No key turned to another pair.


def test_the_wheel_zooms_at_the_cursor_and_dragging_pans(page: Page, viewer: Locator) -> None:
    zoom, stage = viewer.get_by_label("Zoom", exact=True), viewer.locator(".stage").bounding_box()
    assert stage is not None
    before = zoom.inner_text()
    x, y = stage["x"] + 0.4 * stage["width"], stage["y"] + 0.61 * stage["height"]
    page.mouse.move(x, y)
    at = values(viewer)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -480)
    page.keyboard.up("Control")
    until(page, f"document.querySelector('.zoom output').textContent !== '{before}'")
    assert values(viewer) == at
    page.mouse.down()
    page.mouse.move(x + 60, y + 30)
    page.mouse.up()
    assert values(viewer) == at
    page.keyboard.press("Shift+ArrowLeft")
    assert values(viewer)[0][0] < at[0][0]
    page.keyboard.press("0")
    expect(zoom).to_have_text(before)
    page.keyboard.press("+")
    expect(zoom).to_have_text("1600 %")
    page.keyboard.press("-")
    expect(zoom).to_have_text("800 %")


def test_the_difference_is_that_of_the_pixel_values(page: Page, viewer: Locator) -> None:
    viewer.get_by_role("button", name="Difference").click()
    stage = viewer.locator(".stage").bounding_box()
    assert stage is not None
    x, y = int(0.45 * stage["width"]), int(0.4 * stage["height"])
    page.mouse.move(stage["x"] + x, stage["y"] + y)
    _, (left, right) = values(viewer)
    for gain in (1, 4, 8, 16):
        viewer.get_by_role("button", name=f"×{gain}", exact=True).click()
        expect(viewer.locator(".tags")).to_have_text(f"|Input − Target| ×{gain}")
        expected = np.minimum(np.abs(np.subtract(left, right)) * gain, 255).tolist()
        assert painted(page, x, y) == expected


def test_the_qp_map_lies_over_the_input(page: Page, server: Server, clip: Clip) -> None:
    source = {"kind": "compress", "originals": str(clip[1]), "crf": [30]}
    _, created = server.call("/datasets", {"name": "crf", "source": source})
    dataset, viewer = created["id"], page.locator(".viewer")
    server.wait(dataset, "done")
    page.goto(f"{server.url}/datasets/{dataset}/pairs/train/0")
    wait_loaded(page)
    viewer.get_by_role("button", name="QP map").click()
    expect(viewer.locator(".tags")).to_have_text("QP of input")
    expect(viewer.locator(".scale")).to_contain_text("QP of each macroblock of the input")
    reader = PairReader(server.home / "jobs" / dataset / "train.lmdb")
    plane = reader.qp_plane(0)[:, :, 0] // 5
    reader.close()
    low, high = int(plane.min()), int(plane.max())
    assert high > low
    wider = max(0, -(-(8 - (high - low)) // 2))
    expect(viewer.locator(".scale .colour-scale-labels")).to_have_text(
        f"{low - wider}{high + wider}"
    )
    stage = viewer.locator(".stage").bounding_box()
    assert stage is not None
    for x, y in ((0.3, 0.3), (0.5, 0.5), (0.8, 0.7)):
        page.mouse.move(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"])
        at, _ = values(viewer)
        expect(viewer.locator(".pixels .qp")).to_have_text(f"QP {plane[at[1], at[0]]}")


def test_the_qp_map_is_offered_only_where_it_is_known(
    page: Page, server: Server, clip: Clip, viewer: Locator
) -> None:
    """The mode is stored: the next pair may have no map."""
    viewer.get_by_role("button", name="QP map").click()
    source = {"kind": "folders", "input": str(clip[1]), "target": str(clip[1])}
    _, created = server.call("/datasets", {"name": "images", "source": source})
    server.wait(created["id"], "done")
    page.goto(f"{server.url}/datasets/{created['id']}/pairs/train/0")
    wait_loaded(page)
    expect(viewer.get_by_role("button", name="QP map")).to_have_count(0)
    expect(viewer.get_by_role("button", name="Slider")).to_have_attribute("aria-pressed", "true")


def test_blink_alternates_the_pictures(page: Page, viewer: Locator) -> None:
    page.keyboard.press("b")
    expect(viewer.get_by_role("button", name="Blink")).to_have_attribute("aria-pressed", "true")
    for label in ("Input", "Target", "Input"):
        expect(viewer.locator(".tags")).to_have_text(label)
    page.keyboard.press("b")
    first = viewer.locator(".tags").inner_text()
    page.keyboard.press("b")
    assert {first, viewer.locator(".tags").inner_text()} == {"Input", "Target"}


def test_the_comparison_mode_is_kept_for_the_next_pair(page: Page, viewer: Locator) -> None:
    viewer.get_by_role("button", name="Side by side").click()
    expect(viewer.locator(".tags span")).to_have_text(["Input", "Target"])
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("train/1"))
    expect(viewer.locator(".tags span")).to_have_text(["Input", "Target"])
    expect(page.get_by_role("slider")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_pages_of_pairs_fit_their_window(
    page: Page, server: Server, dataset: str, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name, path in (("pairs", "pairs?sort=psnr"), ("pair", "pairs/train/3?sort=psnr")):
        page.goto(f"{server.url}/datasets/{dataset}/{path}")
        page.wait_for_load_state("networkidle")
        if name == "pair":
            wait_loaded(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep_picture(page, f"{name}-{width}-{scheme}", full_page=True)
    for mode in ("Side by side", "Difference", "QP map"):
        page.get_by_role("button", name=mode).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep_picture(page, f"pair-{mode}-{width}-{scheme}")


@pytest.mark.parametrize("width", [1440, 390])
def test_pairs_and_histogram_of_a_dataset_appear_while_it_is_made(
    page: Page, server: Server, tmp_path: Path, width: int
) -> None:
    clip = make_clip(tmp_path / "many")
    page.set_viewport_size({"width": width, "height": 844})
    id = server.dataset(clip)
    events = JobFolder(server.home / "jobs" / id).events

    def suspend_after(what: str, is_it: Callable[[JobEvent], bool]) -> None:
        """Suspend the worker when it has logged such an event; the server learns of it later."""
        wait_until(lambda: any(is_it(event) for event in read(events)), f"no event: {what}")
        server.suspend(id)

    suspend_after("running", lambda event: event.get("state") == "running")
    server.wait(id, "running")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{server.url}/datasets/{id}")
    expect(page.locator(".growing")).to_contain_text("Appears with the first pairs.")
    server.resume(id)
    suspend_after("the histogram, after the first pair", lambda event: "psnr_histogram" in event)
    expect(page.locator(".growing .bars")).to_be_visible()
    picture = page.locator(".growing .thumbs img").first
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 320
    assert layout_shift(page) < 0.02
    server.resume(id)
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".facts")).to_contain_text("to train")
    if width == 1440:  # On a phone, the new buttons take a row of their own.
        assert layout_shift(page) < 0.02
    # The page itself, and its parts again at most every 1.5 s.
    assert len([url for url in requests if url.endswith(f"/datasets/{id}")]) <= 10
