"""The browser of the benchmarks that need one; `make setup` alone installs none."""

import shutil
from importlib.util import find_spec

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing_browser() -> str | None:
    """A sentence that says what to install, or None if there is a browser and a driver for it."""
    if find_spec("playwright") is None:
        return "Playwright is not installed. It comes with the test extra: make setup-dev."
    if browser_path() is None:
        return "Chromium is not installed. Install it with the packages of the system."
    return None
