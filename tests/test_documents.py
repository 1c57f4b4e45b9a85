"""The documents: they build without a warning, the server shows them, and they are as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from app.application import create_app
from app.pages import docs
from app.settings import Settings
from app.web.safety import HEADERS
from jobs.core.paths import ROOT
from tests.browser.conftest import browser, watched
from tests.support.server import Server, free_port

__all__ = ["browser"]

TOKEN = "a-token-for-these-tests"  # noqa: S105
POLICY = HEADERS["Content-Security-Policy"]


@pytest.fixture(scope="session")
def pages() -> Path:
    """The documents as pages, built as `make docs` builds them."""
    options = ["--quiet", "--fail-on-warning", "--keep-going"]
    command = [sys.executable, "-m", "sphinx", *options, "docs", "help"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return ROOT / "help"


@pytest.fixture
def client(home: Path) -> FlaskClient:
    return create_app(Settings(home=home), work=False).test_client()


def test_no_page_has_an_inline_script_or_style(pages: Path) -> None:
    """The server's policy forbids them."""
    assert "unsafe-inline" not in POLICY
    inline = re.compile(r"<style|<script(?![^>]*\bsrc=)| style=| on[a-z]+=\"")
    built = list(pages.rglob("*.html"))
    assert len(built) > 10
    assert [page for page in built if inline.search(page.read_text(encoding="utf-8"))] == []


def test_the_server_shows_the_built_pages_only(pages: Path, client: FlaskClient) -> None:
    first = client.get("/help/")
    assert "<h1>Clearframe" in first.text
    assert first.headers["Content-Security-Policy"] == POLICY
    first.close()
    assert client.get("/help").headers["Location"].endswith("/help/")
    for name in ("../README.md", "%2e%2e/README.md", "no-such-page.html", "_static"):
        assert client.get(f"/help/{name}").status_code == 404, name


def test_without_built_pages_the_server_says_how_to_build_them(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "HELP", tmp_path / "help")
    answer = client.get("/help/")
    assert answer.status_code == 404
    assert "Run `make docs`" in answer.text


def test_the_pages_work_in_a_browser_below_a_prefix(
    pages: Path, browser: Browser, home: Path
) -> None:
    """Search, theme and icons, without an error of the policy in the console."""
    server = Server(home, [home.parent], free_port())
    server.options = ["--prefix=/clips", f"--token={TOKEN}"]
    with server, watched(browser, "help") as page:
        page.goto(f"{server.url}/clips/?token={TOKEN}")
        page.get_by_role("link", name="Help").click()
        page.get_by_role("link", name="Learning rate decay").first.click()
        page.get_by_placeholder("Search").fill("worker.lock")
        page.get_by_placeholder("Search").press("Enter")
        page.locator("#search-results a", has_text="Architecture").first.click()
        page.get_by_role("heading", name="Locks").wait_for()
