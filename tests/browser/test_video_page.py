"""Tests of the page of a video test: comparison player, frame steps, and quality curves."""

import re
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.media.video import decode
from tests.browser.conftest import watched
from tests.browser.looks import check_looks, until
from tests.browser.test_one_page import Prepared, prepared

__all__ = ["prepared"]

READY = """[...document.querySelectorAll('#player video')]
    .every(video => video.readyState >= 2 && !video.seeking)"""
PIXELS = """index => {
    const video = document.querySelectorAll('#player video')[index];
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        yield page


def picture(page: Page, index: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The displayed frame of a video (0: output, 1: input), of shape (H, W, 3)."""
    return np.array(page.evaluate(PIXELS, index), float).reshape(64, 96, 4)[:, :, :3]


def test_a_video_is_restored_played_over_its_input_and_measured(
    page: Page, prepared: Prepared
) -> None:
    page.goto(f"{prepared.server.url}/models/{prepared.model}/test?kind=video")
    page.get_by_label("Video", exact=True).fill(str(prepared.clip[0]))
    page.get_by_label("Ground truth", exact=True).fill(str(prepared.clip[1]))
    page.get_by_role("button", name="Restore the video").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".verdict")).to_contain_text("mean of 24 frames")
    until(page, READY)
    until(page, "Number(document.querySelector('#curves .chart').dataset.points) === 24")
    check_looks(page, "test-video")

    place = page.get_by_role("slider", name="Frame")
    page.get_by_role("button", name="Next frame").click()
    expect(place).to_have_value("1")
    place.fill("17")
    until(page, READY)
    expect(page.locator(".video-tools output")).to_contain_text("frame 17 of 24")
    decoded = [frame.astype(float) for frame in decode(prepared.clip[0])]
    seen = picture(page, 1)
    # The browser's copy is lossy: the displayed frame must be nearest to frame 17 of the input.
    assert int(np.argmin([np.abs(seen - frame).mean() for frame in decoded])) == 17
    restored = [
        frame.astype(float)
        for frame in decode(next((prepared.server.home / "jobs").glob("*/results/restored.mp4")))
    ]
    assert int(np.argmin([np.abs(picture(page, 0) - frame).mean() for frame in restored])) == 17

    page.locator("#worst").click()
    expect(place).to_have_value(page.locator("#worst").get_attribute("data-frame") or "")
    page.locator(".divider").focus()
    page.keyboard.press("Home")
    expect(page.locator(".divider")).to_have_attribute("aria-valuenow", "0")
    page.locator(".video-stage").focus()
    place.fill("0")
    page.locator(".video-stage").focus()
    page.keyboard.press("ArrowRight")
    expect(place).to_have_value("1")
    page.get_by_label("Speed").select_option("0.5")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "document.querySelector('#player video').currentTime > 0.5")
    page.get_by_role("button", name=re.compile("Play|Pause")).click()
    until(page, READY)
    output_time, input_time = page.evaluate(
        "[...document.querySelectorAll('#player video')].map(video => video.currentTime)"
    )
    assert abs(output_time - input_time) < 0.02


def test_a_broken_video_is_reported_in_place_of_the_player(page: Page, prepared: Prepared) -> None:
    (prepared.place / "words.mp4").write_text("no video")
    body = {"kind": "video", "video": str(prepared.place / "words.mp4")}
    id = prepared.server.create(f"/models/{prepared.model}/tests", body)
    page.goto(f"{prepared.server.url}/tests/{id}")
    expect(page.locator("#reason")).to_contain_text("words.mp4 cannot be read as a video")
    expect(page.locator("#player")).to_contain_text("No video: the test stopped too early.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    check_looks(page, "test-video-failed")


def test_a_video_is_served_by_byte_ranges(prepared: Prepared) -> None:
    id = prepared.server.create(
        f"/models/{prepared.model}/tests", {"kind": "video", "video": str(prepared.clip[0])}
    )
    summary = prepared.server.wait(id, "done")["summary"]
    request = urllib.request.Request(
        prepared.server.url + summary["file"], headers={"Range": "bytes=10-19"}
    )
    with urllib.request.urlopen(request) as response:
        assert (response.status, response.headers["Content-Range"]) == (
            206,
            f"bytes 10-19/{summary['bytes']}",
        )
        assert len(response.read()) == 10
