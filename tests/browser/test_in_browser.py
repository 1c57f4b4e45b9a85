"""Tests of the page that runs a network in the browser, on a file that it does not upload."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from jobs.core.launcher import USER_CODE
from jobs.core.paths import STATIC
from tests.browser.conftest import watched
from tests.browser.looks import check_looks
from tests.support.exported import make_model
from tests.support.qp_network import python_file
from tests.support.server import Server, free_port

SIZE = (300, 280)
"""More than one tile in both directions."""
QP = 30


@dataclass
class Prepared:
    server: Server
    model: str
    refused: str
    picture: Path


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
        yield Prepared(server, model, refused, picture)


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
    assert np.abs(input - expected).max() > 8
    check_looks(page, "in-browser")
    sent = [request for request in requests if request.method != "GET"]
    assert [(request.url.rpartition("/")[2], request.post_data_json) for request in sent] == [
        ("exports", {"snapshot": "epoch-0001", "format": "onnx"})
    ]


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
        ("raw.h264", b"\0\0\0\1", "This browser cannot read raw.h264"),
    ):
        field.set_input_files({"name": name, "mimeType": "", "buffer": content})
        expect(problem).to_contain_text(sentence)
    expect(page.get_by_role("link", name="Download PNG")).to_be_hidden()
