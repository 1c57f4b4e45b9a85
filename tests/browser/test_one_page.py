"""*Test one*: from the form, whatever the image comes as, to its pictures and what is said where there are none."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import serious_findings
from tests.browser.conftest import ARTIFACTS, watched
from tests.browser.test_five_steps import until
from tests.browser.test_pairs_page import painted, values
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]


@dataclass
class Shown:
    server: Server
    model: str
    clip: Clip
    place: Path


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Shown]:
    place = tmp_path_factory.mktemp("one")
    with Server(place / "home", [clip[0].parent, place], free_port()) as server:
        dataset = server.dataset(clip, validation={"method": "blocks", "percent": 25})
        small = {
            "steps": 4,
            "epochs": None,
            "batch_size": 4,
            "patch_size": 32,
            "patches_per_frame": 1,
        }
        model = server.create("/models", {"name": "m", "dataset": dataset, **small})
        server.wait(model, "done")
        yield Shown(server, model, clip, place)


@pytest.fixture
def page(browser: Browser, shown: Shown, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        page.goto(f"{shown.server.url}/models/{shown.model}/test")
        yield page


def start(page: Page) -> None:
    page.get_by_role("button", name="Test one").click()
    page.wait_for_url(re.compile("/tests/"))


def is_restored(page: Page) -> None:
    expect(page.locator("#state")).to_have_text("done")
    until(page, "document.querySelector('.tags span') !== null")


def looked_at(page: Page, name: str) -> None:
    """Screenshots of all looks, that somebody can look at; what no look may have."""
    page.wait_for_load_state()  # after a link, the new page may have no element yet
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 844})
            until(page, "document.documentElement.scrollWidth <= innerWidth")
            page.screenshot(path=ARTIFACTS / f"{name}-{width}-{scheme}.png", full_page=True)
        assert serious_findings(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_pair_is_chosen_among_the_worst(page: Page, shown: Shown) -> None:
    page.get_by_role("radio", name="A validation pair").check()
    choices = page.locator(".pair-list label")
    expect(choices).to_have_count(6)
    until(
        page,
        "[...document.querySelectorAll('.pair-list img')].every(image => image.naturalWidth > 0)",
    )
    psnrs = [float(re.findall(r"([\d.]+) dB", text)[0]) for text in choices.all_inner_texts()]
    assert psnrs == sorted(psnrs)
    looked_at(page, "test-form-pairs")
    choices.nth(1).click()
    number = page.get_by_label("Validation pair", exact=True).input_value()
    assert number == choices.nth(1).locator("b").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Validation pair", exact=True)).to_have_value(
        choices.nth(0).locator("b").inner_text()
    )
    page.get_by_label("Show visualizations and statistics").uncheck()
    start(page)
    is_restored(page)
    before = shown.server.job(page.url.rpartition("/")[2])["summary"]["psnr_input"]
    assert before == pytest.approx(psnrs[0], abs=0.006)
    expect(page.locator("#verdict")).to_contain_text(f"({before:.2f} →")
    expect(page.locator("#layers-note")).to_have_text("Visualizations were not asked for.")


def test_the_error_map_says_how_far_each_pixel_is_off(page: Page, shown: Shown) -> None:
    id = shown.server.create(f"/models/{shown.model}/tests", {"pair": 0})
    page.goto(f"{shown.server.url}/tests/{id}")
    is_restored(page)
    looked_at(page, "test-one")
    page.get_by_role("button", name="Error map").click()
    page.get_by_label("Compared pictures").select_option(label="Output | Ground truth")
    expect(page.locator(".tags")).to_have_text("Error of output")
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    seen = set()
    for x, y in ((0.35, 0.3), (0.45, 0.6), (0.6, 0.4), (0.65, 0.7)):
        at = (int(x * stage["width"]), int(y * stage["height"]))
        page.mouse.move(stage["x"] + at[0], stage["y"] + at[1])
        _, (_, output, target) = values(page.locator(".viewer"))
        error = np.abs(np.subtract(output, target)).mean()
        colours = {}
        for top in (8, 64):
            page.get_by_role("button", name=f"0–{top}", exact=True).click()
            expect(page.locator(".scale")).to_contain_text(f"{top} and more")
            colours[top] = sum(painted(page, *at))
        # The colours grow lighter with the error: on the narrow scale it is nearer to the end.
        assert colours[8] > colours[64] or error == 0
        seen.add((error, colours[64]))
    assert [colour for _, colour in sorted(seen)] == sorted(colour for _, colour in seen)
    looked_at(page, "test-error-map")


def test_a_frame_of_a_stream_is_restored_and_one_that_is_not_there_is_named(
    page: Page, shown: Shown
) -> None:
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Stream", exact=True).fill(str(shown.clip[0]))
    page.get_by_label("Frame", exact=True).fill("7")
    page.get_by_label("Ground truth", exact=True).fill(str(sorted(shown.clip[1].iterdir())[7]))
    start(page)
    is_restored(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("frame 7")
    expect(page.locator("#numbers tbody")).to_contain_text(re.compile(r"PSNR, dB.*\d\d\.\d\d"))
    page.get_by_role("link", name="Test another").click()
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Stream", exact=True).fill(str(shown.clip[0]))
    page.get_by_label("Frame", exact=True).fill("24")
    start(page)
    expect(page.locator("#reason")).to_contain_text(
        "has no frame 24: it has 24, choose one from 0 to 23."
    )
    expect(page.locator("#viewer")).to_have_text("There are no pictures: it ended before.")
    looked_at(page, "test-failed")


def test_an_image_is_dropped_and_what_was_done_to_it_is_said(page: Page, shown: Shown) -> None:
    deep = Image.fromarray((np.arange(64 * 48).reshape(48, 64) * 21).astype(np.uint16))
    deep.save(shown.place / "deep.png")
    data = list((shown.place / "deep.png").read_bytes())
    page.locator("#test-form").evaluate(
        """(form, bytes) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([new Uint8Array(bytes)], "deep.png"));
            for (const type of ["dragover", "drop"])
                form.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        data,
    )
    expect(page.get_by_label("Image", exact=True)).to_have_value(re.compile("/deep.png$"))
    start(page)
    is_restored(page)
    expect(page.locator("#notes li")).to_have_text(
        ["deep.png has 16 bits a value: they are rounded to 8 for the network."]
    )
    expect(page.locator("#verdict")).to_have_text(
        "No ground truth was given: nothing to measure against."
    )
    expect(page.get_by_role("button", name="Error map")).to_be_hidden()


def test_a_form_that_lacks_its_image_says_so_and_keeps_the_rest(page: Page) -> None:
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Frame", exact=True).fill("3")
    page.get_by_role("button", name="Test one").click()
    expect(page.get_by_role("alert")).to_contain_text("Give the stream of the frame")
    expect(page.get_by_role("radio", name="A frame of a stream")).to_be_checked()
    expect(page.get_by_label("Frame", exact=True)).to_have_value("3")


def test_a_truth_of_another_size_is_refused_and_can_be_mended(page: Page, shown: Shown) -> None:
    image, truth = shown.place / "image.png", shown.place / "truth.png"
    Image.new("RGB", (64, 48), "gray").save(image)
    Image.new("RGB", (64, 50), "gray").save(truth)
    page.get_by_label("Image", exact=True).fill(str(image))
    page.get_by_label("Ground truth", exact=True).fill(str(truth))
    start(page)
    expect(page.locator("#reason")).to_contain_text(
        "The ground truth is 64x50, but the image is 64x48."
    )
    Image.new("RGB", (64, 48), "gray").save(truth)
    page.get_by_role("button", name="Try again").click()
    is_restored(page)
    expect(page.locator("#reason")).to_be_hidden()
    expect(page.locator("#verdict")).to_have_text(
        "The input equals the ground truth: there is nothing to gain."
    )


def test_a_worker_that_dies_is_told_of_and_the_next_click_works(page: Page, shown: Shown) -> None:
    large = shown.place / "large.png"
    Image.new("RGB", (1600, 1200), "gray").save(large)
    page.get_by_label("Image", exact=True).fill(str(large))
    start(page)
    id = page.url.rpartition("/")[2]
    shown.server.wait_for(id, lambda job: job["state"] == "running")
    os.kill(int((shown.server.home / "jobs" / id / "worker.lock").read_text()), signal.SIGKILL)
    expect(page.locator("#reason")).to_contain_text("The worker ended without saying how.")
    Image.new("RGB", (64, 48), "gray").save(large)
    page.get_by_role("button", name="Try again").click()
    is_restored(page)
    expect(page.locator("#layers article")).to_have_count(6)
