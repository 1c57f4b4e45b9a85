"""Frame types and QPs of macroblocks, compared with those that the ffmpeg command prints."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.media.coding import Coding, decode_map, encode_map, plane_of
from jobs.media.video import frames

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def encode(path: Path, *options: str, size: str = "176x144") -> Path:
    """Encode ten frames of a test pattern with the ffmpeg command."""
    source = f"testsrc2=size={size}:rate=25,noise=c0s=20:c0f=t"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", "10"]
    subprocess.run([*command, *options, str(path)], check=True)
    return path


def codings(path: Path) -> list[Coding]:
    return [frame.coding for frame in frames(path, qps=True)]


def printed(path: Path) -> list[tuple[str, list[list[int]]]]:
    """The type of each frame and the QPs of its macroblocks by `ffmpeg -debug qp`."""
    command = ["ffmpeg", "-threads", "1", "-loglevel", "debug", "-debug", "qp", "-i", str(path)]
    log = subprocess.run([*command, "-f", "null", "-"], capture_output=True, check=True).stderr
    result: list[tuple[str, list[list[int]]]] = []
    for line in log.decode().splitlines():
        if start := re.search(r"New frame, type: (\w)", line):
            result.append((start[1], []))
        elif result and (row := re.fullmatch(r"\[h264 @ \w+\] ((?:[ \d]\d)+)", line)):
            result[-1][1].append([int(row[1][at : at + 2]) for at in range(0, len(row[1]), 2)])
    return result


@needs_ffmpeg
def test_a_constant_qp_has_flat_maps_by_frame_type(tmp_path: Path) -> None:
    found = codings(encode(tmp_path / "clip.h264", "-c:v", "libx264", "-qp", "37"))
    qps = {"I": {34}, "P": {37}, "B": {38, 39}}
    assert {coding.type for coding in found} == {"I", "P", "B"}
    for coding in found:
        assert coding.type is not None
        assert coding.qp is not None
        assert coding.qp.shape == (9, 11)
        assert set(coding.qp.flat) <= qps[coding.type]
        assert len(set(coding.qp.flat)) == 1


@needs_ffmpeg
@pytest.mark.parametrize(
    "options",
    [("-crf", "30"), ("-crf", "30", "-x264-params", "slices=3:threads=1"), ("-b:v", "200k")],
)
def test_the_maps_are_those_that_ffmpeg_prints(options: tuple[str, ...], tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.h264", "-c:v", "libx264", *options, size="150x98")
    found, expected = codings(path), printed(path)
    assert len(found) == len(expected) == 10
    for coding, (type, rows) in zip(found, expected, strict=True):
        assert coding.type == type
        assert coding.qp is not None
        assert coding.qp.tolist() == rows
    assert any(len(set(coding.qp.flat)) > 3 for coding in found if coding.qp is not None)


@needs_ffmpeg
def test_the_maps_do_not_depend_on_threads(media: Path) -> None:
    """FFmpeg's frame threads give maps that are not decoded yet, for one frame in 20 to 40."""
    path = media / "clips" / "bikes.mp4"
    found, expected = codings(path), printed(path)
    assert len(found) == len(expected) == 250
    for number, (coding, (type, rows)) in enumerate(zip(found, expected, strict=True)):
        assert coding.qp is not None
        assert (coding.type, coding.qp.tolist()) == (type, rows), number


@needs_ffmpeg
def test_ten_bits_count_as_the_same_qp_as_eight(tmp_path: Path) -> None:
    """The QP of x264's option is that of the standard plus 12 for 10 bits."""
    options = ("-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-qp", "37", "-bf", "0")
    found = codings(encode(tmp_path / "clip.mkv", *options))
    assert [set(coding.qp.flat) for coding in found[1:] if coding.qp is not None] == [{25}] * 9


@needs_ffmpeg
@pytest.mark.parametrize(
    ("codec", "type"),
    [("mpeg2video", "P"), ("mpeg4", "P"), ("libvpx-vp9", "P"), ("ffv1", "I"), ("libx265", "B")],
)
def test_other_codecs_have_frame_types_but_no_qps(codec: str, type: str, tmp_path: Path) -> None:
    found = codings(encode(tmp_path / "clip.mkv", "-c:v", codec, "-pix_fmt", "yuv420p"))
    assert found[0].type == "I"
    assert type in {coding.type for coding in found}
    assert all(coding.qp is None for coding in found)


def test_a_stream_that_cuts_off_whole_macroblocks_has_no_map(media: Path) -> None:
    """CVFC1 shows 326x168 of 352x288; FFmpeg does not say which part."""
    first = next(frames(media / "h264" / "CVFC1_Sony_C.jsv", qps=True))
    assert first.frame.width == 326
    assert first.coding == Coding("I", None)


def counting_map() -> NDArray[np.uint8]:
    return np.arange(18 * 22, dtype=np.uint8).reshape(18, 22) % 52


@pytest.mark.parametrize(
    "part",
    [(0, 0, 288, 352), (0, 0, 287, 351), (16, 32, 64, 64), (7, 31, 50, 33), (271, 335, 17, 17)],
)
def test_a_part_of_a_map_gives_the_part_of_the_plane(part: tuple[int, int, int, int]) -> None:
    top, left, height, width = part
    whole = np.repeat(np.repeat(counting_map() * 5, 16, 0), 16, 1)
    map = decode_map(encode_map(counting_map(), top, left, height, width))
    plane = plane_of(map, height, width, top, left)
    assert np.array_equal(plane, whole[top : top + height, left : left + width])


def test_without_a_map_the_plane_is_zero() -> None:
    assert decode_map(encode_map(None, 0, 0, 8, 8)) is None
    assert np.array_equal(plane_of(None, 3, 5), np.zeros((3, 5)))
