"""Fixtures with a real Chromium. Without Chromium, tests are skipped, but fail if CI is set."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from jobs.core.paths import ROOT
from tests.support.server import Server

ARTIFACTS = ROOT / "artifacts"
KEEP_PICTURES = bool(os.environ.get("TEST_PICTURES"))
"""Whether a person wants to look at the pages; otherwise only those of failures are kept."""
open_pages: list[Page] = []

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


expect.set_options(timeout=60_000)


@pytest.fixture(scope="session", autouse=True)
def bundles() -> None:
    """Pages load the bundles of their modules, as they do for users."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=path)
    if node is not None:
        subprocess.run([node, "scripts/bundle.mjs"], cwd=ROOT, check=True, timeout=120)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = (
        shutil.which("chromium-headless-shell")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if path is None:
        assert not os.environ.get("CI"), "CI needs Chromium"
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A watched page. It depends on the server, so that it is closed before the server stops."""
    with watched(browser, request.node.name) as page:
        yield page


@contextmanager
def watched(browser: Browser, name: str, expected: str = "no such error") -> Iterator[Page]:
    """A page that fails the test on any error in the console of it or its context's other pages.

    Errors of refused values, and errors that contain `expected`, are allowed. A test that fails
    leaves a picture of it in ARTIFACTS.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        is_refusal = "status of 500" not in message.text and (
            "/api/v1/" in message.location["url"] or "status of 422" in message.text
        )
        if (
            message.type == "error"
            and not is_refusal
            and expected not in message.text
            and "favicon" not in message.text
        ):
            problems.append(f"{message.location['url']}: {message.text}")

    def watch(page: Page) -> None:
        page.on("console", note)
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error.stack or error}"))

    context.on("page", watch)
    context.set_default_timeout(60_000)
    page = context.new_page()
    open_pages.append(page)
    yield page
    keep_picture(page, name, full_page=True)
    if page in open_pages:  # A failed test has left the list.
        open_pages.remove(page)
    context.close()
    assert not problems


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep pictures of the pages of a test that fails."""
    report = yield
    if report.when == "call" and report.failed:
        for page in open_pages:
            with suppress(Error):  # The test may have closed it, or its process has ended.
                page.screenshot(path=ARTIFACTS / f"failed-{item.name}.png", full_page=True)
        open_pages.clear()
    return report


def job_of(page: Page) -> str:
    """The id of the job that a page shows. Its address may have the look of the page too."""
    return urlsplit(page.url).path.rpartition("/")[2]


def keep_picture(target: Page | Locator, name: str, full_page: bool = False) -> None:
    """Keep a picture for a person to look at, where TEST_PICTURES is set."""
    path = ARTIFACTS / f"{name}.png"
    if KEEP_PICTURES and isinstance(target, Page):
        target.screenshot(path=path, full_page=full_page)
    elif KEEP_PICTURES:
        target.screenshot(path=path)
