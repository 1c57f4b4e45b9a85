"""Tests of the home page: live updates, filters, sorting, columns and bulk actions."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.types.fields import Scalars
from jobs.specs import ImageTest, ModelSpec
from tests.browser.conftest import job_of, watched
from tests.browser.looks import check_looks, until
from tests.conftest import Clip
from tests.support.server import Server

LONG = {"epochs": 10_000, "batch_size": 4, "patch_size": 16, "patches_per_frame": 1}
GAINS = {"carphone": 0.31, "foreman": 0.12, "mobile": -0.2}


@pytest.fixture
def jobs(server: Server, clip: Clip) -> dict[str, str]:
    """Ids by name: a dataset, a running and a waiting training, and several finished jobs.

    The running one is suspended.
    """
    ids = {"clip": server.dataset(clip, group="first tries")}
    server.wait(ids["clip"], "done")
    for name, gain in GAINS.items():
        spec = ModelSpec.model_validate(
            {"name": name, "dataset": ids["clip"], "group": "sequences"}
        )
        ids[name] = done(server, "model", spec, gain)
    for number in range(60):
        spec_of_test = ImageTest.model_validate(
            {"model": ids["mobile"], "image": f"/clips/{number:02}.png"}
        )
        ids[f"test {number}"] = done(server, "test", spec_of_test, number / 100)
    server.restart()
    for name in ("runs", "waits"):
        ids[name] = server.create("/models", {**LONG, "name": name, "dataset": ids["clip"]})
    server.wait_for(ids["runs"], lambda job: job["state"] == "running")
    server.suspend(ids["runs"])
    return ids


def done(server: Server, kind: str, spec: ModelSpec | ImageTest, gain: float) -> str:
    folder = folders.create(server.home, kind, spec)
    with EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        scores: Scalars = {"val/l1": 0.1, "val/psnr": 30 + gain, "val/psnr_input": 30.0}
        log.append("snapshot", name="e1", epoch=4.0, step=10, size=5, scalars=scores)
        log.append(
            "state", state="done", reason="", summary={"psnr_input": 30.0, "psnr_output": 30 + gain}
        )
    return folder.id


@pytest.fixture
def page(
    browser: Browser, server: Server, jobs: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Page]:
    with watched(browser, request.node.name, expected="status of 409") as page:
        page.goto(server.url)
        expect(page.locator("#models tbody tr")).to_have_count(5)
        yield page


def names(page: Page, list: str) -> list[str]:
    return page.locator(f"#{list} tbody tr[data-job] td:nth-child(2)").all_inner_texts()


def test_running_jobs_update_live_and_move_to_the_lists(
    page: Page, server: Server, jobs: dict[str, str]
) -> None:
    server.resume(jobs["runs"])
    page.evaluate("window.sameDocument = true")
    row = page.locator(f"#running tr[data-job='{jobs['runs']}']")
    expect(row.locator(".progress-text")).to_contain_text("left")
    progress = row.locator(".progress-text").inner_text()
    expect(row.locator(".progress-text")).not_to_have_text(progress)
    expect(row.locator(".sparkline polyline")).to_be_attached()
    expect(row.locator(".hardware")).to_contain_text("% of a core")
    points = row.locator("polyline").get_attribute("points")
    expect(row.locator("polyline")).not_to_have_attribute("points", str(points))
    expect(page.get_by_role("link", name="1 waiting")).to_be_visible()
    server.suspend(jobs["runs"])
    check_looks(page, "home")
    server.resume(jobs["runs"])
    # Each snapshot renews the lists: not between press and release, or the click would be lost.
    row.get_by_role("button", name="Abort runs").hover()
    page.mouse.down()
    for _ in range(12):  # Progress comes at most four times a second.
        progress = row.locator(".progress-text").inner_text()
        expect(row.locator(".progress-text")).not_to_have_text(progress)
    page.mouse.up()
    expect(page.locator(f"#models tr[data-job='{jobs['runs']}'] .state")).to_have_text("aborted")
    expect(page.locator(f"#running tr[data-job='{jobs['waits']}']")).to_be_visible()
    page.evaluate("window.sameDocument = true")
    server.call(f"/jobs/{jobs['waits']}/abort", {})
    expect(page.locator("#running")).to_have_count(0)
    fresh = server.dataset(
        (server.roots[0] / "clip.h264", server.roots[0] / "originals"), name="a new one"
    )
    expect(page.locator(f"#datasets tr[data-job='{fresh}'] .state")).to_have_text("done")
    expect(page.locator(f"#datasets tr[data-job='{fresh}'] time")).to_have_text("just now")
    assert page.evaluate("window.sameDocument") is True


def test_lists_are_filtered_while_typing_and_sorted(page: Page, server: Server) -> None:
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("carp")
    expect(page.locator("#models tbody tr")).to_have_count(1)
    expect(page.locator("#datasets")).to_contain_text("No datasets match.")
    expect(page).to_have_url(re.compile(r"/\?q=carp$"))
    expect(page.get_by_role("searchbox")).to_be_focused()
    check_looks(page, "home-filtered")
    page.get_by_role("searchbox").fill("")
    page.locator(".filter").get_by_label("Group", exact=True).select_option("sequences")
    expect(page.locator("#models tbody tr")).to_have_count(3)
    with page.expect_navigation():
        page.locator("#models").get_by_role("link", name="Gain").click()
    expect(page.locator("#models th[aria-sort=descending]")).to_have_text("Gain")
    assert names(page, "models") == ["carphone", "foreman", "mobile"]
    with page.expect_navigation():
        page.locator("#models").get_by_role("link", name="Gain").click()
    expect(page.locator("#models th[aria-sort=ascending]")).to_be_visible()
    assert names(page, "models") == ["mobile", "foreman", "carphone"]
    page.reload()
    assert names(page, "models") == ["mobile", "foreman", "carphone"]


def test_groups_pages_and_columns(page: Page) -> None:
    with page.expect_navigation():
        page.locator("#models").get_by_role("link", name="Group").click()
    expect(page.locator("#models .of-group")).to_have_text(["No group", "sequences"])
    assert len(names(page, "tests")) == 50
    with page.expect_navigation():
        page.locator("#tests").get_by_role("link", name="Next page").click()
    expect(page.locator("#tests tbody tr")).to_have_count(10)
    expect(page.locator("#models .of-group")).to_have_count(2)
    page.get_by_role("button", name="sequences").click()
    expect(page.get_by_role("button", name="sequences 3")).to_have_attribute(
        "aria-expanded", "false"
    )
    expect(page.locator("#models tbody tr[data-job]:visible")).to_have_count(2)
    page.reload()  # The group stays folded.
    expect(page.locator("#models tbody tr[data-job]:visible")).to_have_count(2)
    page.get_by_role("checkbox", name="Choose all models").check()
    expect(page.locator("#models .how-many")).to_have_text("2 chosen")
    page.get_by_role("button", name="sequences 3").click()
    expect(page.locator("#models tbody tr[data-job]:visible")).to_have_count(5)
    page.locator("#tests").get_by_role("link", name="First page").click()
    expect(page.locator("#tests tbody tr")).to_have_count(50)
    page.locator("#columns-models summary").click()
    page.locator("#models").get_by_label("PSNR").check()
    page.locator("#models").get_by_label("Dataset").uncheck()
    check_looks(page, "home-columns")
    page.locator("#columns-models").get_by_role("button", name="Apply").click()
    expect(page.locator("#models thead")).to_contain_text("PSNR")
    expect(page.locator("#models thead")).not_to_contain_text("Dataset")


def test_a_long_name_of_a_group_does_not_widen_the_page(page: Page, server: Server) -> None:
    widths = []
    for name in ("short", "a name of a group that is as long as a sentence " * 3):
        [clip] = server.call("/jobs?kind=dataset")[1]["jobs"]
        assert server.call(f"/jobs/{clip['id']}", {"group": name.strip()}, "PATCH")[0] == 200
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{server.url}/?datasets.sort=group")
        expect(page.locator("#datasets .fold")).to_contain_text(name.strip())
        until(page, "document.documentElement.scrollWidth <= innerWidth")
        widths.append(page.locator("#datasets table").evaluate("table => table.scrollWidth"))
    assert widths[0] == widths[1]
    box = page.get_by_label("Group", exact=True).first.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390


def test_several_jobs_are_chosen_and_changed(
    page: Page, server: Server, jobs: dict[str, str]
) -> None:
    tests = page.locator("#tests")
    boxes = tests.locator("tbody input[name=ids]")
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(tests.locator(".how-many")).to_have_text("4 chosen")
    # The selection survives an update of the lists.
    fresh = server.dataset(
        (server.roots[0] / "clip.h264", server.roots[0] / "originals"), name="a new one"
    )
    expect(page.locator(f"#datasets tr[data-job='{fresh}'] .state")).to_have_text("done")
    expect(tests.locator("tbody input:checked")).to_have_count(4)
    check_looks(page, "home-chosen")
    tests.locator(".chosen").get_by_label("Group").fill("second tries")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(tests.locator("thead")).to_contain_text("Group")
    expect(tests.locator("tbody tr", has_text="second tries")).to_have_count(4)
    tests.get_by_label("Choose all").check()
    expect(tests.locator(".how-many")).to_have_text("50 chosen")
    tests.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete these 50 jobs")
    dialog.get_by_role("button", name="Cancel").click()
    expect(tests.locator("tbody tr")).to_have_count(50)
    tests.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete them").click()
    expect(tests.locator("tbody tr")).to_have_count(10)
    expect(tests.locator("h2")).to_have_text("Tests 10")


def test_models_are_compared_and_a_dataset_in_use_is_kept(page: Page, jobs: dict[str, str]) -> None:
    models = page.locator("#models")
    models.get_by_label("Choose carphone").check()
    models.get_by_label("Choose mobile").check()
    models.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare 2 models")).to_be_visible()
    assert "token" not in page.url
    page.go_back()
    page.get_by_label("Choose clip").check()
    page.locator("#datasets").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("main")).to_contain_text("0 of 1 job was deleted")
    expect(page.locator("main")).to_contain_text("is used by the models")
    check_looks(page, "home-refused")
    page.get_by_role("link", name="Back to the lists").click()
    until(page, "document.querySelectorAll('#datasets tbody tr').length === 1")


def test_an_empty_page_offers_the_sample_clip(
    browser: Browser, server: Server, request: pytest.FixtureRequest
) -> None:
    with watched(browser, request.node.name) as page:
        page.goto(server.url)
        check_looks(page, "home-empty")
        button = page.get_by_role("button", name="Try it with the sample clip")
        assert button.evaluate(
            "button => { button.click(); return [button.textContent, button.disabled]; }"
        ) == ["Creating the clip…", True]
        page.wait_for_url(f"{server.url}/models/*", timeout=60_000)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Sample clip")
        dataset = server.call("/jobs?kind=dataset")[1]["jobs"][0]
        summary = server.wait(dataset["id"], "done")["summary"]
        assert (summary["pairs"], summary["width"], summary["height"]) == (
            {"train": 86, "val": 10},
            320,
            192,
        )
        model = job_of(page)
        server.wait_for(model, lambda job: job["state"] == "running")
        assert server.call(f"/jobs/{model}/abort", {})[0] == 202
        page.goto(server.url)
        expect(page.get_by_role("button", name="Try it with the sample clip")).to_have_count(0)
