"""The table of frequent changes in CONTRIBUTING.md names files and functions that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
CHANGES = re.findall(r"^\| ((?:add|change|see) [^|]+) \| (.+) \|$", TEXT, re.MULTILINE)
COMMANDS = ("make ", "log.append")


@pytest.mark.parametrize(("change", "where"), CHANGES)
def test_the_place_of_a_change_exists(change: str, where: str) -> None:
    quoted = [text for text in re.findall(r"`([^`]+)`", where) if not text.startswith(COMMANDS)]
    paths = [ROOT / text for text in quoted if "/" in text]
    assert paths
    assert all(path.exists() for path in paths)
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    texts = [file.read_text() for file in files]
    for name in (text.partition("(")[0] for text in quoted if "/" not in text):
        assert any(name in text for text in texts), f"{change}: {name}"
