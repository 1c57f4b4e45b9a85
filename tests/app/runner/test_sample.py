"""Tests of the sample clip: it is created once, completely or not at all."""

from pathlib import Path
from threading import Thread

import pytest

from app.runner import sample
from app.temporary_failures import is_full
from tests.support.disk import small_disk


def test_two_concurrent_requests_create_the_clip_once(tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "sample"
    threads = [Thread(target=sample.clip, args=(folder,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    stream, originals = sample.clip(folder)
    assert stream.stat().st_size > 10_000
    assert len(list(originals.iterdir())) == 96
    assert [path.name for path in folder.parent.iterdir()] == ["sample"]
    before = stream.stat().st_mtime_ns
    assert sample.clip(folder)[0].stat().st_mtime_ns == before


def test_a_full_disk_is_reported_and_leaves_no_files(tmp_path: Path) -> None:
    with small_disk(tmp_path, 4) as disk:
        with pytest.raises(OSError, match=r"could not be created: .*No space left") as raised:
            sample.clip(disk / "uploads" / "sample")
        assert is_full(raised.value)
        assert list((disk / "uploads").iterdir()) == []
