"""Accessibility check of a page with axe-core."""

import json
from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"


def serious_findings(page: Page) -> list[str]:
    """One line per element of the violations that axe-core rates serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate(
        "axe.run(document, {resultTypes: ['violations']})"
        ".then(result => JSON.stringify(result.violations))"
    )
    return [
        f"{page.url} {finding['id']}: {node['target']} {node['failureSummary']}"
        for finding in json.loads(violations)
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]
