"""What every layer of a network did, as people look at it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import serious_findings
from tests.browser.conftest import watched
from tests.browser.test_five_steps import until
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]


@dataclass
class Shown:
    """A server with a test of one image: conv1 has 70 maps, of which number 3 is dead behind its ReLU."""

    server: Server
    model: str
    test: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("layers")
    with Server(folder / "home", [clip[0].parent], free_port()) as server:
        dataset = server.dataset(clip)
        server.wait(dataset, "done")
        small = {
            "steps": 4,
            "epochs": None,
            "batch_size": 4,
            "patch_size": 32,
            "patches_per_frame": 1,
        }
        network = {"name": "srcnn-9-1-5", "maps1": 70, "maps2": 4}
        model = server.create(
            "/models", {"name": "m", "dataset": dataset, "network": network, **small}
        )
        server.wait(model, "done")
        for snapshot in (server.home / "jobs" / model / "snapshots").glob("*.safetensors"):
            kill_channel(snapshot)
        test = server.create(f"/models/{model}/tests", {"image": str(clip[1] / "000003.bmp.gz")})
        server.wait(test, "done")
        yield Shown(server, model, test)


def kill_channel(snapshot: Path) -> None:
    import safetensors.torch
    from safetensors import safe_open

    with safe_open(snapshot, "pt") as file:
        metadata = file.metadata()
    weights = safetensors.torch.load_file(snapshot)
    weights["conv1.bias"][3] = -100
    safetensors.torch.save_file(weights, snapshot, metadata)


@pytest.fixture
def page(browser: Browser, shown: Shown, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        page.goto(f"{shown.server.url}/tests/{shown.test}")
        expect(page.locator("#layers article")).to_have_count(6)
        yield page


def layer(page: Page, name: str) -> Locator:
    found = page.locator(f"[data-layer={name}]")
    found.scroll_into_view_if_needed()
    expect(found.locator("canvas[data-drawn]").first).to_be_visible()
    return found


def test_all_channels_are_there_page_by_page_and_dead_ones_are_named(page: Page) -> None:
    relu = layer(page, "relu1")
    expect(relu.locator(".tiles button")).to_have_count(64)
    expect(relu.locator(".readout").first).to_contain_text(
        re.compile("70 channels, of which .* dead .zero everywhere.: .*3")
    )
    expect(relu.locator("[data-channel='3']")).to_have_text("dead")
    expect(relu.locator("[data-channel='3']")).to_have_accessible_name(
        "Channel 3: dead, zero everywhere"
    )
    relu.get_by_role("button", name="Next page").click()
    expect(relu.locator(".turning span")).to_have_text("channels 64–69 of 70")
    expect(relu.locator(".tiles button")).to_have_count(6)

    conv = layer(page, "conv1")
    look = "canvas => canvas.toDataURL()"
    before = conv.locator("canvas").first.evaluate(look)
    page.get_by_role("button", name="A range each").click()
    expect(conv.locator("canvas[data-drawn=own]")).to_be_visible()
    expect(conv.locator(".colour-scale").first).to_contain_text("greatest of each")
    assert conv.locator("canvas").first.evaluate(look) != before
    conv.get_by_text("Weights 70×").click()
    expect(conv.locator(".kernels canvas")).to_be_visible()
    expect(conv.get_by_text("outputs 0–63 of 70")).to_be_visible()
    assert serious_findings(page) == []
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, "document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="One range").click()


def test_a_channel_is_seen_at_full_size_by_keyboard(page: Page) -> None:
    layer(page, "relu1").locator("[data-channel='1']").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_contain_text("relu1 · channel 0")
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading", level=2)).to_contain_text("channel 1")
    expect(dialog.locator(".strongest li").first).to_be_visible()
    assert page.url.endswith("#layer-2-channel-1")
    assert (
        dialog.locator(".pane canvas").evaluate_all(
            "all => all.map(one => [one.width, one.height])"
        )
        == [[96, 64]] * 2
    )
    expect(dialog.get_by_text("9×9 pixels")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".strongest")).to_contain_text("It is dead: zero everywhere.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-layer=relu1] [data-channel='3']")).to_be_focused()
    assert "#" not in page.url


def test_an_address_names_a_channel_and_a_model_that_is_gone_is_said(
    page: Page, shown: Shown
) -> None:
    page.goto(f"{shown.server.url}/tests/{shown.test}#layer-1-channel-66")
    page.reload()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_contain_text("conv1 · channel 66")
    expect(dialog.locator(".strongest li").first).to_be_visible()
    assert shown.server.call(f"/jobs/{shown.model}", method="DELETE")[0] == 204
    dialog.get_by_role("button", name="Next channel").click()
    expect(dialog.get_by_role("alert")).to_have_text("The model was deleted. Choose another one.")
    dialog.get_by_role("button", name="Channel before").click()
    expect(dialog.locator(".strongest li").first).to_be_visible()
