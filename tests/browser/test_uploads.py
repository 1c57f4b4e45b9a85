"""Tests of uploads from the browser: chosen, dropped, refused and resumed files."""

import base64
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import keep_picture
from tests.browser.looks import until
from tests.conftest import Clip
from tests.support.server import Server
from tests.support.waiting import wait_until

STREAM, ORIGINALS = "#f-stream-source-stream", "#f-stream-source-originals"

DROP = """([selector, name, data]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], name));
  const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
  const target = document.querySelector(selector);
  for (const type of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(type, options));
}"""


@pytest.fixture
def form(page: Page, server: Server) -> Page:
    page.goto(f"{server.url}/datasets/new")
    expect(
        page.locator(STREAM).locator("xpath=..").get_by_role("button", name="Upload file…")
    ).to_be_visible()
    return page


def choose(page: Page, field: str, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator(field).locator("xpath=..").get_by_role("button", name="Upload file…").click()
    chooser.value.set_files([str(path) for path in files])


def value(page: Page, field: str) -> Path:
    """The path in a field; waits until the field is not empty."""
    until(page, f"document.querySelector({json.dumps(field)}).value !== ''")
    return Path(page.locator(field).input_value())


def test_a_stream_and_its_originals_are_uploaded_and_make_a_dataset(form: Page, clip: Clip) -> None:
    choose(form, STREAM, clip[0])
    assert value(form, STREAM).read_bytes() == clip[0].read_bytes()
    images = sorted(clip[1].iterdir())
    choose(form, ORIGINALS, *images)
    folder = value(form, ORIGINALS)
    assert sorted(path.name for path in folder.iterdir()) == [path.name for path in images]
    expect(form.locator("#probe .fits")).to_be_visible()
    form.get_by_role("button", name="Create dataset").click()
    expect(form.locator("#state")).to_have_text("done")


def test_a_file_is_dropped_on_a_field(form: Page, clip: Clip) -> None:
    form.evaluate(DROP, [STREAM, "dropped.h264", base64.b64encode(clip[0].read_bytes()).decode()])
    place = value(form, STREAM)
    assert (place.name, place.read_bytes()) == ("dropped.h264", clip[0].read_bytes())


def test_a_wrong_file_extension_is_corrected(form: Page, clip: Clip) -> None:
    image = min(clip[1].iterdir())
    form.evaluate(DROP, [ORIGINALS, "picture.png", base64.b64encode(image.read_bytes()).decode()])
    assert value(form, ORIGINALS).name.startswith("picture.bmp")


def test_unusable_content_is_refused_at_the_field(form: Page) -> None:
    form.evaluate(
        DROP,
        [STREAM, "program.h264", base64.b64encode(b"\x7fELF" + bytes(range(256)) * 4).decode()],
    )
    error = form.locator(".field", has=form.locator(STREAM)).get_by_role("alert")
    expect(error).to_contain_text("program.h264 is not in a supported format")
    expect(form.locator(STREAM)).to_have_value("")
    keep_picture(form, "upload-refused")


@pytest.fixture
def large(tmp_path: Path, clip: Clip) -> Path:
    """A stream of 40 MB; an upload sends chunks of 8 MiB."""
    path = tmp_path / "large.h264"
    path.write_bytes(clip[0].read_bytes() + bytes(range(256)) * 160_000)
    return path


def slow(page: Page, rate: float) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate}
    session.send("Network.emulateNetworkConditions", limits)


def test_an_upload_survives_a_killed_server(form: Page, server: Server, large: Path) -> None:
    slow(form, 10e6)
    choose(form, STREAM, large)
    until(form, "document.querySelector('.transfer progress')?.position > 0.1")
    expect(form.locator(".transfer")).to_contain_text("MB/s")
    keep_picture(form, "upload-running")
    server.kill()
    received = sum(
        path.stat().st_size
        for path in (server.home / "uploads" / ".unfinished").iterdir()
        if path.suffix == ""
    )
    assert 0 < received < large.stat().st_size
    server.start()
    place = value(form, STREAM)
    assert place.read_bytes() == large.read_bytes()
    expect(form.locator(".transfer")).to_have_count(0)


def test_an_upload_resumes_after_a_page_reload(form: Page, server: Server, large: Path) -> None:
    slow(form, 10e6)
    choose(form, STREAM, large)
    until(form, "document.querySelector('.transfer progress')?.position > 0.1")
    form.reload()
    choose(form, STREAM, large)
    assert value(form, STREAM).read_bytes() == large.read_bytes()
    assert len(list((server.home / "uploads").glob("*/large.h264"))) == 1


def test_cancel_removes_the_upload(form: Page, server: Server, large: Path) -> None:
    slow(form, 5e6)
    choose(form, STREAM, large)
    until(form, "document.querySelector('.transfer progress')?.position > 0.05")
    form.get_by_role("button", name="Cancel").click()
    expect(form.locator(".transfer")).to_have_count(0)
    unfinished = server.home / "uploads" / ".unfinished"
    wait_until(lambda: not list(unfinished.iterdir()), "the server keeps the canceled upload")
    expect(form.locator(STREAM)).to_have_value("")


def drop(page: Page, selector: str, *paths: Path) -> None:
    """Drop files and folders of this machine, with the input events of a real drag."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for type in ("dragEnter", "dragOver", "drop"):
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        session.send("Input.dispatchDragEvent", {"type": type, **at, "data": data})


def test_a_dropped_folder_stays_a_folder_and_skipped_files_are_reported(
    form: Page, clip: Clip, tmp_path: Path
) -> None:
    folder = tmp_path / "sent" / "frames"
    (folder / "deep").mkdir(parents=True)
    image = min(clip[1].iterdir())
    for name in ("frame1.bmp.gz", "frame2.bmp.gz", "deep/frame3.bmp.gz"):
        (folder / name).write_bytes(image.read_bytes())
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "notes.doc").write_text("words")
    drop(form, ORIGINALS, folder)
    place = value(form, ORIGINALS)
    assert place.name == "frames"
    arrived = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    assert arrived == ["deep/frame3.bmp.gz", "frame1.bmp.gz", "frame2.bmp.gz"]
    error = form.locator(".field", has=form.locator(ORIGINALS)).get_by_role("alert")
    expect(error).to_contain_text("Left out of frames: notes.doc contains text")


def test_a_drop_outside_a_field_does_not_leave_the_page(form: Page, clip: Clip) -> None:
    form.get_by_label("Name", exact=True).fill("mine")
    drop(form, "h1", clip[0])
    drop(form, STREAM, clip[0], clip[1])
    error = form.locator(".field", has=form.locator(STREAM)).get_by_role("alert")
    expect(error).to_have_text("Give one folder at a time.")
    expect(form.get_by_label("Name", exact=True)).to_have_value("mine")
