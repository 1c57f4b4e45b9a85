"""Tests of the form of a training in a real browser: the live preview, and kept values."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from jobs.core.paths import ROOT
from tests.browser.conftest import job_of, keep_picture
from tests.browser.looks import until
from tests.conftest import Clip
from tests.support.server import Server


@pytest.fixture
def dataset(server: Server, clip: Clip) -> str:
    id = server.dataset(clip)
    server.wait(id, "done")
    return id


@pytest.fixture
def form(page: Page, server: Server, dataset: str) -> Page:
    page.goto(f"{server.url}/models/new")
    expect(part(page, "network")).to_contain_text("8,129")
    return page


def part(page: Page, name: str) -> Locator:
    return page.locator(f"#preview [data-part={name}]")


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).select_option(value)


def values(page: Page, name: str) -> list[str]:
    """The values that the form would send under a name."""
    form_values: list[str] = page.evaluate(
        f"new FormData(document.querySelector('#model-form')).getAll('{name}')"
    )
    return form_values


def test_a_network_is_drawn_and_counted_when_it_is_chosen(form: Page) -> None:
    expect(part(form, "graph").locator("rect")).to_have_count(7)
    expect(part(form, "paper")).to_contain_text("ECCV 2014")
    keep_picture(form, "model-form-wide", full_page=True)
    choose(form, "Network", "vdsr")
    expect(part(form, "network")).to_contain_text("665,921")
    expect(part(form, "network")).to_contain_text("41×41 px")
    expect(part(form, "graph").locator("rect")).to_have_count(41)
    form.locator("#f-vdsr-network-depth").fill("5")
    expect(part(form, "network")).to_contain_text("11×11 px")
    choose(form, "Network", "edsr")
    expect(part(form, "graph").locator("path.around")).to_have_count(10)
    choose(form, "Channels", "rgb")
    expect(part(form, "graph")).to_contain_text("3 channels")


def test_button_name_and_network_fit_on_one_screen(form: Page) -> None:
    for element in (
        form.get_by_role("button", name="Start training"),
        form.get_by_label("Name", exact=True),
        part(form, "graph"),
    ):
        box = element.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900


def test_the_form_warns_of_a_rate_that_falls_too_soon(form: Page) -> None:
    warning = part(form, "warning")
    expect(warning).to_be_hidden()
    choose(form, "Decay per", "percent")
    expect(warning).to_contain_text("falls under 1 % of its base after 2 % of the run")
    keep_picture(form, "model-form-warning")
    choose(form, "Rate policy", "cosine")
    expect(warning).to_be_hidden()


def test_entered_values_carry_over_to_another_solver_and_defaults_do_not(form: Page) -> None:
    form.locator("#f-adam-solver-learning_rate").fill("0.02")
    choose(form, "Solver", "adamw")
    expect(form.locator("#f-adamw-solver-learning_rate")).to_have_value("0.02")
    expect(form.locator("#f-adamw-solver-weight_decay")).to_have_value("0.01")
    choose(form, "Solver", "sgd")
    expect(form.locator("#f-sgd-solver-weight_decay")).to_have_value("0")
    assert values(form, "solver.learning_rate") == ["0.02"]
    choose(form, "Network", "vdsr")
    choose(form, "Network", "ar-cnn")
    expect(form.locator("#f-ar-cnn-network-skip")).not_to_be_checked()


def test_the_trainings_of_a_sweep_are_counted_before_the_start(form: Page) -> None:
    form.get_by_label("Base learning rate").locator("visible=true").fill("0.001, 0.0003")
    form.get_by_label("Batch size").fill("8 16 32")
    expect(part(form, "sweep")).to_have_text("A sweep: 6 trainings, compared on one page.")
    expect(form.get_by_role("button", name="Start 6 trainings")).to_be_visible()


def test_steps_follow_the_dataset_and_a_wrong_value_is_reported_at_its_field(form: Page) -> None:
    expect(part(form, "run")).to_contain_text("330")
    form.get_by_label("Batch size").fill("0")
    expect(
        form.locator("#f-batch_size").locator("xpath=ancestor::*[contains(@class, 'field')]")
    ).to_contain_text("Must be at least 1.")
    form.get_by_label("Batch size").fill("176")
    expect(part(form, "run")).to_contain_text("30")
    expect(form.locator(".error.live")).to_have_count(0)


def test_errors_of_a_pasted_network_are_marked_at_their_lines(form: Page) -> None:
    choose(form, "Network", "custom")
    expect(part(form, "unknown")).to_be_visible()
    editor = form.get_by_role("textbox", name="Network definition").and_(
        form.locator(".cm-content")
    )
    form.get_by_role("button", name="with skip").click()
    expect(part(form, "graph").locator("path.around")).to_have_count(1)
    expect(part(form, "network")).to_contain_text("8,129")
    editor.press("Control+Home")
    editor.press_sequentially("wrong\n")
    expect(form.locator(".cm-lint-marker-error")).to_be_visible()
    expect(form.locator(".cm-lintRange-error")).to_have_text("wrong")
    expect(form.locator(".error.live")).to_contain_text("Line 1: Unknown field “wrong”")
    expect(part(form, "graph").locator("rect")).to_have_count(0)
    keep_picture(form, "model-form-editor")
    assert values(form, "network.prototxt")[0].startswith("wrong\n#")
    editor.press("Control+Home")
    editor.press("Control+Delete")
    expect(form.locator(".cm-lint-marker-error")).to_have_count(0)
    form.get_by_text("Network definition", exact=True).click()
    expect(editor).to_be_focused()


def test_a_refused_form_keeps_the_entered_values(form: Page, server: Server, clip: Clip) -> None:
    server.dataset(clip)
    form.reload()
    form.locator("#model-form").evaluate("form => { form.noValidate = true; }")
    choose(form, "Network", "custom")
    form.locator(".cm-content").fill("# mine\nlayer {\n  type: 1\n")
    form.get_by_text("More datasets").first.click()
    for box in form.get_by_role("group", name="More datasets").get_by_role("checkbox").all():
        box.check()
    form.get_by_label("Base learning rate").locator("visible=true").fill("0.01, 0.02")
    chosen = values(form, "more_datasets")
    form.get_by_label("Name", exact=True).fill("")
    with form.expect_navigation():
        form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert").first).to_contain_text("Name: This field is required.")
    assert len(chosen) == 2
    assert values(form, "more_datasets") == chosen
    assert values(form, "solver.learning_rate") == ["0.01, 0.02"]
    assert values(form, "network.prototxt")[0].splitlines() == ["# mine", "layer {", "  type: 1"]
    expect(form.locator(".cm-line").nth(1)).to_have_text("layer {")
    keep_picture(form, "model-form-refused", full_page=True)


def test_the_form_works_without_javascript(browser: Browser, server: Server, dataset: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/models/new?network.name=custom&dataset={dataset}")
    expect(page.get_by_label("Network definition")).to_be_visible()
    page.get_by_label("Network definition").fill(
        (ROOT / "examples" / "residual.prototxt").read_text()
    )
    page.get_by_text("More datasets").first.click()
    page.get_by_role("group", name="More datasets").get_by_role("checkbox").check()
    page.get_by_label("Length", exact=True).fill("0.001")
    page.get_by_label("Unit of the length").select_option("minutes")
    page.get_by_label("Name", exact=True).fill("no script")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("no script")
    spec = server.job(job_of(page))["spec"]
    assert (spec["network"]["name"], spec["more_datasets"], spec["minutes"]) == (
        "custom",
        [dataset],
        0.001,
    )
    context.close()


@pytest.mark.parametrize("network", ["srcnn-9-1-5", "vrcnn", "custom"])
def test_a_narrow_dark_page_does_not_scroll_sideways(form: Page, network: str) -> None:
    form.locator("#theme").click()
    choose(form, "Network", network)
    if network == "custom":
        form.get_by_role("button", name="plain").click()
    expect(part(form, "graph").locator("rect").first).to_be_visible()
    keep_picture(form, f"model-form-dark-{network}")
    form.set_viewport_size({"width": 390, "height": 844})
    for fold in form.locator("#model-form summary").all():
        fold.click()
    until(form, "document.documentElement.scrollWidth <= 390")
    keep_picture(form, f"model-form-narrow-{network}", full_page=True)


def test_a_sweep_is_compared_on_one_page_and_names_are_escaped(
    page: Page, server: Server, dataset: str
) -> None:
    name = "<img src=x onerror=alert(1)>"
    small = {
        "epochs": 1,
        "patch_size": 32,
        "patches_per_frame": 1,
        "network": {"name": "srcnn-9-1-5", "maps1": 4, "maps2": 4},
    }
    request = {
        "name": name,
        "dataset": dataset,
        **small,
        "solver": {"learning_rate": "0.001, 0.0003"},
    }
    status, response = server.call("/models", request)
    assert status == 201
    page.goto(f"{server.url}/sweeps/{response['sweep']}")
    expect(page.locator("h1")).to_contain_text(name)
    for id in response["ids"]:
        row = page.locator(f"tr[data-job='{id}']")
        expect(row.locator(".state")).to_have_text("done", timeout=60_000)
        expect(row.locator(".gain")).to_contain_text("dB")
    expect(page.locator("#verdict")).to_contain_text("Best so far:")
    expect(page.locator("tr.best")).to_have_count(1)
    expect(page.locator("main img")).to_have_count(0)
    keep_picture(page, "sweep", full_page=True)


def test_an_error_of_the_server_disappears_when_the_field_changes(form: Page) -> None:
    form.get_by_label("Length", exact=True).fill("0")
    form.get_by_role("button", name="Start training").click()
    error = form.locator(".field", has=form.get_by_label("Length", exact=True)).locator(".error")
    expect(error).to_contain_text("Must be at least 1")
    form.get_by_label("Length", exact=True).fill("4")
    expect(error).to_have_count(0)


def test_a_length_in_minutes_or_steps_starts_a_training(form: Page, server: Server) -> None:
    for number, unit, others in (
        ("0.01", "minutes", ("epochs", "steps")),
        ("2", "steps", ("epochs", "minutes")),
    ):
        form.goto(f"{server.url}/models/new")
        form.get_by_label("Unit of the length").select_option(unit)
        form.get_by_label("Length", exact=True).fill(number)
        form.get_by_role("button", name="Start training").click()
        expect(form.locator("#state")).to_be_visible()
        spec = server.job(job_of(form))["spec"]
        assert spec[unit] == float(number)
        assert [spec[other] for other in others] == [None, None]


def test_a_wrong_length_is_reported_in_its_unit(form: Page) -> None:
    form.get_by_label("Length", exact=True).fill("2.5")
    error = form.locator(".field", has=form.get_by_label("Length", exact=True)).locator(".error")
    expect(error).to_have_text("Must be a whole number.")
    form.get_by_label("Unit of the length").select_option("minutes")
    expect(error).to_have_count(0)


def test_the_defaults_start_a_training_by_one_click(form: Page, server: Server) -> None:
    name = form.get_by_label("Name", exact=True)
    expect(name).to_have_value("SRCNN 9-1-5 on clip")
    choose(form, "Network", "vdsr")
    expect(name).to_have_value("VDSR on clip")
    name.fill("my own")
    choose(form, "Network", "srcnn-9-1-5")
    expect(part(form, "network")).to_contain_text("8,129")
    expect(name).to_have_value("my own")
    form.evaluate("sessionStorage.clear()")  # The draft.
    for expected in ("SRCNN 9-1-5 on clip", "SRCNN 9-1-5 on clip 2"):
        form.goto(f"{server.url}/models/new")
        form.get_by_role("button", name="Start training").click()
        expect(form.get_by_role("heading", level=1)).to_contain_text(expected)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_start_button_stays_in_the_window_below_open_groups(form: Page, width: int) -> None:
    form.set_viewport_size({"width": width, "height": 844})
    for fold in form.locator("#model-form summary:visible").all():
        fold.click()
    button = form.get_by_role("button", name="Start training")
    end = "document.querySelector('#model-form').getBoundingClientRect().bottom + scrollY"
    for place in ("0", f"({end}) / 2", f"{end} - innerHeight"):
        form.evaluate(f"scrollTo(0, {place})")
        box = button.bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= 844 - box["height"]
        expect(button).to_be_in_viewport()
    last = form.get_by_label("Notes", exact=True).bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= box["y"]


def test_a_draft_survives_a_reload_and_the_way_back(form: Page) -> None:
    name = form.get_by_label("Name", exact=True)
    choose(form, "Network", "vdsr")
    expect(name).to_have_value("VDSR on clip")
    form.locator("#f-vdsr-network-depth").fill("5")
    form.get_by_label("Unit of the length").select_option("minutes")
    form.get_by_label("Length", exact=True).fill("7")
    form.get_by_text("More: device, precision").click()
    form.get_by_label("Notes", exact=True).fill("one\ntwo")
    for address in (form.url, "about:blank"):
        form.goto(address)
        form.go_back() if address == "about:blank" else form.reload()
        expect(part(form, "network")).to_contain_text("11×11 px")
        assert values(form, "minutes") == ["7"]
        assert values(form, "epochs") == []
        assert values(form, "notes") == ["one\ntwo"]
        expect(name).to_have_value("VDSR on clip")
    # The name is still a suggestion: it follows the network.
    choose(form, "Network", "srcnn-9-1-5")
    expect(name).to_have_value("SRCNN 9-1-5 on clip")


def test_headings_do_not_touch_their_links_on_a_phone(form: Page) -> None:
    form.set_viewport_size({"width": 360, "height": 844})
    gaps = form.evaluate("""Array.from(document.querySelectorAll(".part:has(> h2)"), part => {
      const range = document.createRange();
      range.selectNodeContents(part.querySelector("h2"));
      const heading = range.getBoundingClientRect();
      const link = part.querySelector("summary").getBoundingClientRect();
      return Math.max(link.left - heading.right, link.top - heading.bottom);
    })""")
    assert gaps
    assert min(gaps) >= 8
