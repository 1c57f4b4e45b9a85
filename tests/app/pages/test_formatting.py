"""Tests of the formatting of numbers. static/js/base/format.js must pass the same cases."""

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
def test_formatted_text(name: str, case: list[Any]) -> None:
    *values, text = case
    assert getattr(formatting, name)(*values) == text
