"""Text subtitles of a restored video: in any container, read by the ffmpeg command."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.field.test_video_losses import PICTURES, X264, make, messages
from tests.support.field_datasets import field_file

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

PLAIN = "1\n00:00:00,080 --> 00:00:00,200\nGrüße & 3\n\n2\n00:00:00,240 --> 00:00:00,360\na\nb\n"
STYLED = "1\n00:00:00,080 --> 00:00:00,200\n<i>slanted</i> and <b>bold</b>\n"
SOURCES = {".mp4": "mov_text", ".mov": "mov_text", ".mkv": "srt", ".vtt.mkv": "webvtt"}


def subtitled(folder: Path, extension: str, text: str) -> Path:
    (folder / "text.srt").write_text(text)
    options = ("-c:s", SOURCES[extension], "-metadata:s:s:0", "language=eng")
    inputs = (*PICTURES, "-i", folder / "text.srt")
    return make(folder / f"in{extension}", *inputs, *X264, "-bf", "0", *options)


def as_srt(path: Path) -> str:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:s", "-f", "srt", "-"]
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=120
    ).stdout.strip()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("out", [".mp4", ".mov", ".mkv"])
def test_plain_text_and_its_times_are_kept_in_any_container(
    source: str, out: str, tmp_path: Path
) -> None:
    stream = subtitled(tmp_path, source, PLAIN)
    assert messages(stream, tmp_path / f"out{out}") == ""
    assert as_srt(tmp_path / f"out{out}") == as_srt(stream) == PLAIN.strip()


@pytest.mark.parametrize(("source", "out"), [(".mkv", ".mp4"), (".mp4", ".mkv")])
def test_removed_styles_are_reported(source: str, out: str, tmp_path: Path) -> None:
    text = messages(subtitled(tmp_path, source, STYLED), tmp_path / f"out{out}")
    assert "Styles and positions of the subtitles of stream 1 are removed" in text
    assert as_srt(tmp_path / f"out{out}").endswith("slanted and bold")


@pytest.mark.parametrize("source", SOURCES)
def test_text_that_a_transport_stream_cannot_hold_is_reported(source: str, tmp_path: Path) -> None:
    text = messages(subtitled(tmp_path, source, PLAIN), tmp_path / "out.ts")
    assert "Not copied: stream 1 (subtitle" in text


def test_field_file_keeps_its_line(tmp_path: Path) -> None:
    assert messages(field_file("subtitle.mkv"), tmp_path / "out.mp4") == ""
    assert as_srt(tmp_path / "out.mp4").endswith("hello")
    assert "subtitle, srt" in messages(field_file("subtitle.mkv"), tmp_path / "out.ts")
