"""Tests of tests of many images and of a split: form, table, histogram, opened rows."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.core.types.samples import ResultRow
from jobs.specs import SplitTest
from tests.browser.conftest import job_of, keep_picture, watched
from tests.browser.looks import check_looks, until
from tests.browser.test_one_page import Prepared, prepared, wait_restored

__all__ = ["prepared"]


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        page.goto(f"{prepared.server.url}/models/{prepared.model}/test")
        yield page


def gains(page: Page) -> list[float]:
    texts = page.locator(".results tbody td:nth-of-type(1)").all_inner_texts()
    return [float(text.replace("−", "-")) for text in texts]


def test_a_split_is_measured_and_sorted_and_a_row_opens_its_result(
    page: Page, prepared: Prepared
) -> None:
    page.get_by_role("link", name="A whole split").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Compare with filters").check()
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#state")).to_have_text("done", timeout=30_000)
    expect(page.locator(".results tbody tr")).to_have_count(6)
    compared = page.locator(".card", has=page.get_by_role("heading", name="Compared with filters"))
    expect(compared.locator("tbody")).to_contain_text("nlmeans")
    expect(compared.locator("tbody tr, .quiet")).to_have_count(4)
    expect(page.locator(".results thead")).to_contain_text("nlmeans, dB")
    assert gains(page) == sorted(gains(page))
    expect(page.locator(".verdict")).to_contain_text("of 6")
    expect(page.locator("[data-histogram] svg")).to_be_visible()
    check_looks(page, "test-split")
    split = page.url
    page.goto(f"{prepared.server.url}/models/{prepared.model}")
    gain = page.locator("figure", has=page.get_by_role("heading", name="Gain over the input, dB"))
    expect(gain).to_contain_text("nlmeans")
    keep_picture(page, "gain-and-filters")
    page.goto(split)
    page.get_by_role("link", name="Gain").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Gain")
    assert gains(page) == sorted(gains(page), reverse=True)
    expect(page.locator("th[aria-sort]")).to_have_text("Gain, dB")
    best = page.locator(".results tbody tr").first.inner_text().split()
    many = page.url
    page.locator(".results tbody button").first.click()
    wait_restored(page)
    expect(page.locator("#numbers tbody")).to_contain_text(best[2])
    first = page.url.partition("?")[0]
    page.goto(many)
    page.get_by_role("group", name="The first of these").get_by_role("button").first.click()
    wait_restored(page)
    assert page.url.partition("?")[0] == first  # The same test, not another one of the same pair.


def test_a_bar_of_the_histogram_selects_its_images(page: Page, prepared: Prepared) -> None:
    page.get_by_role("link", name="A whole split").click()
    expect(page.get_by_label("Split", exact=True).locator("option")).to_have_text(["Validation"])
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".results tbody tr")).to_have_count(6)
    expect(page.locator(".verdict")).to_contain_text("of 6")
    bars = page.locator(".bars a")
    counts = [int(label.split(": ")[1].split()[0]) for label in labels(page)]
    assert sum(counts) == 6
    for index, count in enumerate(counts):
        bars.nth(index).click()
        expect(page.locator(".bars a[aria-current]")).to_have_count(1)
        expect(page.locator(".results tbody tr")).to_have_count(count)
        page.get_by_role("link", name="Show all").click()
        expect(page.locator(".results tbody tr")).to_have_count(6)


def labels(page: Page) -> list[str]:
    return [bar.get_attribute("aria-label") or "" for bar in page.locator(".bars a").all()]


def test_many_images_with_a_broken_file(page: Page, prepared: Prepared) -> None:
    folder, truth = prepared.place / "many", prepared.place / "truth"
    for place in (folder, truth):
        place.mkdir()
        for number in range(4):
            noise = np.random.default_rng(number).integers(0, 256, (32, 48, 3), np.uint8)
            Image.fromarray(noise).save(place / f"{number}.png")  # The network changes it.
    (folder / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    page.get_by_role("link", name="Many images").click()
    page.get_by_label("Images", exact=True).fill(f"{folder}\n{prepared.place / 'nothing'}")
    page.get_by_role("button", name="Run test").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing")
    page.get_by_label("Images", exact=True).fill(str(folder))
    page.get_by_label("Ground truth", exact=True).fill(str(truth))
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".results tbody tr")).to_have_count(3)
    expect(page.locator(".verdict")).to_contain_text("0 better, 3 worse, of 3")
    expect(page.locator(".results tbody tr").first).to_contain_text("−∞")
    expect(page.locator(".reasons")).to_contain_text("2.png: 2.png cannot be read as an image")
    check_looks(page, "test-many")
    page.locator(".results tbody button").first.click()
    wait_restored(page)
    job = prepared.server.job(job_of(page))
    assert re.search(r"/many/\d.png$", job["spec"]["image"])
    assert re.search(r"/truth/\d.png$", job["spec"]["target"])


def test_without_ground_truth_the_table_has_no_empty_columns(
    page: Page, prepared: Prepared
) -> None:
    Image.new("RGB", (48, 32), (60, 90, 30)).save(prepared.place / "alone.png")
    page.get_by_role("link", name="Many images").click()
    page.get_by_label("Images", exact=True).fill(str(prepared.place / "alone.png"))
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".results thead th")).to_have_text(["Image"])


def test_uploaded_images_are_added_to_those_of_the_server(page: Page, prepared: Prepared) -> None:
    for number in range(2):
        Image.new("RGB", (48, 32), (60 * number, 90, 30)).save(prepared.place / f"sent{number}.png")
    page.get_by_role("link", name="Many images").click()
    field = page.get_by_label("Images", exact=True)
    field.fill(str(prepared.place / "sent0.png"))
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload file…").first.click()
    chooser.value.set_files([prepared.place / "sent0.png", prepared.place / "sent1.png"])
    until(page, "document.querySelector('textarea').value.split('\\n').length === 2")
    assert field.input_value().startswith(f"{prepared.place / 'sent0.png'}\n")
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".results tbody tr")).to_have_count(3)


def test_rows_appear_while_the_test_runs(page: Page, prepared: Prepared) -> None:
    """The test writes the worker's log, more slowly than a real worker."""
    folder: JobFolder = folders.create(
        prepared.server.home, "test", SplitTest(model=prepared.model, name="slow")
    )
    lock = folder.lock()
    assert lock is not None
    with open(lock, "rb"), EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        page.goto("about:blank")  # An open page would report the server as lost.
        prepared.server.kill()
        prepared.server.start()
        page.goto(f"{prepared.server.url}/tests/{folder.id}")
        expect(page.locator(".empty-part")).to_have_text("Results appear here.")
        check_looks(page, "test-many-empty")
        first: ResultRow = {
            "index": 0,
            "name": "first",
            "pair": 0,
            "psnr_input": 30.0,
            "psnr_output": 30.5,
            "gain": 0.5,
            "ssim_input": 0.9,
            "ssim_output": 0.91,
        }
        log.append("results", rows=[first])
        log.append("progress", done=1, total=2, unit="pairs", rate=1.0, eta=1.0)
        expect(page.locator(".results tbody tr")).to_have_count(1)
        page.locator(".results tbody button").focus()
        log.append("results", rows=[{**first, "index": 1, "name": "second", "pair": 1}])
        expect(page.locator(".results tbody tr")).to_have_count(2)
        expect(page.get_by_role("button", name="first", exact=True)).to_be_focused()
        log.append("state", state="error", reason="It was made to fail.", summary={})
    expect(page.locator("#reason")).to_contain_text("It was made to fail.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
