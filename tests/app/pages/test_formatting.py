"""Numbers in words: those of the pages as they come are those that scripts write later."""

import json
from typing import Any

import pytest

from app.pages import formatting
from jobs.core.paths import ROOT

CASES: dict[str, list[list[Any]]] = json.loads(
    (ROOT / "tests" / "support" / "formatting.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, cases in CASES.items() for case in cases]
)
def test_words(name: str, case: list[Any]) -> None:
    *values, said = case
    assert getattr(formatting, name)(*values) == said
