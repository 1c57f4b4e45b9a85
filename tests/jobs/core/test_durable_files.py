"""Files that are written completely or not at all."""

import os
from pathlib import Path

import pytest

from jobs.core import durable_files
from jobs.core.durable_files import sync, write_whole


@pytest.mark.parametrize(
    ("data", "content"), [(b"\x00\xff", b"\x00\xff"), ("2 × 3\n", "2 × 3\n".encode()), ("", b"")]
)
@pytest.mark.parametrize("durable", [False, True])
def test_bytes_and_text_replace_an_earlier_file(
    data: bytes | str, content: bytes, durable: bool, tmp_path: Path
) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(b"earlier content")
    write_whole(path, data, durable)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path], "no draft remains"


def test_a_failed_write_keeps_the_earlier_file_and_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:3])
        raise OSError(28, "No space left on device")

    path = tmp_path / "job.json"
    path.write_bytes(b"earlier content")
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new content")
    assert path.read_bytes() == b"earlier content"
    assert list(tmp_path.iterdir()) == [path]


def test_a_durable_write_syncs_the_draft_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []
    path = tmp_path / "state.json"

    def record(target: Path) -> None:
        synced.append((target.name, path.exists()))
        sync(target)

    monkeypatch.setattr(durable_files, "sync", record)
    write_whole(path, "{}")
    assert synced == []
    path.unlink()
    write_whole(path, "{}", durable=True)
    assert synced == [(".state.json", False), (tmp_path.name, True)]


def test_sync_flushes_files_and_folders_and_closes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    (tmp_path / "a").touch()
    for path in (tmp_path / "a", tmp_path):
        sync(path)
    assert len(flushed) == 2
    for descriptor in flushed:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
