"""Tests of the page of a video test: comparison player, frame steps, and quality curves."""

import json
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.media.images import list_images, read_image
from jobs.media.video import decode
from tests.browser.conftest import keep_picture, watched
from tests.browser.looks import check_looks, serious_findings, until
from tests.browser.test_one_page import Prepared, prepared

__all__ = ["prepared"]

PAUSE_IN_THE_MIDDLE = """() => new Promise((done) => {
  const look = () => {
    if (document.querySelector("#player video").currentTime <= 0.5) requestAnimationFrame(look);
    else done(document.querySelector("#player .play").click());
  };
  look();
})"""
"""In the page: the clip, a second long, could end before a click from here arrives."""
READY = """[...document.querySelectorAll('#player video')]
    .every(video => video.readyState >= 2 && !video.seeking)"""
PIXELS = """role => {
    const video = document.querySelector(`#player video[data-role=${role}]`);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        yield page


def picture(page: Page, role: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The displayed frame of a video, input or output, of shape (H, W, 3)."""
    return np.array(page.evaluate(PIXELS, role), float).reshape(64, 96, 4)[:, :, :3]


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
    seen = picture(page, "input")
    # The browser's copy is lossy: the displayed frame must be nearest to frame 17 of the input.
    assert int(np.argmin([np.abs(seen - frame).mean() for frame in decoded])) == 17
    restored = [
        frame.astype(float)
        for frame in decode(next((prepared.server.home / "jobs").glob("*/results/restored.mp4")))
    ]
    assert (
        int(np.argmin([np.abs(picture(page, "output") - frame).mean() for frame in restored])) == 17
    )

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
    page.evaluate(PAUSE_IN_THE_MIDDLE)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    until(page, READY)
    times = page.evaluate(
        "[...document.querySelectorAll('#player video')].map(video => video.currentTime)"
    )
    assert len(times) == 3
    assert max(times) - min(times) < 0.02


def test_a_video_has_all_modes_of_the_viewer_and_the_numbers_of_its_frame(
    page: Page, prepared: Prepared
) -> None:
    body = {"video": str(prepared.clip[0]), "originals": str(prepared.clip[1]), "kind": "video"}
    id = prepared.server.create(f"/models/{prepared.model}/tests", body)
    prepared.server.wait(id, "done")
    page.goto(f"{prepared.server.url}/tests/{id}")
    until(page, READY)
    tags = page.locator("#player .tags span")
    expect(tags).to_have_text(["Input", "Output"])
    canvas = "document.querySelector('#player .stage canvas').toDataURL()"
    pictures = set()
    for mode, labels in (
        ("Side by side", ["Input", "Output", "Ground truth"]),
        ("Difference", ["|Input − Output| ×8"]),
        ("Error map", ["Error of input", "Error of output"]),
        ("Slider", ["Input", "Output"]),
    ):
        page.get_by_role("button", name=mode).click()
        expect(tags).to_have_text(labels)
        pictures.add(page.evaluate(canvas))
        assert serious_findings(page) == []
        keep_picture(page.locator("#player"), f"video-{mode}")
    assert len(pictures) == 4
    page.get_by_role("button", name="Error map").click()
    before = page.evaluate(canvas)
    chart = page.locator("#curves .chart").first
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 0.9 * page.evaluate("document.querySelector('main').clientWidth - 64")
    chart.click(position={"x": 0.75 * box["width"], "y": 0.5 * box["height"]})
    until(page, f"{READY} && {canvas} !== {json.dumps(before)}")
    frame = page.get_by_role("slider", name="Frame").input_value()
    assert 12 < int(frame) < 23
    numbers = page.locator("#numbers")
    expect(numbers.locator("caption")).to_have_text(f"Frame {frame}")
    scores = next(
        event["scalars"]
        for event in prepared.server.wait_for_events(id, "scalars")
        if event["step"] == int(frame)
    )
    cells = numbers.locator("tbody td").all_inner_texts()
    assert cells[:2] == [f"{scores[f'{side}/psnr']:.2f}" for side in ("input", "output")]
    decoded = [read_image(path).astype(float) for path in list_images(prepared.clip[1])]
    seen = picture(page, "target")
    assert int(np.argmin([np.abs(seen - each).mean() for each in decoded])) == int(frame)
    until(page, f"location.search.includes('frame={frame}')")
    page.reload()  # As a colleague opens the address.
    expect(tags).to_have_text(["Error of input", "Error of output"])
    expect(page.get_by_role("slider", name="Frame")).to_have_value(frame)
    expect(numbers.locator("caption")).to_have_text(f"Frame {frame}")


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
    with urllib.request.urlopen(request, timeout=120) as response:
        assert (response.status, response.headers["Content-Range"]) == (
            206,
            f"bytes 10-19/{summary['bytes']}",
        )
        assert len(response.read()) == 10
