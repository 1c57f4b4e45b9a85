"""Every page: what people typed is text there, a name that is markup stays a name; and below a prefix it finds its way."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import watched
from tests.browser.test_uploads import STREAM, choose, value
from tests.conftest import Clip
from tests.support.server import Server, free_port

MARKUP = """"'><img src=x onerror=window.hurt=1>{{ 7*7 }}"""
TOKEN = "a-token-for-these-tests"  # noqa: S105
SMALL = {"batch_size": 4, "patch_size": 16, "patches_per_frame": 1, "steps": 4}


@pytest.fixture(scope="module")
def named(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Server, list[str]]]:
    """A server with jobs whose names, notes, groups, paths and reasons are markup; the addresses of all pages that show them."""
    clip: Clip = request.getfixturevalue("clip")
    place = tmp_path_factory.mktemp("named") / MARKUP
    shutil.copytree(clip[1], place / "originals")
    stream = Path(shutil.copy(clip[0], place / f"{MARKUP}.h264"))
    broken = place / f"{MARKUP}.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with Server(place.parent / "home", [place], free_port()) as server:
        words = {"name": MARKUP, "group": MARKUP, "notes": MARKUP}
        dataset = server.dataset((stream, place / "originals"), **words)
        server.wait(dataset, "done")
        model = server.create("/models", {**words, **SMALL, "dataset": dataset})
        other = server.create("/models", {**words, **SMALL, "dataset": dataset, "seed": 1})
        for id in (model, other):
            server.wait(id, "done")
        image = str(next((place / "originals").iterdir()))
        asked = [
            {"image": image, "target": image},
            {"image": str(broken)},
            {"kind": "images", "images": [str(place / "originals"), str(broken)]},
            {"kind": "split", "split": "val"},
            {"kind": "video", "video": str(stream)},
        ]
        tests = [server.create(f"/models/{model}/tests", of) for of in asked]
        for id in tests:
            server.wait_for_end(id)
        gone = server.dataset((stream, place / "originals"), **words)
        assert server.call(f"/jobs/{gone}/abort", {})[0] in (202, 409)
        server.wait_for_end(gone)
        yield (
            server,
            [
                "/",
                "/queue",
                f"/datasets/{dataset}",
                f"/datasets/{dataset}/pairs",
                f"/datasets/{dataset}/pairs/train/0",
                f"/datasets/new?clone={dataset}",
                f"/datasets/{gone}",
                f"/models/{model}",
                f"/models/new?clone={model}",
                *(
                    f"/models/{model}/test?kind={kind}&image={quote(image)}"
                    for kind in ("image", "images", "split", "video")
                ),
                f"/compare?ids={model},{other}",
                "/compare",
                *(f"/tests/{id}" for id in tests),
                f"/models/new?name={quote(MARKUP)}&dataset={quote(MARKUP)}",
                f"/datasets/new?name={quote(MARKUP)}&source.stream={quote(str(stream))}",
            ],
        )


@pytest.fixture
def page(
    browser: Browser, named: tuple[Server, list[str]], request: pytest.FixtureRequest
) -> Iterator[Page]:
    with watched(browser, request.node.name, expected="status of 404") as page:
        yield page


def unfold(page: Page, address: str) -> None:
    """Open a page, and all that is folded in it."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200, address
    page.wait_for_load_state("networkidle")
    for details in page.locator("main details:not([open]) > summary").all():
        if details.is_visible():
            details.click()
    page.wait_for_timeout(300)


def test_markup_in_names_and_paths_is_text_on_every_page(
    page: Page, named: tuple[Server, list[str]]
) -> None:
    server, addresses = named
    for address in addresses:
        unfold(page, server.url + address)
        is_unhurt(page, address)
        if address == "/":
            assert page.get_by_text(MARKUP).count() >= 3


def test_markup_in_what_is_refused_is_text(page: Page, named: tuple[Server, list[str]]) -> None:
    server, _ = named
    for path in (f"/jobs/{quote(MARKUP)}", f"/models/{quote(MARKUP)}", f"/{quote(MARKUP)}"):
        page.goto(server.url + path)
        is_unhurt(page, path)
    page.goto(f"{server.url}/datasets/new")
    page.locator("form[method=post]").first.evaluate("form => { form.noValidate = true; }")
    page.get_by_label("Name", exact=True).fill(MARKUP)
    page.locator("input[name='source.stream']").fill(f"/nowhere/{MARKUP}")
    page.get_by_role("button", name="Create dataset").click()
    page.wait_for_load_state("networkidle")
    is_unhurt(page, "a refused form")


@pytest.fixture
def prefixed(named: tuple[Server, list[str]]) -> Iterator[tuple[Server, str, list[str]]]:
    """The server below a prefix, where that begins, and the pages."""
    server, addresses = named
    for options in (["--prefix=/clips/clearframe", f"--token={TOKEN}"], []):
        server.kill()
        server.options = options
        server.start()
        if options:
            yield server, f"{server.url}/clips/clearframe", addresses


def test_below_a_prefix_every_page_asks_and_leads_below_it(
    prefixed: tuple[Server, str, list[str]], page: Page
) -> None:
    _, root, addresses = prefixed
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws:", "http:")))
    page.goto(f"{root}/?token={TOKEN}")
    for address in addresses:
        unfold(page, root + address)
        assert page.evaluate(LEADS_ELSEWHERE, "/clips/clearframe/") == [], address
    assert [url for url in asked if not url.startswith((f"{root}/", "blob:", "data:"))] == []
    assert any("/socket.io/" in url for url in asked)
    assert any(".mp4" in url for url in asked)


LEADS_ELSEWHERE = """root => ["href", "src", "action"].flatMap(name =>
  [...document.querySelectorAll(`[${name}^="/"]`)].map(one => one.getAttribute(name)).filter(there => !there.startsWith(root)))"""


def test_below_a_prefix_forms_lead_to_pages_below_it(
    prefixed: tuple[Server, str, list[str]], page: Page
) -> None:
    server, root, addresses = prefixed
    page.goto(f"{root}/?token={TOKEN}")
    assert page.url == f"{root}/"
    page.goto(root + addresses[2])
    page.get_by_label("Group", exact=True).fill("one")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(root + addresses[2])
    page.goto(f"{root}/datasets/new")
    stream = next(server.roots[0].glob("*.h264"))
    choose(page, STREAM, stream)
    assert value(page, STREAM).read_bytes() == stream.read_bytes()
    page.goto(f"{root}/?state=done")
    models = page.get_by_role("region", name="Models")
    models.get_by_role("checkbox", name=f"Choose {MARKUP}").first.check()
    models.get_by_role("combobox", name="Group").fill("one")
    models.get_by_role("button", name="Put into group").click()
    page.wait_for_url(f"{root}/?state=done")


def is_unhurt(page: Page, where: str) -> None:
    assert page.evaluate(
        "window.hurt === undefined && document.querySelectorAll('img[src=x]').length === 0"
    ), where
