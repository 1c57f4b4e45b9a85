"""How a page looks: waits for a state, screenshots in all variants, accessibility by axe-core."""

import json
import time
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.conftest import keep_picture

AXE = Path(__file__).parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"


def until(page: Page, condition: str) -> None:
    """Wait until a condition is true.

    Playwright's own wait for an expression needs eval, which the pages' CSP forbids.
    """
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def let_address_follow(page: Page) -> None:
    """Wait until the address has what was shown before: pages write it 250 ms after a drawing.

    Timers of a page end in their order.
    """
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 300)))")


def check_looks(page: Page, name: str) -> None:
    """Take screenshots in light and dark, wide and narrow; check width and accessibility."""
    page.wait_for_load_state()  # After a click on a link, the new page may still be empty.
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 844})
            until(page, "document.documentElement.scrollWidth <= innerWidth")
            keep_picture(page, f"{name}-{width}-{scheme}", full_page=True)
        # Only the contrast of colours differs between the two.
        assert serious_findings(page, ["color-contrast"] if scheme == "dark" else None) == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})


def layout_shift(page: Page) -> float:
    """How far the contents of the page have moved since it was loaded, without a user's doing.

    The sum of the Layout Instability API: 1 if all of the window moved by its whole height.
    """
    page.wait_for_load_state("networkidle")
    return float(page.evaluate(LAYOUT_SHIFT))


LAYOUT_SHIFT = """() => new Promise(resolve => requestAnimationFrame(() => setTimeout(() => {
  // All that moved until the frame that has just been painted is in the buffer.
  const observer = new PerformanceObserver(() => {});
  observer.observe({ type: "layout-shift", buffered: true });
  const moved = observer.takeRecords().filter((entry) => !entry.hadRecentInput);
  resolve(moved.reduce((sum, entry) => sum + entry.value, 0));
})))"""


def serious_findings(page: Page, rules: list[str] | None = None) -> list[str]:
    """One line per element of the violations that axe-core rates serious or critical.

    `rules`: the names of those to check; all if None.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))  # 650 kB, once a page
    # Preloading makes <style> elements, which the CSP forbids, for one experimental rule.
    options: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = rules
    violations = page.evaluate(
        f"axe.run(document, {json.dumps(options)})"
        ".then(result => JSON.stringify(result.violations))"
    )
    return [
        f"{page.url} {finding['id']}: {node['target']} {node['failureSummary']}"
        for finding in json.loads(violations)
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]
