"""Tests of the page that runs a network in the browser, on a file that it does not upload."""

import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from jobs.core.launcher import USER_CODE
from jobs.core.paths import STATIC
from tests.browser.conftest import watched
from tests.browser.looks import check_looks
from tests.browser.test_pairs_page import values
from tests.support.exported import make_model
from tests.support.qp_network import python_file
from tests.support.server import Server, free_port

SIZE = (300, 280)
"""More than one tile in both directions."""
QP, NOISE = 30, 8
KINDS = {"clear.png": "image/png", "raw.bin": "application/octet-stream", "broken.mp4": "video/mp4"}


@dataclass
class Prepared:
    server: Server
    model: str
    refused: str
    picture: Path
    video: Path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A server with a network that takes the QP, and one whose export it refuses."""
    if not (STATIC / "vendor/ort.wasm.bundle.min.mjs").exists():
        assert not os.environ.get("CI"), "CI builds static/vendor"
        pytest.skip("`npm run build` has not made static/vendor with ONNX Runtime")
    place = tmp_path_factory.mktemp("in-browser")
    model = make_model(place / "home", {"name": "ecbnet", "start": "starter"}).id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(USER_CODE, "1")
        refused = make_model(place / "home", python_file(place), "rgb").id
    picture = place / "noise.png"
    slope = np.linspace(0, 200, SIZE[0])[None, :, None]
    noise = np.random.default_rng(0).integers(0, 56, (SIZE[1], SIZE[0], 3))
    Image.fromarray((slope + noise).astype(np.uint8)).save(picture)
    with Server(place / "home", [place], free_port()) as server:
        yield Prepared(server, model, refused, picture, write_video(place / "grays.mp4"))


def write_video(path: Path) -> Path:
    """Two seconds of frames with noise that become lighter, by 4 levels each."""
    noise = np.random.default_rng(0).integers(-NOISE, NOISE + 1, (64, 96, 1))
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for level in range(16, 216, 4):
            gray = np.repeat(noise + level, 3, axis=2).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(gray)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose console stays empty."""
    with watched(browser, request.node.name) as page:
        messages = list[str]()
        page.on("console", lambda message: messages.append(message.text))
        yield page
        assert [text for text in messages if "status of 409" not in text] == []


def restored_by_server(prepared: Prepared) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    test = {"image": str(prepared.picture), "qp": QP, "layers": False}
    id = prepared.server.create(f"/models/{prepared.model}/tests", test)
    prepared.server.wait(id, "done")
    return np.asarray(
        Image.open(prepared.server.home / "jobs" / id / "results/output.png").convert("RGB"), int
    )


def test_a_picture_is_restored_as_by_the_server_and_is_not_uploaded(
    page: Page, prepared: Prepared
) -> None:
    requests = list[Request]()
    page.on("request", lambda request: requests.append(request))
    page.goto(f"{prepared.server.url}/models/{prepared.model}")
    page.get_by_role("link", name="Try in the browser").click()
    page.wait_for_load_state("networkidle")
    assert not any("/vendor/ort" in request.url for request in requests)
    page.get_by_label("QP", exact=True).fill(str(QP))
    page.keyboard.press("Tab")  # A field that is left later restores the picture again.
    page.get_by_label("Picture or video").set_input_files(prepared.picture)
    expect(page.locator("#state")).to_contain_text("Restored 300×280")
    expect(page.locator("#state")).to_contain_text("on the CPU (WASM: ")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download PNG").click()
    assert download.value.suggested_filename == "noise-restored.png"
    restored = np.asarray(Image.open(download.value.path()), int)
    expected = restored_by_server(prepared)
    input = np.asarray(Image.open(prepared.picture), int)
    assert np.abs(restored[:, :, :3] - expected).max() <= 1
    assert np.abs(input - expected).max() > 4
    check_looks(page, "in-browser")
    sent = [request for request in requests if request.method != "GET"]
    assert [(request.url.rpartition("/")[2], request.post_data_json) for request in sent] == [
        ("exports", {"snapshot": "epoch-0001", "format": "onnx"})
    ]


def test_the_frames_of_a_video_are_restored_while_it_plays_and_at_rest(
    page: Page, prepared: Prepared
) -> None:
    page.goto(f"{prepared.server.url}/models/{prepared.model}/browser")
    page.get_by_label("Picture or video").set_input_files(prepared.video)
    expect(page.locator("#state")).to_contain_text("96×64, restored on the CPU")
    expect(page.locator("#state")).to_contain_text("The QP is 0, which is unknown")
    video = page.locator("#result video")
    video.evaluate("video => { video.currentTime = 1.02; }")  # Frame 25.
    page.get_by_label("QP", exact=True).fill(str(QP))  # Without, this network changes nothing.
    page.keyboard.press("Tab")
    expect_level(page, 16 + 4 * 25)
    expect(page.locator("#state")).not_to_contain_text("unknown")
    video.evaluate("video => { video.currentTime = 0; }")
    video.evaluate("video => { video.playbackRate = 0.25; return video.play(); }")
    expect(page.locator("#rates")).to_have_text(re.compile(r"^[\d.]+ of [\d.]+ frames/s"))
    video.evaluate("video => { video.playbackRate = 4; }")
    expect_level(page, 212)
    check_looks(page, "in-browser-video")
    page.get_by_label("Picture or video").set_input_files(prepared.picture)
    expect(page.locator("#state")).to_contain_text("Restored 300×280")
    expect(video).to_have_count(0)


def expect_level(page: Page, level: int) -> None:
    """Wait until the viewer shows an input of this level, and an output that differs from it."""
    deadline = time.monotonic() + 60
    input, output = [0], [0]
    while abs(input[0] - level) > 2 * NOISE or input == output:
        assert time.monotonic() < deadline, (input, output)
        x = 300 + 100 * time.monotonic() % 300  # Not every pixel differs.
        page.locator(".stage").hover(position={"x": x, "y": 100})
        _, (input, output) = values(page.locator(".viewer"))


def test_a_file_or_a_network_that_does_not_fit_gets_a_sentence(
    page: Page, prepared: Prepared
) -> None:
    page.goto(f"{prepared.server.url}/models/{prepared.refused}/browser")
    problem = page.get_by_role("alert")
    field = page.get_by_label("Picture or video")
    field.set_input_files(prepared.picture)
    expect(problem).to_contain_text("running user code is not allowed. Start the server")
    transparent = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 254)).save(transparent, "PNG")
    for name, content, sentence in (
        ("clear.png", transparent.getvalue(), "clear.png has transparent pixels. Flatten"),
        ("broken.mp4", b"\0\0\0\1", "This browser cannot play broken.mp4"),
        ("raw.bin", b"\0\0\0\1", "This browser cannot read raw.bin"),
    ):
        field.set_input_files({"name": name, "mimeType": KINDS[name], "buffer": content})
        expect(problem).to_contain_text(sentence)
    expect(page.get_by_role("link", name="Download PNG")).to_be_hidden()
