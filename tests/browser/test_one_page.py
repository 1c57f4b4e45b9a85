"""Tests of *Test one*: all inputs of the form, the pictures of the result, and errors."""

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

from tests.browser.conftest import job_of, watched
from tests.browser.looks import check_looks, layout_shift, let_address_follow, until
from tests.browser.test_pairs_page import painted, values
from tests.support.held import hold_at_work
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]


@dataclass
class Prepared:
    server: Server
    model: str
    clip: Clip
    place: Path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Prepared]:
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
        yield Prepared(server, model, clip, place)


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        page.goto(f"{prepared.server.url}/models/{prepared.model}/test")
        yield page


def start(page: Page) -> None:
    page.get_by_role("button", name="Run test").click()
    page.wait_for_url(re.compile("/tests/"))


def wait_restored(page: Page) -> None:
    expect(page.locator("#state")).to_have_text("done")
    until(page, "document.querySelector('.tags span') !== null")


def test_a_pair_is_chosen_from_the_worst_pairs(page: Page, prepared: Prepared) -> None:
    page.get_by_role("radio", name="A validation pair").check()
    choices = page.locator(".pair-list label")
    expect(choices).to_have_count(6)
    until(
        page,
        "[...document.querySelectorAll('.pair-list img')].every(image => image.naturalWidth > 0)",
    )
    psnrs = [float(re.findall(r"([\d.]+) dB", text)[0]) for text in choices.all_inner_texts()]
    assert psnrs == sorted(psnrs)
    number_field = page.get_by_label("Validation pair", exact=True)
    expect(number_field).to_have_value(choices.nth(0).locator("b").inner_text())
    expect(page.locator("#chosen figcaption")).to_have_text("Input of the pair, 96×64")
    check_looks(page, "test-form-pairs")
    choices.nth(1).click()
    number = page.get_by_label("Validation pair", exact=True).input_value()
    assert number == choices.nth(1).locator("b").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Validation pair", exact=True)).to_have_value(
        choices.nth(0).locator("b").inner_text()
    )
    page.get_by_label("Show visualizations and statistics").uncheck()
    start(page)
    wait_restored(page)
    before = prepared.server.job(job_of(page))["summary"]["psnr_input"]
    assert before == pytest.approx(psnrs[0], abs=0.006)
    expect(page.locator("#verdict")).to_contain_text(f"({before:.2f} →")
    expect(page.locator("#layers-note")).to_have_text(
        "Visualizations are turned off for this test."
    )


def test_the_error_map_shows_the_error_of_each_pixel(page: Page, prepared: Prepared) -> None:
    id = prepared.server.create(f"/models/{prepared.model}/tests", {"pair": 0})
    page.goto(f"{prepared.server.url}/tests/{id}")
    wait_restored(page)
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
        # Larger errors have lighter colours; on the narrow scale an error is nearer to the end.
        assert colours[8] > colours[64] or error == 0
        seen.add((error, colours[64]))
    assert [colour for _, colour in sorted(seen)] == sorted(colour for _, colour in seen)
    check_looks(page, "test-error-map")


def test_a_frame_of_a_stream_is_restored_and_a_missing_frame_is_reported(
    page: Page, prepared: Prepared
) -> None:
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Stream", exact=True).fill(str(prepared.clip[0]))
    page.get_by_label("Frame", exact=True).fill("7")
    page.get_by_label("Ground truth", exact=True).fill(str(sorted(prepared.clip[1].iterdir())[7]))
    start(page)
    wait_restored(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("frame 7")
    expect(page.locator("#numbers tbody")).to_contain_text(re.compile(r"PSNR, dB\s*\d\d\.\d\d"))
    page.get_by_role("link", name="Test another").click()
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Stream", exact=True).fill(str(prepared.clip[0]))
    page.get_by_label("Frame", exact=True).fill("24")
    start(page)
    expect(page.locator("#reason")).to_contain_text("has no frame 24. Give a frame from 0 to 23.")
    expect(page.locator("#viewer")).to_have_text("No pictures: the test stopped too early.")
    check_looks(page, "test-failed")


def test_a_dropped_image_is_tested_and_its_conversion_is_reported(
    page: Page, prepared: Prepared
) -> None:
    deep = Image.fromarray((np.arange(64 * 48).reshape(48, 64) * 21).astype(np.uint16))
    deep.save(prepared.place / "deep.png")
    data = list((prepared.place / "deep.png").read_bytes())
    page.locator("#test-form").evaluate(
        """(form, bytes) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([new Uint8Array(bytes)], "deep.png"));
            const options = { dataTransfer, bubbles: true, cancelable: true };
            for (const type of ["dragover", "drop"])
                form.dispatchEvent(new DragEvent(type, options));
        }""",
        data,
    )
    expect(page.get_by_label("Image", exact=True)).to_have_value(re.compile("/deep.png$"))
    start(page)
    wait_restored(page)
    expect(page.locator("#notes li")).to_have_text(
        ["deep.png has 16 bits per value, rounded to 8 for the network."]
    )
    expect(page.locator("#verdict")).to_have_text(
        "No ground truth given: quality cannot be measured."
    )
    expect(page.get_by_role("button", name="Error map")).to_be_hidden()


def test_a_form_without_an_image_is_refused_and_keeps_the_other_values(page: Page) -> None:
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Frame", exact=True).fill("3")
    page.get_by_role("button", name="Run test").click()
    expect(page.get_by_role("alert")).to_contain_text("type the path of a stream")
    expect(page.get_by_role("radio", name="A frame of a stream")).to_be_checked()
    expect(page.get_by_label("Frame", exact=True)).to_have_value("3")


def test_a_ground_truth_of_another_size_is_refused_until_it_is_corrected(
    page: Page, prepared: Prepared
) -> None:
    image, truth = prepared.place / "image.png", prepared.place / "truth.png"
    Image.new("RGB", (64, 48), "gray").save(image)
    Image.new("RGB", (64, 50), "gray").save(truth)
    expect(page.locator("#chosen")).to_contain_text("shown here")
    page.get_by_label("Image", exact=True).fill(str(image))
    expect(page.locator("#chosen figcaption")).to_have_text("Image, 64×48")
    page.get_by_label("Ground truth", exact=True).fill(str(truth))
    expect(page.locator("#chosen figcaption")).to_have_text(["Image, 64×48", "Ground truth, 64×50"])
    start(page)
    expect(page.locator("#reason")).to_contain_text(
        "The ground truth is 64×50, but the image is 64×48."
    )
    Image.new("RGB", (64, 48), "gray").save(truth)
    page.get_by_role("button", name="Try again").click()
    wait_restored(page)
    expect(page.locator("#reason")).to_be_hidden()
    expect(page.locator("#verdict")).to_have_text(
        "The input equals the ground truth: no gain is possible."
    )


def test_a_killed_worker_is_reported_and_the_test_can_be_retried(
    page: Page, prepared: Prepared
) -> None:
    server, image = prepared.server, prepared.place / "image.png"
    first = server.create(f"/models/{prepared.model}/tests", {"pair": 0, "layers": False})
    server.wait(first, "done")
    Image.new("RGB", (64, 48), "gray").save(image)

    def create() -> str:
        page.goto(f"{server.url}/models/{prepared.model}/test")
        page.get_by_label("Image", exact=True).fill(str(image))
        expect(page.locator("#chosen figcaption")).to_have_text("Image, 64×48")
        start(page)
        return job_of(page)

    _, worker = hold_at_work(server, image, create)
    os.kill(worker, signal.SIGKILL)
    expect(page.locator("#reason")).to_contain_text("The worker exited unexpectedly.")
    image.unlink()
    Image.new("RGB", (64, 48), "gray").save(image)
    page.get_by_role("button", name="Try again").click()
    wait_restored(page)
    expect(page.locator("#layers article")).to_have_count(6)


def test_a_file_that_is_no_image_is_refused_at_its_field_and_a_draft_survives(
    page: Page, prepared: Prepared
) -> None:
    words = prepared.place / "README.md"
    words.write_text("# No picture")
    page.get_by_label("Image", exact=True).fill(str(words))
    page.reload()
    expect(page.get_by_label("Image", exact=True)).to_have_value(str(words))
    page.get_by_role("button", name="Run test").click()
    expect(page.locator(".field.wrong")).to_contain_text("README.md is not a readable image.")
    expect(page.get_by_label("Image", exact=True)).to_have_value(str(words))


def test_a_failed_test_is_edited_and_tried_again(page: Page, prepared: Prepared) -> None:
    page.get_by_role("radio", name="A frame of a stream").check()
    page.get_by_label("Stream", exact=True).fill(str(prepared.clip[0]))
    page.get_by_label("Frame", exact=True).fill("24")
    start(page)
    expect(page.locator("#reason")).to_contain_text("has no frame 24")
    page.get_by_role("link", name="Edit and try again").click()
    expect(page.get_by_role("radio", name="A frame of a stream")).to_be_checked()
    expect(page.get_by_label("Stream", exact=True)).to_have_value(str(prepared.clip[0]))
    expect(page.get_by_label("Frame", exact=True)).to_have_value("24")


@pytest.fixture(scope="module")
def tested(prepared: Prepared) -> str:
    """The address of a finished test of a validation pair."""
    id = prepared.server.create(f"/models/{prepared.model}/tests", {"pair": 1})
    prepared.server.wait(id, "done")
    return f"{prepared.server.url}/tests/{id}"


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_nothing_moves_while_a_finished_test_loads(
    page: Page, tested: str, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(tested)
    wait_restored(page)
    expect(page.locator("#layers article")).to_have_count(6)
    assert layout_shift(page) < 0.02


def test_a_finished_test_never_says_that_it_has_no_pictures_or_layers(
    browser: Browser, tested: str
) -> None:
    with watched(browser, "late-events", expected="ERR_FAILED") as page:
        # Without the connection for events, which arrive late on a slow line.
        page.route("**/socket.io/**", lambda route: route.abort())
        page.add_init_script(
            """window.texts = new Set();
            new MutationObserver(() => texts.add(document.body?.innerText ?? ""))
                .observe(document, { childList: true, subtree: true, characterData: true });"""
        )
        page.goto(tested, wait_until="commit")
        until(page, "document.querySelector('.tags span') !== null")
        expect(page.locator("#layers article")).to_have_count(6)
        seen = page.evaluate("[...texts].join(' ')")
        assert "No pictures" not in seen
        assert "No layer was computed" not in seen
        assert page.locator("#state").inner_text() == "done"


def test_the_wheel_scrolls_the_page_until_the_picture_is_clicked(page: Page, tested: str) -> None:
    page.goto(tested)
    wait_restored(page)
    stage, zoom = page.locator(".stage"), page.get_by_label("Zoom", exact=True)
    stage.hover(position={"x": 200, "y": 200})
    before = zoom.inner_text()
    page.mouse.wheel(0, 300)
    until(page, "scrollY > 0")
    assert zoom.inner_text() == before
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    expect(zoom).not_to_have_text(before)
    page.get_by_role("button", name="Fit").click()
    expect(zoom).to_have_text(before)
    stage.click(position={"x": 200, "y": 200})
    page.mouse.wheel(0, -300)
    expect(zoom).not_to_have_text(before)


def test_the_address_contains_mode_pictures_zoom_and_place(page: Page, tested: str) -> None:
    page.goto(tested)
    wait_restored(page)
    page.get_by_role("button", name="Difference").click()
    page.get_by_label("Compared pictures").select_option(label="Output | Ground truth")
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    page.keyboard.press("Shift+ArrowRight")
    let_address_follow(page)
    until(page, "location.search.includes('at=') && location.search.includes('compare=')")
    zoom = page.get_by_label("Zoom", exact=True).inner_text()
    look = page.locator(".stage canvas").evaluate("canvas => canvas.toDataURL()")
    address = page.url
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.goto(address)
    wait_restored(page)
    expect(page.get_by_role("button", name="Difference")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Zoom", exact=True)).to_have_text(zoom)
    assert page.locator(".stage canvas").evaluate("canvas => canvas.toDataURL()") == look


def test_the_address_names_the_slider_for_readers_who_used_another_mode(
    page: Page, tested: str
) -> None:
    page.goto(tested)
    wait_restored(page)
    until(page, "location.search.includes('mode=slider')")
    address = page.url
    page.get_by_role("button", name="Difference").click()
    until(page, "location.search.includes('mode=difference')")
    page.goto("about:blank")
    page.goto(address)
    wait_restored(page)
    expect(page.get_by_role("button", name="Slider")).to_have_attribute("aria-pressed", "true")


def test_the_stage_fills_the_screen_and_returns(page: Page, tested: str) -> None:
    page.goto(tested)
    wait_restored(page)
    page.keyboard.press("f")
    until(page, "document.fullscreenElement !== null")
    until(page, "document.querySelector('.stage').clientHeight > 0.8 * innerHeight")
    page.get_by_role("button", name="Full screen").click()
    until(page, "document.fullscreenElement === null")


def test_the_numbers_stay_in_their_card_with_their_points_below_each_other(
    page: Page, tested: str
) -> None:
    page.goto(tested)
    wait_restored(page)
    for width in (1440, 1000, 390):
        page.set_viewport_size({"width": width, "height": 844})
        overflow, places = page.evaluate(POINTS)
        assert overflow <= 0
        for column in places:
            assert max(column) - min(column) < 1.5, (width, places)


POINTS = """() => {
  const card = document.querySelector("#numbers");
  const rows = [...card.querySelectorAll("tbody tr")];
  const point = (cell) => {
    const range = document.createRange();
    const at = cell.firstChild.textContent.indexOf(".");
    range.setStart(cell.firstChild, at);
    range.setEnd(cell.firstChild, at + 1);
    return range.getBoundingClientRect().left;
  };
  const columns = [0, 1, 2].map((column) =>
    rows.map((row) => point(row.querySelectorAll("td")[column])));
  return [card.scrollWidth - card.clientWidth, columns];
}"""
"""How far the card's contents overflow, and where the decimal points of its columns are."""
