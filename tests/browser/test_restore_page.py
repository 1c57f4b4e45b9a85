"""Tests of restoring with a starter in a browser: from the home page to the restored file."""

import re
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from playwright.sync_api import Page, expect

from jobs.media.h264 import encode
from jobs.media.sample_clip import scene
from jobs.media.video import decode
from tests.browser.looks import check_looks, until
from tests.conftest import Clip
from tests.support.server import Server

GAIN = re.compile(r"^\s*\+0\.[1-9]\d dB better than the input")


def damaged_clip(folder: Path) -> tuple[Path, Path]:
    """A pan over a photograph at QP 37: the stream, and the folder of its 12 originals."""
    photo = np.array(Image.fromarray(skimage.data.astronaut()).resize((256, 256)))
    pictures = [photo[place : place + 128, place : place + 192] for place in range(12)]
    originals = folder / "originals"
    originals.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(originals / f"{number:02d}.png")
    encode(iter(pictures), folder / "clip.h264", {"qp": "37"})
    return folder / "clip.h264", originals


def test_from_the_home_page_to_a_better_video(page: Page, server: Server, tmp_path: Path) -> None:
    stream, originals = damaged_clip(tmp_path)
    page.goto(server.url)
    page.get_by_role("link", name="Restore a video").click()
    page.get_by_label("Video or image", exact=True).fill(str(stream))
    page.get_by_text("Measure the gain").click()
    page.get_by_label("Original", exact=True).fill(str(originals))
    check_looks(page, "restore-filled")
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".verdict")).to_have_text(GAIN)
    until(page, "document.querySelectorAll('#player video').length === 3")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the restored video").click()
    assert len(list(decode(saved.value.path()))) == 12
    check_looks(page, "restored-video")
    page.goto(server.url)
    expect(page.locator("#tests tbody tr")).to_contain_text("Starter: fast")
    page.locator("#tests tbody a").click()
    page.get_by_role("link", name="Starter: fast").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Starter fast")


def test_an_uploaded_image_is_restored(page: Page, server: Server, clip: Clip) -> None:
    image = server.home.parent / "photo.jpg"
    Image.fromarray(next(decode(clip[0]))).save(image)
    page.goto(server.url)
    page.get_by_role("navigation").get_by_role("link", name="Restore").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload…", exact=True).click()
    chooser.value.set_files(image)
    field = page.get_by_label("Video or image", exact=True)
    expect(field).to_have_value(re.compile("/photo.jpg$"))
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("#state")).to_have_text("done")
    until(page, "document.querySelector('#viewer img[data-role=output]')?.naturalWidth === 96")
    expect(page.locator("#facts")).to_contain_text("starter fast")
    expect(page.get_by_role("heading", name="Layers")).to_be_hidden()
    page.get_by_role("link", name="Restore another").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Restore a video")


def test_a_failed_restoration_is_tried_again_and_its_notes_are_shown(
    page: Page, server: Server, tmp_path: Path
) -> None:
    interlaced = {"qp": "37", "x264-params": "tff=1"}
    encode(scene(2, 64, 64, 1), tmp_path / "small.h264", interlaced)
    encode(scene(2, 96, 64, 1), tmp_path / "other.h264", {"qp": "37"})
    page.goto(f"{server.url}/restore")
    page.get_by_label("Video or image", exact=True).fill(str(tmp_path / "small.h264"))
    page.get_by_text("Measure the gain").click()
    page.get_by_label("Original", exact=True).fill(str(tmp_path / "other.h264"))
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("#reason")).to_contain_text("Give the originals of this video, or none.")
    page.get_by_role("link", name="Edit and try again").click()
    expect(page.get_by_label("Video or image", exact=True)).to_have_value(re.compile("small.h264$"))
    page.get_by_label("Original", exact=True).fill("")
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("#state")).to_have_text("done")
    for _ in range(2):  # The note comes with the events, and after a reload in the page.
        expect(page.locator("#notes li")).to_contain_text(["The video is interlaced"])
        page.reload()
