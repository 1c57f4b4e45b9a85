"""Tests of the layer view of a test: channels, statistics and weights."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import watched
from tests.browser.looks import serious_findings, until
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]


@dataclass
class Prepared:
    """A server with a test of one image; conv1 has 70 channels, channel 3 is dead after ReLU."""

    server: Server
    model: str
    test: str


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Prepared]:
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
        yield Prepared(server, model, test)


def kill_channel(snapshot: Path) -> None:
    import safetensors.torch
    from safetensors import safe_open

    with safe_open(snapshot, "pt") as file:
        metadata = file.metadata()
    weights = safetensors.torch.load_file(snapshot)
    weights["conv1.bias"][3] = -100
    safetensors.torch.save_file(weights, snapshot, metadata)


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        page.goto(f"{prepared.server.url}/tests/{prepared.test}")
        expect(page.locator("#layers article")).to_have_count(6)
        yield page


def layer(page: Page, name: str) -> Locator:
    card = page.locator(f"[data-layer={name}]")
    card.scroll_into_view_if_needed()
    expect(card.locator("canvas[data-drawn]").first).to_be_visible()
    return card


def test_all_channels_are_shown_by_page_and_dead_channels_are_named(page: Page) -> None:
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
    expect(conv.locator("canvas[data-drawn=own]")).to_be_visible()
    expect(conv.locator(".colour-scale").first).to_contain_text("of each channel")
    before = conv.locator("canvas").first.evaluate(look)
    page.get_by_role("button", name="Shared scale").click()
    expect(conv.locator("canvas[data-drawn=shared]")).to_be_visible()
    assert conv.locator("canvas").first.evaluate(look) != before
    conv.get_by_text("Weights 70×").click()
    expect(conv.locator(".kernels canvas")).to_be_visible()
    expect(conv.get_by_text("outputs 0–63 of 70")).to_be_visible()
    assert serious_findings(page) == []
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, "document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Scale per channel").click()


def test_each_channel_uses_all_colours_and_zero_is_the_middle_of_signed_ones(page: Page) -> None:
    conv, relu = layer(page, "conv1"), layer(page, "relu1")
    for card in (conv, relu):
        card.scroll_into_view_if_needed()
        expect(card.locator("canvas[data-drawn=own]").first).to_be_visible()
    expect(conv.locator(".colour-scale").first).to_have_text("−max |x|0max |x| of each channel")
    expect(relu.locator(".colour-scale").first).to_have_text("minmax of each channel")
    # The strongest value of a channel has an end of the diverging colours, one sign is orange or
    # blue throughout; of a ReLU, zeros are dark and the largest value is light.
    for channel in range(3):
        reds_above_blues, darkest, _ = tile_colours(conv, channel)
        low, high = channel_range(conv, channel)
        assert darkest < 260, f"channel {channel} reaches no end of its scale"
        if low > 0 or high < 0:
            assert reds_above_blues == (1 if low > 0 else 0)
    _, darkest, lightest = tile_colours(relu, 0)
    assert darkest < 120
    assert lightest > 600


def channel_range(card: Locator, channel: int) -> tuple[float, float]:
    label = card.locator(f"[data-channel='{channel}']").get_attribute("aria-label")
    low, high = re.findall(r": (\S+) to (\S+)", (label or "").replace("−", "-"))[0]
    return float(low), float(high)


def tile_colours(card: Locator, channel: int) -> tuple[float, int, int]:
    """Of a tile: the share of pixels with more red than blue, and its darkest and lightest sum."""
    result: list[float] = card.locator("canvas").first.evaluate(
        """(canvas, [channel, box]) => {
            const ratio = devicePixelRatio;
            const { data } = canvas.getContext("2d").getImageData(
                box[0] * ratio, box[1] * ratio, box[2] * ratio, box[3] * ratio);
            let [red, pixels, low, high] = [0, 0, 999, 0];
            for (let at = 0; at < data.length; at += 4) {
                const sum = data[at] + data[at + 1] + data[at + 2];
                pixels += 1;
                red += data[at] > data[at + 2];
                low = Math.min(low, sum);
                high = Math.max(high, sum);
            }
            return [red / pixels, low, high];
        }""",
        [
            channel,
            card.locator(f"[data-channel='{channel}']").evaluate(
                "tile => [tile.offsetLeft, tile.offsetTop, tile.offsetWidth, tile.offsetHeight]"
            ),
        ],
    )
    return result[0], int(result[1]), int(result[2])


def test_a_channel_is_opened_at_full_size_by_keyboard(page: Page) -> None:
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
            "canvases => canvases.map(canvas => [canvas.width, canvas.height])"
        )
        == [[96, 64]] * 2
    )
    expect(dialog.get_by_text("9×9 pixels")).to_be_visible()
    assert serious_findings(page) == []
    assert dialog.evaluate(UNFILLED) == [0, 0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".strongest")).to_contain_text("This channel is dead: zero everywhere.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-layer=relu1] [data-channel='3']")).to_be_focused()
    assert "#" not in page.url


UNFILLED = """dialog => [...dialog.querySelectorAll(".pane")].map(
  pane => pane.clientWidth - pane.querySelector("canvas").clientWidth)"""
"""How far each pane is wider than its picture, in pixels."""

COVERED = """marks => {
  const boxes = [...marks.querySelectorAll("b")].map(label => label.getBoundingClientRect());
  return boxes.flatMap((a, index) => boxes.slice(index + 1).filter(b =>
    a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top)).length;
}"""
"""Pairs of numbers of which one covers the other."""


@pytest.mark.parametrize("width", [390, 1440])
def test_the_numbers_of_the_strongest_places_do_not_cover_each_other(
    page: Page, prepared: Prepared, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{prepared.server.url}/tests/{prepared.test}#layer-1-channel-0")
    page.reload()
    dialog = page.get_by_role("dialog")
    for number in range(8):
        expect(dialog.get_by_role("heading", level=2)).to_contain_text(f"channel {number} ")
        expect(dialog.locator(".strongest li").first).to_be_visible()
        for marks in dialog.locator(".marks").all():
            assert marks.evaluate(COVERED) == 0
        dialog.get_by_role("button", name="Next channel").click()


def test_a_url_names_a_channel_and_a_deleted_model_is_reported(
    page: Page, prepared: Prepared
) -> None:
    page.goto(f"{prepared.server.url}/tests/{prepared.test}#layer-1-channel-66")
    page.reload()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_contain_text("conv1 · channel 66")
    expect(dialog.locator(".strongest li").first).to_be_visible()
    assert prepared.server.call(f"/jobs/{prepared.model}", method="DELETE")[0] == 204
    dialog.get_by_role("button", name="Next channel").click()
    expect(dialog.get_by_role("alert")).to_have_text("The model was deleted. Choose another model.")
    dialog.get_by_role("button", name="Previous channel").click()
    expect(dialog.locator(".strongest li").first).to_be_visible()
