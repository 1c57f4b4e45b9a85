"""Names of files that programs take for something else."""

from pathlib import Path

import pytest

from jobs.media.video import decode, open_video
from tests.conftest import Clip
from tests.jobs.restoring.test_video import identity, run
from tests.support.field_datasets import field_file

NAMES = [
    "cam12:30",
    "file:cam",
    "http:",
    "pipe:0",
    "a:b:c",
    "concat:x|y",
    "data:,",
    "-i",
    "%03d",
    "ä:ö",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extension", [".h264", ".mkv"])
def test_a_relative_path_is_a_file_whatever_its_name(
    name: str, extension: str, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}{extension}").write_bytes(clip[0].read_bytes())
    monkeypatch.chdir(tmp_path)
    with open_video(Path(f"{name}{extension}")) as container:
        assert container.streams.video
    assert next(iter(decode(Path(f"{name}{extension}")))).shape[2] == 3


def test_the_sample_with_a_colon_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(field_file("cam12:30.mp4").parent)
    with open_video(Path("cam12:30.mp4")) as container:
        assert container.streams.video


@pytest.mark.parametrize("name", ["a:b.mkv", "http:.mp4", "file:out.ts"])
def test_a_relative_output_is_a_file_whatever_its_name(
    name: str, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(clip[0], Path(name), identity())
    assert (done.why, done.frames) == ("", 24)
    assert Path(name).is_file()
