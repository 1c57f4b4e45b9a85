"""A test of a video: played over its input, frame by frame, with the curves of its quality."""

import re
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.media.video import decode
from tests.browser.conftest import watched
from tests.browser.test_five_steps import until
from tests.browser.test_one_page import Shown, looked_at, shown

__all__ = ["shown"]

PLAYING = "[...document.querySelectorAll('#player video')].every(video => video.readyState >= 2 && !video.seeking)"
PIXELS = """index => {
    const video = document.querySelectorAll('#player video')[index];
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.fixture
def page(browser: Browser, shown: Shown, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        yield page


def picture(page: Page, index: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """What a video shows (0: the output, 1: the input): (H, W, 3)."""
    return np.array(page.evaluate(PIXELS, index), float).reshape(64, 96, 4)[:, :, :3]


def test_a_video_is_restored_played_over_its_input_and_measured(page: Page, shown: Shown) -> None:
    page.goto(f"{shown.server.url}/models/{shown.model}/test?kind=video")
    page.get_by_label("Video", exact=True).fill(str(shown.clip[0]))
    page.get_by_label("Ground truth", exact=True).fill(str(shown.clip[1]))
    page.get_by_role("button", name="Restore the video").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".verdict")).to_contain_text("mean of 24 frames")
    until(page, PLAYING)
    until(page, "Number(document.querySelector('#curves .chart').dataset.points) === 24")
    looked_at(page, "test-video")

    place = page.get_by_role("slider", name="Frame")
    page.get_by_role("button", name="Next frame").click()
    expect(place).to_have_value("1")
    place.fill("17")
    until(page, PLAYING)
    expect(page.locator(".video-tools output")).to_contain_text("frame 17 of 24")
    decoded = [frame.astype(float) for frame in decode(shown.clip[0])]
    seen = picture(page, 1)
    # The copy for the browser is near the input, and of all frames nearest to the one that is meant.
    assert int(np.argmin([np.abs(seen - frame).mean() for frame in decoded])) == 17
    restored = [
        frame.astype(float)
        for frame in decode(next((shown.server.home / "jobs").glob("*/results/restored.mp4")))
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
    until(page, PLAYING)
    one, other = page.evaluate(
        "[...document.querySelectorAll('#player video')].map(video => video.currentTime)"
    )
    assert abs(one - other) < 0.02


def test_what_is_no_video_is_said_where_the_video_would_be(page: Page, shown: Shown) -> None:
    (shown.place / "words.mp4").write_text("no video")
    body = {"kind": "video", "video": str(shown.place / "words.mp4")}
    id = shown.server.create(f"/models/{shown.model}/tests", body)
    page.goto(f"{shown.server.url}/tests/{id}")
    expect(page.locator("#reason")).to_contain_text("words.mp4 is no video that can be read")
    expect(page.locator("#player")).to_contain_text("There is no video: it ended before.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    looked_at(page, "test-video-failed")


def test_parts_of_a_video_can_be_asked_for(shown: Shown) -> None:
    id = shown.server.create(
        f"/models/{shown.model}/tests", {"kind": "video", "video": str(shown.clip[0])}
    )
    summary = shown.server.wait(id, "done")["summary"]
    request = urllib.request.Request(
        shown.server.url + summary["file"], headers={"Range": "bytes=10-19"}
    )
    with urllib.request.urlopen(request) as answer:
        assert (answer.status, answer.headers["Content-Range"]) == (
            206,
            f"bytes 10-19/{summary['bytes']}",
        )
        assert len(answer.read()) == 10
