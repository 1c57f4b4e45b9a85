"""Tests of the dataset form and the dataset page, in a real browser."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.media.sample_clip import make_clip
from jobs.run import run_with_lock
from jobs.specs import DatasetSpec
from tests.browser.conftest import keep_picture, watched
from tests.browser.looks import until
from tests.conftest import Clip
from tests.support.server import Server


@pytest.fixture
def form(page: Page, server: Server) -> Page:
    page.goto(f"{server.url}/datasets/new")
    until(page, "document.querySelector('#f-folders-source-input').closest('fieldset').disabled")
    return page


def choose_source(form: Page, title: str) -> None:
    form.get_by_role("radiogroup", name="Source").get_by_text(title).click()


def name_clip(form: Page, clip: Clip) -> None:
    form.locator("#f-stream-source-stream").fill(str(clip[0]))
    form.locator("#f-stream-source-originals").fill(str(clip[1]))


def test_only_the_fields_of_the_chosen_source_are_shown(form: Page) -> None:
    expect(form.locator("#f-stream-source-stream")).to_be_visible()
    expect(form.locator("#f-folders-source-input")).to_be_hidden()
    for title, visible, hidden in (
        ("Two folders", "#f-folders-source-target", "#f-stream-source-stream"),
        ("Originals only: compress them", "#f-compress-source-qp", "#f-folders-source-target"),
        ("Many sequences", "#f-sequences-source-manifest", "#f-compress-source-qp"),
    ):
        choose_source(form, title)
        expect(form.locator(visible)).to_be_visible()
        expect(form.locator(hidden)).to_be_hidden()
        keep_picture(form, f"form-{visible.split('-')[1]}", full_page=True)


def test_a_path_that_loses_the_focus_shows_its_end(form: Page) -> None:
    form.locator("#f-stream-source-stream").fill(f"/{'folder' * 20}/clip.h264")
    form.locator("#f-stream-source-originals").focus()
    until(form, "document.querySelector('#f-stream-source-stream').scrollLeft > 100")


def test_the_form_warns_that_random_frames_leak(form: Page) -> None:
    select, help = (
        form.locator("#f-validation-method"),
        form.locator("#f-validation-method-help [data-when]:visible"),
    )
    expect(help).to_contain_text("Contiguous blocks")
    select.select_option("frames")
    expect(help).to_contain_text("Leaks:")
    select.select_option("separate")
    expect(form.locator("#f-separate-stream-validation-source-stream")).to_be_visible()


def test_the_probe_shows_the_dataset_before_it_is_created(form: Page, clip: Clip) -> None:
    name_clip(form, clip)
    probe = form.locator("#probe")
    expect(probe).to_contain_text("24 inputs and 24 originals, both 96×64, aligned at offset 0")
    expect(probe).to_contain_text("H.264")
    expect(probe).to_contain_text("yuv420p")
    expect(probe).to_contain_text(re.compile(r"First pair: \d\d\.\d\d dB"))
    expect(probe).to_contain_text(re.compile(r"Needs about .* for 24 pairs"))
    expect(probe.get_by_role("slider")).to_be_visible()
    expect(form.get_by_label("Name", exact=True)).to_have_value("clip")
    form.get_by_label("Name", exact=True).fill("mine")
    form.locator("#f-stream-source-originals").fill(str(clip[1]) + "/")
    expect(form.locator("aside.probe")).to_have_attribute("aria-busy", "false")
    expect(form.get_by_label("Name", exact=True)).to_have_value("mine")


def test_shifted_frames_are_detected_and_the_offset_is_used(
    form: Page, server: Server, clip: Clip, tmp_path: Path
) -> None:
    shifted = tmp_path / "shifted"
    shutil.copytree(clip[1], shifted)
    min(shifted.iterdir()).unlink()
    name_clip(form, (clip[0], shifted))
    form.get_by_role("button", name="Use offset -1").click()
    expect(form.locator("#f-stream-source-offset")).to_have_value("-1")
    expect(form.locator("#probe .fits")).to_be_visible()
    form.get_by_role("button", name="Create dataset").click()
    expect(form.locator("#state")).to_have_text("done")
    expect(form.locator(".facts")).to_contain_text("21 to train, 2 to validate")


def test_a_missing_frame_is_named(form: Page, tmp_path: Path) -> None:
    stream, originals = make_clip(tmp_path / "long", frames=60, width=96, height=64)
    images = sorted(originals.iterdir())
    images[30].unlink()
    name_clip(form, (stream, originals))
    expect(form.locator("#probe .notice")).to_contain_text(re.compile(r"frame (29|30|31)\b"))


def test_errors_are_shown_while_typing(form: Page, tmp_path: Path, clip: Clip) -> None:
    (tmp_path / "words.h264").write_text("no video at all")
    name_clip(form, (tmp_path / "words.h264", clip[1]))
    expect(form.locator("#probe .notice.bad")).to_contain_text("words.h264")
    form.locator("#f-stream-source-stream").fill("/etc/passwd")
    expect(form.locator("#probe .notice.bad")).to_contain_text("outside the folders")


def test_an_unavailable_server_is_reported(form: Page, clip: Clip) -> None:
    def lose(route: Route) -> None:
        route.fulfill(status=503, body="no JSON")

    form.context.route("**/api/v1/probe", lose)
    name_clip(form, clip)
    expect(form.locator("#probe .notice.bad")).to_contain_text("The server does not respond")


def test_originals_are_compressed_and_all_rates_are_shown(form: Page, clip: Clip) -> None:
    choose_source(form, "Originals only: compress them")
    form.locator("#f-compress-source-originals").fill(str(clip[1]))
    form.locator("#f-compress-source-qp").fill("27, 42")
    table = form.locator("#probe table")
    expect(table.locator("tbody tr")).to_have_count(2)
    expect(table).to_contain_text("QP 27")
    form.get_by_role("button", name="Create dataset").click()
    expect(form.locator("#state")).to_have_text("done")
    expect(form.locator(".facts")).to_contain_text("44 to train, 4 to validate")
    expect(form.locator(".sources li")).to_have_count(2)
    expect(form.locator("[data-histogram] svg")).to_be_visible()
    expect(form.locator(".thumbs").first.locator("a")).to_have_count(6)


@dataclass
class HeldDataset:
    """A running dataset job whose worker is the test itself: `finish` creates the dataset."""

    folder: JobFolder
    lock: int

    def finish(self) -> None:
        with EventLog(self.folder.events) as log:
            assert run_with_lock(self.folder, self.lock, log) == 0


def held_dataset(server: Server, clip: Clip) -> HeldDataset:
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    spec = DatasetSpec.model_validate({"name": "clip", "source": source})
    elsewhere = folders.create(server.home.parent / "elsewhere", "dataset", spec)
    lock = elsewhere.lock()
    assert lock is not None
    folder = JobFolder(elsewhere.path.rename(server.home / "jobs" / elsewhere.id))
    server.restart()
    return HeldDataset(folder, lock)


def test_a_page_retries_to_load_the_facts_of_a_finished_dataset(
    browser: Browser, server: Server, clip: Clip
) -> None:
    dataset = held_dataset(server, clip)
    with watched(browser, "dataset-asked-again", expected="status of 503") as page:
        page.goto(f"{server.url}/datasets/{dataset.folder.id}")
        page.route(
            f"**/datasets/{dataset.folder.id}", lambda route: route.fulfill(status=503), times=1
        )
        with page.expect_response(lambda response: response.status == 503):
            dataset.finish()
        expect(page.locator(".facts")).to_contain_text("22 to train, 2 to validate")


def test_entered_text_stays_when_the_dataset_is_done(
    page: Page, server: Server, clip: Clip
) -> None:
    dataset = held_dataset(server, clip)
    page.goto(f"{server.url}/datasets/{dataset.folder.id}")
    page.get_by_role("button", name="Edit name, tags, notes").click()
    page.locator("#describe-notes").fill("QP 37 is coarse.")
    expect(page.locator("a", has_text="Train a model on this")).to_be_hidden()
    dataset.finish()
    expect(page.locator(".facts")).to_contain_text("22 to train, 2 to validate")
    expect(page.locator("[data-histogram] svg")).to_be_visible()
    expect(page.locator("#describe-notes")).to_have_value("QP 37 is coarse.")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("link", name="Train a model on this")).to_be_visible()
    page.get_by_text("Settings, history and files").click()
    expect(page.locator("#history tbody tr").last).to_contain_text("done")


def test_a_dataset_is_renamed_and_cloned(page: Page, server: Server, clip: Clip) -> None:
    id = server.dataset(clip, channels="grayscale", validation={"method": "frames", "percent": 25})
    server.wait(id, "done")
    page.goto(f"{server.url}/datasets/{id}")
    page.get_by_role("button", name="Edit name, tags, notes").click()
    page.locator("#describe-name").fill("second thoughts")
    page.locator("#describe-notes").fill("QP 37 is coarse.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("second thoughts")
    page.get_by_role("link", name="Clone").click()
    expect(page.locator("#f-stream-source-stream")).to_have_value(str(clip[0]))
    expect(page.locator("#f-validation-method")).to_have_value("frames")
    expect(page.locator("#f-channels")).to_have_value("grayscale")
    expect(page.locator("#probe .fits")).to_be_visible()


def test_a_refused_form_keeps_the_entered_values(form: Page, clip: Clip) -> None:
    form.locator("form").first.evaluate("form => { form.noValidate = true; }")
    choose_source(form, "Two folders")
    form.locator("#f-folders-source-input").fill(str(clip[1]))
    form.locator("#f-folders-source-target").fill("/nowhere")
    form.get_by_label("Name", exact=True).fill("kept")
    form.get_by_role("button", name="Create dataset").click()
    expect(form.get_by_role("alert").first).to_contain_text(
        "Targets: /nowhere is outside the folders"
    )
    expect(form.locator("#f-folders-source-input")).to_have_value(str(clip[1]))
    expect(form.locator("#f-stream-source-stream")).to_be_hidden()
    assert (
        json.loads(
            form.evaluate(
                "JSON.stringify([...new FormData(document.querySelector('#dataset-form')).keys()])"
            )
        ).count("source.originals")
        == 0
    )


def test_all_errors_are_shown_at_once_each_at_its_field(form: Page, clip: Clip) -> None:
    form.locator("form").first.evaluate("form => { form.noValidate = true; }")
    form.locator("#f-stream-source-stream").fill("/nowhere/a.h264")
    form.locator("#f-stream-source-originals").fill("/nowhere/b")
    found = form.locator(".field.wrong .error")
    expect(found).to_have_count(2)  # Those of the preview, before the form is sent.
    expect(form.locator("#probe .notice.bad")).to_contain_text("H.264 stream: ")
    form.get_by_label("Name", exact=True).fill("")
    form.get_by_role("button", name="Create dataset").click()
    expect(form.get_by_role("alert").first).to_contain_text("Please fix these errors")
    expect(form.get_by_role("alert").first.locator("li")).to_have_count(3)
    expect(found).to_have_count(3)


def test_what_is_known_to_fail_is_not_sent(form: Page, clip: Clip, tmp_path: Path) -> None:
    _, others = make_clip(tmp_path / "small", frames=24, width=64, height=48)
    name_clip(form, (clip[0], others))
    expect(form.locator("#probe .notice.bad")).to_be_visible()
    address = form.url
    form.get_by_role("button", name="Create dataset").click()
    expect(form.locator(".field.wrong #f-stream-source-originals")).to_be_focused()
    expect(form.locator(".field.wrong .error")).to_contain_text("64×48")
    assert form.url == address
    shutil.move(others, tmp_path / "away")
    shutil.copytree(clip[1], others)
    form.evaluate("dispatchEvent(new Event('focus'))")  # Back from another window.
    expect(form.locator("#probe .fits")).to_be_visible()
    expect(form.locator(".field.wrong")).to_have_count(0)
    form.locator("#f-stream-source-originals").fill(str(tmp_path / "away"))
    expect(form.locator("#probe .notice.bad")).to_be_visible()
    form.locator("#f-stream-source-originals").fill(str(clip[1]))
    expect(form.locator("#probe .fits")).to_be_visible()
    expect(form.locator(".field.wrong")).to_have_count(0)


def test_a_draft_survives_a_reload_and_the_way_back(form: Page, clip: Clip) -> None:
    choose_source(form, "Two folders")
    form.locator("#f-folders-source-input").fill(str(clip[1]))
    form.locator("#f-validation-method").select_option("frames")
    for address in (form.url, "about:blank"):
        form.goto(address)
        form.go_back() if address == "about:blank" else form.reload()
        expect(form.locator("#f-folders-source-input")).to_have_value(str(clip[1]))
        expect(form.locator("#f-validation-method")).to_have_value("frames")
        expect(form.locator("#f-stream-source-stream")).to_be_hidden()


def test_a_failed_dataset_is_edited_and_tried_again_under_its_name(
    page: Page, server: Server, clip: Clip, tmp_path: Path
) -> None:
    _, others = make_clip(tmp_path / "small", frames=24, width=64, height=48)
    id = server.dataset((clip[0], others))
    server.wait_for_end(id)
    page.goto(f"{server.url}/datasets/{id}")
    page.get_by_role("link", name="Edit and try again").click()
    expect(page.locator("#f-stream-source-originals")).to_have_value(str(others))
    expect(page.get_by_label("Name", exact=True)).to_have_value("clip")
