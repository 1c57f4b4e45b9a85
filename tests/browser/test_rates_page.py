"""Rate-distortion curves on the pages of a model, of a test of a split, and of a comparison."""

import re

from playwright.sync_api import Page, expect

from tests.browser.looks import check_looks
from tests.conftest import Clip
from tests.support.server import Server

SENTENCE = re.compile(r"the same quality at \d+\.\d % (fewer|more) bits")
POINTS = "#rates circle"


def test_curves_of_four_rates(page: Page, server: Server, clip: Clip) -> None:
    source = {"kind": "compress", "originals": str(clip[1]), "qp": [22, 27, 32, 37]}
    dataset = server.create("/datasets", {"name": "four rates", "source": source})
    server.wait(dataset, "done")
    settings = {"dataset": dataset, "patch_size": 32, "steps": 20, "validation_interval": 1}
    settings |= {"network": {"name": "ecbnet", "start": "starter"}, "channels": "y"}
    models = [server.create("/models", {**settings, "name": name}) for name in ("one", "two")]
    for model in models:
        server.wait(model, "done")

    page.goto(f"{server.url}/models/{models[0]}")
    expect(page.locator(POINTS)).to_have_count(8)
    expect(page.locator("#rates .legend li")).to_have_text(
        [re.compile(rf"output: {SENTENCE.pattern} \(snapshot \S+\)")]
    )
    expect(page.locator("#rates select")).to_be_hidden()
    heights = page.evaluate(
        "Array.from(document.querySelectorAll('#rates .rates'), curve =>"
        " Array.from(curve.querySelectorAll('circle'), point => Number(point.getAttribute('cy'))))"
    )
    assert all(curve == sorted(curve, reverse=True) for curve in heights)  # PSNR rises with bits.
    check_looks(page, "model-rates")

    test = server.create(f"/models/{models[0]}/tests", {"kind": "split"})
    server.wait(test, "done")
    page.goto(f"{server.url}/tests/{test}")
    expect(page.locator(".verdict")).to_have_text(SENTENCE)
    expect(page.locator(POINTS)).to_have_count(8)
    check_looks(page, "test-split-rates")

    page.goto(f"{server.url}/compare?ids={','.join(models)}")
    expect(page.locator(POINTS)).to_have_count(12)
    expect(page.locator("#rates .legend li")).to_have_text([re.compile("one:"), re.compile("two:")])


def test_pages_without_four_rates_show_no_curves(page: Page, server: Server, clip: Clip) -> None:
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    dataset = server.create("/datasets", {"name": "one rate", "source": source})
    server.wait(dataset, "done")
    model = server.create(
        "/models", {"name": "m", "dataset": dataset, "patch_size": 32, "steps": 2}
    )
    server.wait(model, "done")
    page.goto(f"{server.url}/models/{model}")
    expect(page.locator("#facts")).not_to_be_empty()
    expect(page.locator("#rates")).to_be_hidden()
