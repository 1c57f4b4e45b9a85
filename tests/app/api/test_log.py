"""Tests of reading a worker log in parts."""

from pathlib import Path

import pytest

from app.catalog.worker_log import MAX_BYTES, part
from tests.conftest import Clip
from tests.support.server import Server


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def test_a_missing_log_is_empty(log: Path) -> None:
    empty = {"text": "", "from": 0, "next": 0, "size": 0}
    assert part(log, None) == part(log, 0) == part(log, 99) == empty
    log.touch()
    assert part(log, None) == part(log, 5) == empty


def test_a_part_starts_at_the_offset(log: Path) -> None:
    log.write_text("one\ntwo\n")
    first = part(log, None)
    assert first == {"text": "one\ntwo\n", "from": 0, "next": 8, "size": 8}
    assert part(log, 8) == {"text": "", "from": 8, "next": 8, "size": 8}
    log.write_text("one\ntwo\nthree")
    assert part(log, 8) == {"text": "three", "from": 8, "next": 13, "size": 13}


def test_an_offset_beyond_the_end_restarts_at_0(log: Path) -> None:
    log.write_text("new\n")
    assert part(log, 5) == {"text": "new\n", "from": 0, "next": 4, "size": 4}


@pytest.mark.parametrize("character", ["é", "–", "🎞"])
def test_a_character_is_never_cut(log: Path, character: str) -> None:
    encoded = character.encode()
    for count in range(1, len(encoded)):
        log.write_bytes(b"a" + encoded[:count])
        assert part(log, 0) == {"text": "a", "from": 0, "next": 1, "size": 1 + count}
    log.write_bytes(b"a" + encoded)
    assert part(log, 1)["text"] == character
    log.write_text(character * MAX_BYTES, encoding="utf-8")
    text, next = "", 0
    while (piece := part(log, next))["text"]:
        assert piece["next"] - piece["from"] <= MAX_BYTES
        text, next = text + piece["text"], piece["next"]
    assert text == character * MAX_BYTES


def test_invalid_bytes_are_replaced(log: Path) -> None:
    log.write_bytes(b"a\xffb\n\x9f\x98c")
    assert part(log, 0)["text"] == "a\ufffdb\n\ufffd\ufffdc"


def test_the_end_of_a_long_log_begins_with_a_line(log: Path) -> None:
    lines = [f"{number}: ünïcödé\n" for number in range(20_000)]
    log.write_text("".join(lines), encoding="utf-8")
    end = part(log, None)
    shown = end["text"].splitlines(keepends=True)
    assert shown == lines[-len(shown) :]
    assert MAX_BYTES - 30 < end["next"] - end["from"] <= MAX_BYTES
    assert end["next"] == end["size"] == log.stat().st_size


def test_a_line_that_begins_at_the_limit_is_complete(log: Path) -> None:
    log.write_bytes(b"a\n" + b"b" * (MAX_BYTES - 1) + b"\n")
    assert part(log, None)["text"] == "b" * (MAX_BYTES - 1) + "\n"


def test_a_line_longer_than_a_part(log: Path) -> None:
    """Covers a progress bar that redraws itself, and text without line breaks."""
    log.write_bytes(b"".join(b"\r%d of 100000" % done for done in range(20_000)) + b"\n")
    assert part(log, None)["text"].startswith("1")
    assert part(log, None)["text"].endswith("19999 of 100000\n")
    log.write_text("🎞" * MAX_BYTES, encoding="utf-8")
    assert set(part(log, None)["text"]) == {"🎞"}
    log.write_text("a" + "🎞" * MAX_BYTES + "\n", encoding="utf-8")
    assert set(part(log, None)["text"]) == {"🎞", "\n"}


def test_the_log_route(server: Server, clip: Clip) -> None:
    id = server.dataset(clip)
    server.wait(id, "done")
    log = server.home / "jobs" / id / "worker.log"
    log.write_text("a\rb\r\nc")
    assert server.call(f"/jobs/{id}/log") == (
        200,
        {"text": "a\rb\r\nc", "from": 0, "next": 6, "size": 6},
    )
    assert server.call(f"/jobs/{id}/log?from=4")[1] == {
        "text": "\nc",
        "from": 4,
        "next": 6,
        "size": 6,
    }
    assert server.call(f"/jobs/{id}/log?from=")[1]["from"] == 0
    log.unlink()
    assert server.call(f"/jobs/{id}/log?from=6")[1] == {"text": "", "from": 0, "next": 0, "size": 0}
    for wrong, why in (
        ("-1", "Must be at least 0."),
        ("x", "Must be a whole number."),
        ("1.5", "Must be a whole number."),
        ("9" * 16, "Must be at most 1e+15."),
    ):
        status, response = server.call(f"/jobs/{id}/log?from={wrong}")
        assert (status, response["error"]["fields"]["from"]) == (422, why)
    assert server.call("/jobs/abcdefgh/log")[0] == 404
