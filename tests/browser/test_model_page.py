"""Tests of the model page and the comparison: states, charts, samples, snapshots, actions."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import job_of, keep_picture, watched
from tests.browser.looks import check_looks, serious_findings, until
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]

SMALL = {
    "batch_size": 8,
    "patch_size": 32,
    "patches_per_frame": 4,
    "validation_interval": 1,
    "snapshot_interval": 1,
    "network": {"name": "srcnn-9-1-5", "maps1": 8, "maps2": 8},
}


@dataclass
class Prepared:
    """A server with finished models."""

    server: Server
    dataset: str
    done: str
    other: str
    failed: str


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("prepared")
    with Server(folder / "home", [clip[0].parent, folder], free_port()) as server:
        dataset = server.dataset(clip)
        server.wait(dataset, "done")
        done = server.create(
            "/models",
            {"name": "first", "dataset": dataset, "epochs": 6, "notes": "One\nTwo", **SMALL},
        )
        other = server.create(
            "/models",
            {"name": "second", "dataset": dataset, "epochs": 3, **SMALL, "loss": {"name": "l2"}},
        )
        wild = {
            "solver": {"name": "sgd", "learning_rate": 10.0},
            "network": {"name": "srcnn-9-1-5", "skip": False},
        }
        failed = server.create(
            "/models", {"name": "wild", "dataset": dataset, "epochs": 50, **SMALL, **wild}
        )
        server.wait(done, "done")
        server.wait(other, "done")
        assert server.wait_for_end(failed)["state"] == "error"
        yield Prepared(server, dataset, done, other, failed)


@pytest.fixture
def page(browser: Browser, prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        yield page


class Chart:
    """A chart of a page, given its title."""

    def __init__(self, page: Page, title: str) -> None:
        self.figure = page.locator(
            "figure", has=page.get_by_role("heading", name=title, exact=True)
        )
        self.holder = self.figure.locator(".chart")

    def points(self) -> int:
        return int(self.holder.get_attribute("data-points") or 0)

    def value(self, label: str) -> str:
        return self.figure.locator(".legend button", has_text=label).locator("b").inner_text()


def open_model(page: Page, prepared: Prepared, id: str) -> None:
    page.goto(f"{prepared.server.url}/models/{id}")
    until(page, "Number(document.querySelector('.chart')?.dataset.points) >= 1")


def test_verdict_and_facts_are_shown_without_javascript(
    browser: Browser, prepared: Prepared
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{prepared.server.url}/models/{prepared.done}")
    expect(page.locator("#verdict")).to_have_text(
        re.compile(r"^(\+\d\.\d\d dB over|Not better than) the input")
    )
    expect(page.locator("#snapshots tbody tr")).to_have_count(
        len(prepared.server.job(prepared.done)["summary"]["snapshots"])
    )
    verdict = page.locator("#verdict").inner_text()
    facts = page.locator("#facts div").all_inner_texts()
    context.close()
    with watched(browser, "with-scripts") as page:
        open_model(page, prepared, prepared.done)
        expect(page.locator("#verdict")).to_have_text(verdict)
        assert page.locator("#facts div").all_inner_texts() == facts
        assert len(facts) >= 5


def test_a_failed_model_shows_the_reason_and_a_remedy(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.failed)
    expect(page.locator("#reason")).to_contain_text("Train again with a lower base learning rate")
    expect(page.locator("#messages")).to_contain_text("error: The loss")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert page.title() == "error · wild · Clearframe"


def test_charts_change_axis_scale_and_smoothing(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    loss = Chart(page, "L1 loss")
    canvas = loss.figure.locator("canvas")
    pictures = [canvas.evaluate("canvas => canvas.toDataURL()")]
    for change in (
        lambda: page.get_by_role("button", name="Epoch", exact=True).click(),
        lambda: page.get_by_label("Log of losses and rates").check(),
        lambda: page.get_by_label("Smooth").fill("0.9"),
        lambda: loss.figure.get_by_role("button", name=re.compile("^validation")).click(),
    ):
        change()
        pictures.append(loss.figure.locator("canvas").evaluate("canvas => canvas.toDataURL()"))
    assert len(set(pictures)) == len(pictures)
    expect(loss.figure.locator(".legend .at")).to_contain_text("epoch6")
    expect(loss.figure.get_by_role("button", name=re.compile("^validation"))).to_have_attribute(
        "aria-pressed", "false"
    )
    until(page, "location.search.includes('smooth=0.9')")
    page.reload()
    expect(page.get_by_role("button", name="Epoch", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.get_by_label("Smooth")).to_have_value("0.9")


def test_arrow_keys_move_the_cursor_of_all_charts(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    points = prepared.server.call(f"/jobs/{prepared.done}/scalars?keys=val/psnr,lr")[1]["series"]
    Chart(page, "PSNR of validation, dB").holder.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    second = points["val/psnr"]["step"][1]
    expect(Chart(page, "PSNR of validation, dB").figure.locator(".legend .at b")).to_have_text(
        str(second)
    )
    assert (
        Chart(page, "PSNR of validation, dB").value("validation")
        == f"{points['val/psnr']['value'][1]:.2f} dB"
    )
    assert int(
        Chart(page, "Learning rate").figure.locator(".legend .at b").inner_text()
    ) == pytest.approx(second, abs=2)
    page.keyboard.press("Escape")
    last = points["val/psnr"]["step"][-1]
    expect(Chart(page, "PSNR of validation, dB").figure.locator(".legend .at b")).to_have_text(
        str(last)
    )


def test_a_drag_zooms_all_charts_and_loads_finer_points(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    loss, rate = Chart(page, "L1 loss"), Chart(page, "Learning rate")
    all_points = rate.points()
    rate_points = (
        "Number([...document.querySelectorAll('.chart')]"
        ".find(chart => chart.dataset.keys === 'lr').dataset.points)"
    )
    box = loss.figure.locator(".u-over").bounding_box()
    assert box
    with page.expect_request(re.compile("from_step=")) as request:
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40, steps=4)
        page.mouse.up()
    assert "max_points=" in request.value.url
    until(page, f"{rate_points} < {all_points}")
    page.get_by_role("button", name="Show all", exact=True).click()
    until(page, f"{rate_points} === {all_points}")
    expect(page.get_by_role("button", name="Show all", exact=True)).to_be_disabled()


def test_a_chart_is_saved_as_png_and_as_csv(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG of L1 loss").click()
    with Image.open(saved.value.path()) as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(2**24) or []) > 10
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV of L1 loss").click()
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text())))
    series = prepared.server.call(
        f"/jobs/{prepared.done}/scalars?keys=train/l1,val/l1&max_points=100000"
    )[1]["series"]
    for key, line in series.items():
        points = [(int(row["step"]), float(row[key])) for row in rows if row[key]]
        assert points == list(zip(line["step"], line["value"], strict=True))


def test_a_chart_enters_and_leaves_full_screen(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    loss = Chart(page, "L1 loss")
    before = loss.holder.bounding_box()
    page.get_by_role("button", name="⤢ of L1 loss").click()
    until(
        page,
        "document.fullscreenElement !== null"
        " && document.querySelector('figure canvas').clientHeight > 300",
    )
    page.evaluate("document.exitFullscreen()")
    until(
        page,
        "document.fullscreenElement === null"
        " && document.querySelector('figure canvas').clientHeight < 300",
    )
    assert loss.holder.bounding_box() == before


def test_samples_of_earlier_and_later_validations(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    slider = page.get_by_label("Validation of the samples")
    until(page, "document.querySelectorAll('#samples figure').length === 2")
    expect(page.locator("#samples-position")).to_contain_text(
        " of "
    )  # The script has set the slider.
    count = int(slider.get_attribute("max") or 0) + 1
    expect(page.locator("#samples-position")).to_contain_text(f"{count} of {count}")
    newest = page.locator("#samples img").nth(1).get_attribute("src")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("#samples-position")).to_contain_text("epoch 0, step 0")
    expect(page.locator("#samples img").nth(1)).not_to_have_attribute("src", str(newest))
    until(
        page,
        "[...document.querySelectorAll('#samples img')].every(image => image.naturalWidth > 0)",
    )
    expect(page.get_by_role("button", name="Earlier samples")).to_be_disabled()
    page.get_by_role("button", name="Later samples").click()
    expect(page.locator("#samples-position")).to_contain_text(f"2 of {count}")


def test_a_sample_opens_in_the_viewer_with_a_slider_through_the_validations(
    page: Page, prepared: Prepared
) -> None:
    open_model(page, prepared, prepared.done)
    until(page, "document.querySelectorAll('#samples figure').length === 2")
    page.locator("#samples button.triple").last.click()
    dialog = page.locator("#sample-viewer")
    expect(dialog.locator(".stage")).to_be_visible()
    expect(dialog.get_by_role("heading")).to_contain_text("Validation pair")
    dialog.get_by_role("button", name="Error map").click()
    zoom = dialog.get_by_label("Zoom", exact=True)
    dialog.get_by_role("button", name="Zoom in").click()
    expect(zoom).not_to_have_text("")
    scale = zoom.inner_text()
    newest = dialog.locator(".files a").nth(1).get_attribute("href")
    picture = "document.querySelector('#sample-viewer canvas').toDataURL()"
    before = page.evaluate(picture)
    slider = dialog.get_by_label("Validation of the sample")
    slider.focus()
    page.keyboard.press("Home")
    expect(dialog.locator("output").first).to_contain_text("epoch 0, step 0 · 1 of ")
    expect(dialog.locator(".files a").nth(1)).not_to_have_attribute("href", str(newest))
    page.wait_for_function(f"before => {picture} !== before", arg=before)
    expect(zoom).to_have_text(scale)
    assert serious_findings(page) == []
    keep_picture(page, "sample-viewer")
    page.set_viewport_size({"width": 390, "height": 844})
    keep_picture(page, "sample-viewer-narrow")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_region_of_a_pair_is_pinned_shown_and_unpinned(page: Page, prepared: Prepared) -> None:
    server, model = prepared.server, prepared.other
    open_model(page, prepared, model)
    page.get_by_role("button", name="Pin a pair…").click()
    dialog = page.locator("#pin")
    expect(dialog.get_by_label("Pair", exact=True)).not_to_have_value("")
    picture = dialog.locator(".frame img")
    expect(picture).to_be_visible()
    until(page, "document.querySelector('#pin .frame img').naturalWidth === 96")
    box = picture.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75, steps=3)
    page.mouse.up()
    expect(dialog.get_by_label("Region", exact=True)).to_be_checked()
    expect(dialog.get_by_label("Width", exact=True)).to_have_value("48")
    expect(dialog.get_by_label("Height", exact=True)).to_have_value("32")
    check_looks(page, "pin")
    dialog.get_by_label("Left", exact=True).fill("60")
    dialog.get_by_role("button", name="Pin", exact=True).click()
    expect(dialog.locator(".error")).to_have_text(re.compile("The frame has a width of 96 px"))
    dialog.get_by_label("Left", exact=True).fill("40")
    dialog.get_by_role("button", name="Pin", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#pinned li")).to_contain_text("48×32 at 40, 16")
    assert server.call(f"/jobs/{model}/extend", {"epochs": 4})[0] == 202
    pinned = page.locator("#samples .pinned")
    expect(pinned.locator("img").first).to_have_attribute("width", "48")
    pinned.locator("button.triple").click()
    expect(page.locator("#sample-viewer output").first).to_contain_text("1 of 1")
    page.locator("#sample-viewer").get_by_role("button", name="Close").click()
    check_looks(page, "pinned")
    page.reload()
    page.get_by_role("button", name=re.compile("^Unpin pair")).click()
    expect(page.locator("#pinned li")).to_have_count(0)
    assert server.call(f"/models/{model}/samples")[1] == {"samples": []}
    server.wait(model, "done")


def test_a_snapshot_is_exported_and_the_file_loads(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    row = page.locator("#snapshots tr.best")
    row.get_by_label(re.compile("^More for")).click()
    keep_picture(page, "snapshot-menu")
    row.get_by_role("button", name="Export as ONNX").click()
    expect(page.locator("#export")).to_contain_text("comparing it with torch")
    link = page.locator("#export a").first  # The second is the model card.
    expect(link).to_contain_text(".onnx", timeout=120_000)
    expect(page.locator("#export")).to_contain_text("onnxruntime")
    with page.expect_download() as saved:
        link.click()
    import onnxruntime

    assert (
        onnxruntime.InferenceSession(saved.value.path().read_bytes()).get_inputs()[0].shape[1] == 3
    )


def test_fine_tuning_opens_a_filled_form(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    page.locator("#snapshots tr.best").get_by_role("link", name=re.compile("^Fine-tune")).click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("first (fine-tuned)")
    expect(page.locator("[name=start_from]")).to_have_value(prepared.done)
    expect(page.locator("[name=start_snapshot]")).to_have_value(re.compile("epoch-"))


def test_the_command_and_the_spec_of_a_run_are_copied(page: Page, prepared: Prepared) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_model(page, prepared, prepared.done)
    menu = page.get_by_label("More actions")
    menu.click()
    page.get_by_role("button", name="Copy as command line").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    assert line.startswith("clearframe train")
    assert "--epochs 6" in line
    page.get_by_role("button", name="Copy as JSON").click()
    until(page, "navigator.clipboard.readText().then(text => text.startsWith('{'))")
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["epochs"] == 6
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Copy as JSON")).to_be_hidden()


def test_models_are_compared_and_tested_on_one_image(page: Page, prepared: Prepared) -> None:
    page.goto(f"{prepared.server.url}/compare?ids={prepared.done}")
    expect(page.get_by_label("Compare first", exact=True)).to_be_checked()
    page.get_by_label("Compare second", exact=True).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    settings = page.locator("#settings tbody tr:visible")
    expect(settings.filter(has_text="Epochs")).to_have_count(1)
    expect(settings.filter(has_text="Batch size")).to_have_count(0)
    until(page, "Number(document.querySelector('.chart').dataset.points) >= 4")
    legend = Chart(page, "PSNR of validation, dB").figure.locator(".legend button")
    expect(legend).to_have_count(3)
    page.get_by_role("radio", name="A validation pair").check()
    pair = page.get_by_label("Validation pair", exact=True)
    expect(pair).not_to_have_value("")  # The worst pair is chosen: the 1 would be added to it.
    pair.fill("1")
    page.get_by_role("button", name="Test all").click()
    expect(page.locator("#results .state")).to_have_text(["done", "done"], timeout=60_000)
    expect(page.locator("#viewer")).to_contain_text("Save")
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator("#viewer .tags span")).to_have_text(
        ["Input", "second", "first", "Ground truth"]
    )
    page.reload()
    expect(page.locator("#results .state")).to_have_text(["done", "done"])
    keep_picture(page, "compare-tested", full_page=True)


def test_runs_and_settings_of_a_comparison_are_searched(page: Page, prepared: Prepared) -> None:
    page.goto(f"{prepared.server.url}/compare")
    page.get_by_label("Search runs").fill("sec SRCNN")
    expect(page.locator("#choose tbody tr:visible")).to_have_count(1)
    page.get_by_label("Compare second", exact=True).check()
    page.get_by_label("Search runs").fill("")
    page.get_by_label("Compare first", exact=True).check()
    expect(page.locator("#chosen")).to_have_text("2 models chosen")
    page.get_by_role("button", name="Compare", exact=True).click()
    chart = Chart(page, "PSNR of validation, dB")
    expect(chart.figure.locator(".legend button")).to_have_count(3)
    page.get_by_role("button", name="Show first in the charts").click()
    expect(chart.figure.locator(".legend button")).to_have_text(
        [re.compile("second"), re.compile("input")]
    )
    page.get_by_role("button", name="Show first in the charts").click()
    page.get_by_label("Search runs").fill("first")
    expect(page.locator("#models tbody tr:visible")).to_have_count(1)
    expect(page.locator("#runs-shown")).to_have_text("1 of 2 runs")
    expect(chart.figure.locator(".legend button")).to_have_text(
        [re.compile("first"), re.compile("input")]
    )
    only = page.get_by_role("switch", name="Differences only")
    expect(only).to_be_checked()
    settings = page.locator("#settings tbody tr:visible")
    expect(settings.filter(has_text="Batch size")).to_have_count(0)
    only.uncheck()
    expect(settings.filter(has_text="Batch size")).to_have_count(1)
    page.get_by_label("Search settings").fill("batch")
    expect(settings).to_have_count(1)
    page.reload()
    expect(page.get_by_role("switch", name="Differences only")).not_to_be_checked()


def test_gain_is_drawn_against_cost(page: Page, prepared: Prepared) -> None:
    page.goto(f"{prepared.server.url}/compare?ids={prepared.done},{prepared.other}")
    points = page.locator("#cost .scatter a")
    expect(points).to_have_count(2)
    assert re.fullmatch(
        r"first: [+−]?\d\.\d\d dB, [\d,]+ multiply-adds per pixel",
        points.first.get_attribute("aria-label") or "",
    )
    page.get_by_label("Cost", exact=True).select_option("Training time")
    expect(points.first).to_have_attribute("aria-label", re.compile("trained for"))
    expect(page.locator("#cost .scatter text").first).to_contain_text("dB")
    points.last.click()
    expect(page).to_have_url(re.compile(f"/models/{prepared.other}"))


def test_fifteen_runs_are_compared(page: Page, prepared: Prepared) -> None:
    server = prepared.server
    quick = {**SMALL, "dataset": prepared.dataset, "steps": 1, "validation_interval": 9}
    rates = ", ".join(str(rate / 1e5) for rate in range(1, 16))
    status, answer = server.call(
        "/models", {**quick, "name": "many", "solver": {"learning_rate": rates}}
    )
    assert status == 201
    for id in answer["ids"]:
        server.wait(id, "done")
    page.goto(f"{server.url}/sweeps/{answer['sweep']}")
    expect(page.locator("#models tbody tr")).to_have_count(15)
    expect(page.locator("#cost .scatter a")).to_have_count(15)
    looks = page.evaluate("""Array.from(document.querySelectorAll("#models .line"), svg =>
      svg.getAttribute("style") + svg.firstChild.getAttribute("stroke-dasharray"))""")
    assert len(set(looks)) == 15
    check_looks(page, "compare-many")


def test_tags_and_notes_are_edited_on_every_page_of_a_job(page: Page, prepared: Prepared) -> None:
    server = prepared.server
    test = server.create(f"/models/{prepared.other}/tests", {"pair": 0})
    for path in (
        f"/datasets/{prepared.dataset}",
        f"/models/{prepared.other}",
        f"/tests/{test}",
    ):
        page.goto(server.url + path)
        page.get_by_role("button", name="Edit name, tags, notes").click()
        page.locator("#describe-tags").fill("Night, first try")
        page.locator("#describe-notes").fill("**Low** light\n\n- a list\n\n<b>no tag</b>")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".job-head .tag")).to_have_text(["night", "first try"])
        expect(page.locator(".notes strong")).to_have_text("Low")
        expect(page.locator(".notes li")).to_have_text("a list")
        expect(page.locator(".notes")).to_contain_text("<b>no tag</b>")
    check_looks(page, "labels-test")
    page.get_by_role("link", name="first try").click()
    page.wait_for_url("**/?tag=first+try")
    for list_ in ("datasets", "models", "tests"):
        expect(page.locator(f"#{list_} tbody tr")).to_have_count(1)
    assert serious_findings(page) == []
    page.get_by_label("Tag", exact=True).select_option("")
    expect(page.locator("#models tbody tr").nth(2)).to_be_visible()


def test_a_link_keeps_axis_log_smoothing_and_zoom(
    page: Page, browser: Browser, prepared: Prepared
) -> None:
    open_model(page, prepared, prepared.done)
    until(page, "location.search === '?axis=step'")
    usual = page.url
    page.get_by_role("button", name="Epoch", exact=True).click()
    page.get_by_label("Log of losses and rates").check()
    page.get_by_label("Smooth").fill("0.4")
    page.get_by_role("button", name="Zoom in", exact=True).click()
    until(page, "location.search.includes('range=') && location.search.includes('smooth=0.4')")
    with watched(browser, "linked-charts") as other:
        with other.expect_response(lambda answer: "from_step" in answer.url):
            other.goto(page.url)
        expect(other.get_by_role("button", name="Epoch", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        expect(other.get_by_label("Log of losses and rates")).to_be_checked()
        expect(other.get_by_label("Smooth")).to_have_value("0.4")
        expect(other.get_by_role("button", name="Show all", exact=True)).to_be_enabled()
        assert other.url == page.url
    page.get_by_role("button", name="Show all", exact=True).click()
    until(page, "!location.search.includes('range=')")
    page.goto(usual)  # A reader who has used another look sees what the sender saw.
    expect(page.get_by_role("button", name="Step", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.get_by_label("Log of losses and rates")).not_to_be_checked()


def test_panels_are_searched_hidden_and_moved(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    titles = page.locator("[data-charts] figure:visible h3")
    expect(titles.nth(2)).to_have_text("Gain over the input, dB")
    assert re.fullmatch(
        r"[+−]?\d\.\d\d dB", Chart(page, "Gain over the input, dB").value("validation")
    )
    page.get_by_text("Panels", exact=True).click()
    page.get_by_label("Search panels").fill("norm")
    expect(titles).to_have_text(["Gradient norm"])
    page.get_by_label("Search panels").fill("")
    page.get_by_label("SSIM", exact=True).uncheck()
    earlier = page.get_by_role("button", name="Move Learning rate earlier")
    earlier.click()
    expect(earlier).to_be_focused()
    page.keyboard.press("Enter")
    expect(titles.nth(2)).to_have_text("Learning rate")
    assert serious_findings(page) == []
    page.reload()
    expect(titles.nth(2)).to_have_text("Learning rate")
    expect(titles.nth(3)).to_have_text("Gain over the input, dB")
    expect(titles.filter(has_text="SSIM")).to_have_count(0)
    page.get_by_text("Panels: ").click()
    keep_picture(page, "panels")
    page.get_by_role("button", name="Show all in the usual order").click()
    expect(titles.nth(2)).to_have_text("Gain over the input, dB")
    expect(titles.filter(has_text="SSIM")).to_have_count(1)


def test_weights_and_gradients_of_each_layer_are_drawn(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    page.get_by_text("Weights and gradients of each layer").click()
    maps = page.locator(".weight-maps canvas")
    expect(maps).to_have_count(3)
    expect(maps.first).to_have_attribute("aria-label", re.compile("^weights of .*: −.* to "))
    page.get_by_text("Gradients", exact=True).click()
    expect(maps.first).to_have_attribute("aria-label", re.compile("^gradients of "))
    assert int(maps.first.get_attribute("width") or 0) >= 2
    keep_picture(page.locator("#weights-section"), "weights")
    assert serious_findings(page) == []


def test_keyboard_shortcuts_match_their_list(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    page.keyboard.press("?")
    expect(page.locator("dialog.key-list")).to_contain_text("Test one")
    expect(page.locator("dialog.key-list")).to_contain_text("On a chart")
    keep_picture(page, "keys")
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.locator("dialog.key-list").get_by_role("button", name="Close").click()
    page.get_by_label("Image", exact=True).focus()
    page.keyboard.press("t")
    assert job_of(page) == prepared.done
    page.locator("#verdict").click()
    page.keyboard.press("t")
    page.wait_for_url(re.compile("/test$"))


def test_a_failed_request_is_retried(page: Page, prepared: Prepared) -> None:
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        kind = route.request.url.split("?")[0].rpartition("/")[2]
        if kind in failed:
            route.continue_()
            return
        failed.append(kind)
        route.fulfill(
            status=503 if kind == "scalars" else 507,
            json={"error": {"message": "The disk is full.", "fields": {}}},
        )

    page.route(re.compile("/api/v1/jobs/.*/(scalars|events)"), fail_once)
    open_model(page, prepared, prepared.done)
    until(page, "document.querySelectorAll('#samples figure').length === 2")
    expect(page.locator("#messages li")).not_to_have_count(0)
    assert sorted(failed) == ["events", "scalars"]


def test_failed_actions_are_reported(page: Page, prepared: Prepared) -> None:
    open_model(page, prepared, prepared.done)
    page.route(re.compile("/exports$|/record$"), lambda route: route.abort())
    row = page.locator("#snapshots tr.best")
    row.get_by_label(re.compile("^More for")).click()
    row.get_by_role("button", name="Export as TorchScript").click()
    expect(page.locator("#export")).to_contain_text(
        "The server does not respond. Check that it is running."
    )
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Copy as JSON").click()
    expect(
        page.get_by_role("button", name="Not copied: The server does not respond.")
    ).to_be_visible()


@pytest.fixture
def live(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page for a server that only one test uses."""
    with watched(browser, request.node.name) as page:
        yield page


def test_a_training_is_named_aborted_resumed_trained_longer_and_deleted(
    live: Page, server: Server, clip: Clip
) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    model = server.create("/models", {"name": "m", "dataset": dataset, "epochs": 100_000, **SMALL})
    second = server.create("/models", {"name": "behind", "dataset": dataset, "epochs": 1, **SMALL})
    live.goto(f"{server.url}/models/{second}")
    expect(live.locator("#progress")).to_have_text("Waiting for its turn: “m” is running.")
    expect(live.locator("#verdict")).to_have_text("Not started yet.")
    keep_picture(live, "page-waiting", full_page=True)
    assert serious_findings(live) == []

    live.goto(f"{server.url}/models/{model}")
    until(live, "document.querySelectorAll('#snapshots tbody tr').length >= 2")
    watch_nothing_move(live)
    live.get_by_role("button", name="Edit name, tags, notes").click()
    live.locator("#describe").get_by_label("Name").fill("<b>renamed</b>")
    live.locator("#describe").get_by_label("Notes").fill("kept")
    live.get_by_role("button", name="Save", exact=True).click()
    expect(live.locator("h1")).to_contain_text("<b>renamed</b>")
    expect(live.locator(".notes")).to_have_text("kept")
    keep_picture(live, "page-running", full_page=True)
    assert serious_findings(live) == []

    live.get_by_role("button", name="Abort").click()
    expect(live.locator("#state")).to_have_text("aborted", timeout=60_000)
    keep_picture(live, "page-aborted", full_page=True)
    assert serious_findings(live) == []
    server.wait(second, "done")
    delete_a_snapshot(live)
    train_longer(live, server, second)

    live.goto(f"{server.url}/models/{model}")
    live.get_by_role("button", name="Delete", exact=True).click()
    live.get_by_role("button", name="Cancel").click()
    assert server.job(model)["state"] == "aborted"
    live.get_by_role("button", name="Delete", exact=True).click()
    live.get_by_role("button", name="Delete it").click()
    live.wait_for_url(f"{server.url}/")
    assert server.call(f"/jobs/{model}")[0] == 404


def test_the_sample_clip_shows_its_first_result_early_in_its_minute(
    live: Page, server: Server
) -> None:
    live.goto(server.url)
    live.get_by_role("button", name="Try it with the sample clip").click()
    expect(live.locator("#progress")).to_contain_text("Training ·")
    expect(live.locator("#progress")).to_contain_text(re.compile("about .* left"))
    until(live, "document.querySelector('#bar').value > 0.02")
    expect(live.locator("#verdict")).to_contain_text(" dB", timeout=60_000)
    job = server.job(job_of(live))
    # The first epoch takes longer than that, and a busy machine needs some seconds to validate.
    assert job["progress"]["share"] < 0.5
    assert [saved for saved in job["summary"]["snapshots"] if saved["val/psnr"]]
    expect(live.locator("#samples figure").first).to_be_visible()


def test_a_page_reports_a_lost_server_and_a_deleted_job(
    browser: Browser, server: Server, clip: Clip
) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    model = server.create("/models", {"name": "m", "dataset": dataset, "epochs": 100_000, **SMALL})
    with watched(browser, "page-lost", expected="net::ERR_") as page:
        page.goto(f"{server.url}/models/{model}")
        until(page, "Number(document.querySelector('.chart').dataset.points) > 3")
        server.kill()
        expect(page.locator("#said-lost")).to_contain_text(
            "This page reconnects automatically", timeout=60_000
        )
        seen = int(page.locator(".chart").first.get_attribute("data-points") or 0)
        server.start()
        expect(page.locator("#said-lost")).to_have_count(0, timeout=60_000)
        until(page, f"Number(document.querySelector('.chart').dataset.points) > {seen}")
        server.call(f"/jobs/{model}/abort", {})
        expect(page.locator("#state")).to_have_text("aborted", timeout=60_000)
        server.call(f"/jobs/{model}", method="DELETE")
        expect(page.locator("#said-gone")).to_contain_text("This job was deleted.")


def watch_nothing_move(page: Page) -> None:
    """Assert that new points of the curves do not move the parts of the page."""
    parts = "h1, .actions, #verdict, .chart-look, .chart, .legend, #samples"
    positions = (
        f"[...document.querySelectorAll('{parts}')]"
        ".map(part => Math.round(part.getBoundingClientRect().top + scrollY)).join()"
    )
    before, seen = (
        page.evaluate(positions),
        int(page.locator(".chart").first.get_attribute("data-points") or 0),
    )
    until(page, f"Number(document.querySelector('.chart').dataset.points) > {seen + 20}")
    assert page.evaluate(positions) == before


def delete_a_snapshot(page: Page) -> None:
    rows = page.locator("#snapshots tbody tr")
    count = rows.count()
    best = page.locator("#snapshots tr.best")
    name = best.get_attribute("data-snapshot")
    best.get_by_label(re.compile("^More for")).click()
    best.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(rows).to_have_count(count - 1)
    expect(page.locator("#export")).to_have_text(f"Deleted {name}.")
    expect(page.locator("#snapshots tr.best")).to_have_count(1)


def train_longer(page: Page, server: Server, model: str) -> None:
    page.goto(f"{server.url}/models/{model}")
    page.get_by_role("button", name="Continue training").click()
    expect(page.get_by_label("Train to")).to_have_value("2")
    page.get_by_label("Train to").fill("3")
    page.get_by_role("button", name="Continue", exact=True).click()
    expect(page.locator("#snapshots tbody tr")).to_have_count(3, timeout=60_000)
    assert server.wait(model, "done")["spec"]["epochs"] == 3
    assert [snapshot["epoch"] for snapshot in server.job(model)["summary"]["snapshots"]] == [
        1,
        2,
        3,
    ]
