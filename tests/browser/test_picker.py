"""Tests of the dialog behind "Browse…", which chooses files and folders of the server."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import keep_picture
from tests.conftest import Clip
from tests.support.server import Server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with subfolders, numbered images, a stream and a text file."""
    folder = tmp_path / "media"
    (folder / "frames").mkdir(parents=True)
    (folder / "empty").mkdir()
    for number in (1, 2, 10):
        (folder / "frames" / f"frame{number}.bmp").write_bytes(b"BM" + bytes(number))
    (folder / "clip.h264").write_bytes(bytes(1500))
    (folder / "notes.md").write_text("text")
    return folder


def names(dialog: Locator) -> list[str]:
    return dialog.locator("li .name").all_inner_texts()


def browse(page: Page, server: Server, field: str, typed: Path) -> Locator:
    page.goto(f"{server.url}/datasets/new")
    page.locator(field).fill(f"{typed}/")
    page.locator(field).locator("xpath=..").get_by_role("button", name="Browse").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_stream_is_chosen_with_the_mouse(
    page: Page, server: Server, clip: Clip, place: Path, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    dialog = browse(page, server, "#f-stream-source-stream", place)
    expect(dialog.locator("li")).to_have_count(4)
    assert names(dialog) == ["empty", "frames", "clip.h264", "notes.md"]
    expect(dialog.get_by_role("button", name="notes.md")).to_be_disabled()
    expect(dialog.get_by_role("button", name="clip.h264")).to_contain_text("stream · 1.5 kB")
    keep_picture(page, f"picker-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dialog.get_by_role("button", name="clip.h264").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#f-stream-source-stream")).to_have_value(str(place / "clip.h264"))


def test_a_folder_is_chosen_with_keys(page: Page, server: Server, clip: Clip, place: Path) -> None:
    dialog = browse(page, server, "#f-stream-source-originals", place)
    expect(dialog.locator("li")).to_have_count(4)
    page.keyboard.type("fra")
    expect(dialog.locator("li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(dialog.locator("li")).to_have_count(3)
    assert names(dialog) == ["frame1.bmp", "frame2.bmp", "frame10.bmp"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("button", name="frame2.bmp")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Backspace")
    expect(dialog.locator("li")).to_have_count(4)
    dialog.get_by_role("button", name="frames").press("Enter")
    expect(dialog.locator("li")).to_have_count(3)
    dialog.get_by_role("button", name="Use this folder").press("Enter")
    expect(page.locator("#f-stream-source-originals")).to_have_value(str(place / "frames"))


def test_an_empty_folder_is_reported_and_escape_changes_nothing(
    page: Page, server: Server, clip: Clip, place: Path
) -> None:
    dialog = browse(page, server, "#f-stream-source-stream", place / "empty")
    expect(dialog.get_by_role("status")).to_have_text("The folder is empty.")
    dialog.get_by_role("button", name="media").click()
    expect(dialog.locator("li")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#f-stream-source-stream")).to_have_value(f"{place}/empty/")
    expect(
        page.locator("#f-stream-source-stream")
        .locator("xpath=..")
        .get_by_role("button", name="Browse")
    ).to_be_focused()


def test_a_missing_path_opens_the_data_roots(page: Page, server: Server, clip: Clip) -> None:
    dialog = browse(page, server, "#f-stream-source-stream", Path("/nowhere/at/all"))
    expect(dialog.locator("li")).to_have_count(2)
    expect(dialog.locator(".crumbs button")).to_have_text(["Data roots"])
