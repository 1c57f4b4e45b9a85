"""The sample clip of the home page: made once, whole or not at all."""

from pathlib import Path
from threading import Thread

import pytest

from app.errors import is_full
from app.runner import sample
from tests.support.disk import small_disk


def test_it_is_made_once_by_whoever_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "sample"
    both = [Thread(target=sample.clip, args=(folder,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    stream, originals = sample.clip(folder)
    assert stream.stat().st_size > 10_000
    assert len(list(originals.iterdir())) == 96
    assert [path.name for path in folder.parent.iterdir()] == ["sample"]
    before = stream.stat().st_mtime_ns
    assert sample.clip(folder)[0].stat().st_mtime_ns == before


def test_what_cannot_be_stored_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    with small_disk(tmp_path, 4) as disk:
        with pytest.raises(OSError, match=r"could not be made: .*No space left") as refused:
            sample.clip(disk / "uploads" / "sample")
        assert is_full(refused.value)
        assert list((disk / "uploads").iterdir()) == []
