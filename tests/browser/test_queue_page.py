"""Tests of the queue page (order of waiting jobs), and of the history of a job."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import watched
from tests.browser.looks import check_looks
from tests.conftest import Clip
from tests.support.server import Server

LONG = {"epochs": 10_000, "batch_size": 4, "patch_size": 16, "patches_per_frame": 1}


@pytest.fixture
def queued(server: Server, clip: Clip) -> list[str]:
    """A running training, which is suspended, and three waiting trainings."""
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    ids = [
        server.create("/models", {**LONG, "name": name, "dataset": dataset})
        for name in ("runs", "one", "two", "three")
    ]
    server.wait_for(ids[0], lambda job: job["state"] == "running")
    server.suspend(ids[0])
    return ids


@pytest.fixture
def page(
    browser: Browser, server: Server, queued: list[str], request: pytest.FixtureRequest
) -> Iterator[Page]:
    with watched(browser, request.node.name) as page:
        page.goto(server.url)
        page.get_by_role("link", name="3 waiting").click()
        yield page


def names(page: Page) -> list[str]:
    return page.locator("tbody td:nth-child(2)").all_inner_texts()


def test_waiting_jobs_are_reordered(page: Page, server: Server, queued: list[str]) -> None:
    expect(page.locator("tbody tr")).to_have_count(3)
    assert names(page) == ["one", "two", "three"]
    expect(page.locator("tbody tr").first).to_contain_text(
        "Waiting for its turn: “runs” is running."
    )
    check_looks(page, "queue")
    page.get_by_role("button", name="Start first: three").click()
    expect(page.locator("tbody tr").first).to_contain_text("three")
    assert names(page) == ["three", "one", "two"]
    page.get_by_role("button", name="Start later: three").click()
    expect(page.locator("tbody tr").first).to_contain_text("one")
    assert names(page) == ["one", "three", "two"]
    page.get_by_role("button", name="Start earlier: two").click()
    expect(page.locator("tbody tr").last).to_contain_text("three")
    page.get_by_label("Priority of three").fill("5")
    page.locator(f"#set-{queued[3]}").click()
    expect(page.locator("tbody tr").first).to_contain_text("three")
    expect(page.get_by_label("Priority of three")).to_have_value("5")
    expect(page.get_by_role("button", name="Start first: three")).to_be_disabled()
    server.resume(queued[0])
    assert server.call(f"/jobs/{queued[0]}/abort", {})[0] == 202
    # The started job leaves the page without a reload.
    expect(page.locator("tbody tr")).to_have_count(2)
    server.wait_for(queued[3], lambda job: job["state"] == "running")
    for id in queued[1:3]:
        server.call(f"/jobs/{id}/abort", {})
    expect(page.locator("#content")).to_contain_text("The queue is empty.")
    check_looks(page, "queue-empty")


def test_a_job_page_shows_the_history(page: Page, server: Server, queued: list[str]) -> None:
    page.goto(f"{server.url}/models/{queued[1]}")
    page.get_by_text("Settings, history and files").click()
    rows = page.locator(".history tbody tr")
    expect(rows).to_have_count(1)
    server.call(f"/jobs/{queued[1]}/abort", {})
    expect(rows).to_have_count(2)  # Without a reload.
    expect(rows.first).to_contain_text("waiting")
    expect(rows.last).to_contain_text("Aborted by the user.")
    check_looks(page, "history")
