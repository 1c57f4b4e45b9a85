"""The documents at /help in a browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from jobs.core.paths import ROOT
from tests.browser.conftest import watched
from tests.browser.looks import serious_findings
from tests.support.server import Server, free_port

TOKEN = "a-token-for-these-tests"  # noqa: S105


@pytest.mark.skipif(
    not (ROOT / "help/index.html").is_file(),
    reason="`make docs`, which `make lint` runs, builds them",
)
def test_the_pages_work_in_a_browser_below_a_prefix(browser: Browser, tmp_path: Path) -> None:
    """Search, theme and icons, without an error of the policy in the console; accessible."""
    server = Server(tmp_path / "home", [tmp_path], free_port())
    server.options = ["--prefix=/clips", f"--token={TOKEN}"]
    with server, watched(browser, "help") as page:
        page.goto(f"{server.url}/clips/?token={TOKEN}")
        page.get_by_role("link", name="Help").click()
        page.get_by_role("link", name="Learning rate decay").first.click()
        page.get_by_placeholder("Search").fill("worker.lock")
        page.get_by_placeholder("Search").press("Enter")
        page.locator("#search-results a", has_text="Architecture").first.click()
        page.get_by_role("heading", name="Locks").wait_for()
        page.set_viewport_size({"width": 390, "height": 844})  # Its table is wider.
        assert serious_findings(page) == []
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("link", name="Back to the program").click()
        page.wait_for_url(f"{server.url}/clips/")
