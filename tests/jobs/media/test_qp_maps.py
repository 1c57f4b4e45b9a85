"""Frame types and QPs of macroblocks, compared with those that the ffmpeg command prints."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.media.images import ImageFile, read
from jobs.media.qp_maps import Coding, decode_map, encode_map, plane_of
from jobs.media.video import frames

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def encode(path: Path, *options: str, size: str = "176x144") -> Path:
    """Encode ten frames of a test pattern with the ffmpeg command."""
    source = f"testsrc2=size={size}:rate=25,noise=c0s=20:c0f=t"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", "10"]
    subprocess.run([*command, *options, str(path)], check=True, timeout=120)
    return path


def codings(path: Path) -> list[Coding]:
    return [frame.coding for frame in frames(path, qps=True)]


def printed(path: Path) -> list[tuple[str, list[list[int]]]]:
    """The type of each frame and the QPs of its macroblocks by `ffmpeg -debug qp`."""
    command = ["ffmpeg", "-threads", "1", "-loglevel", "debug", "-debug", "qp", "-i", str(path)]
    log = subprocess.run(
        [*command, "-f", "null", "-"], capture_output=True, check=True, timeout=120
    ).stderr
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
@pytest.mark.parametrize(("codec", "type"), [("ffv1", "I"), ("libx265", "B"), ("libsvtav1", "P")])
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


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video", "mpeg4", "flv", "h263p"])
@pytest.mark.parametrize(("quantiser", "qp"), [(4, 22), (6, 26), (12, 32)])
def test_quantisers_of_mpeg_become_the_qp_with_equal_steps(
    codec: str, quantiser: int, qp: int, tmp_path: Path
) -> None:
    """The step is twice the quantiser, and that of H.264 is 1 at QP 4 and doubles every six."""
    limits = ("-qmin", str(quantiser), "-qmax", str(quantiser), "-b:v", "100M")
    found = codings(encode(tmp_path / "clip.avi", "-c:v", codec, *limits))
    assert len(found) == 10
    # FFmpeg's decoders of MPEG-1 and MPEG-2 report nothing of the last frame.
    for coding in found[:-1]:
        assert coding.qp is not None
        assert coding.qp.shape == (9, 11)
        assert set(coding.qp.flat) == {qp}


@needs_ffmpeg
def test_q_indices_of_vp9_become_qps_by_frame_and_by_segment(tmp_path: Path) -> None:
    def mean_qp(crf: int, *more: str) -> float:
        options = ("-c:v", "libvpx-vp9", "-crf", str(crf), "-b:v", "0", "-cpu-used", "8", *more)
        found = codings(encode(tmp_path / "clip.webm", *options))
        maps = [coding.qp for coding in found if coding.qp is not None]
        assert len(maps) == 10
        assert all(map.shape == (9, 11) for map in maps)
        if not more:
            assert all(map.min() == map.max() for map in maps)
        else:
            assert any(map.min() < map.max() for map in maps)
        return float(np.mean(maps))

    assert 18 < mean_qp(24) < mean_qp(40) < mean_qp(56) < 51
    assert 18 < mean_qp(40, "-aq-mode", "1") < 51


@needs_ffmpeg
def test_vp9_without_loss_has_the_least_qp(tmp_path: Path) -> None:
    """Q index 0 has steps of half a grey level: QP -2, or 0 on our scale."""
    found = codings(encode(tmp_path / "clip.webm", "-c:v", "libvpx-vp9", "-lossless", "1"))
    assert {int(coding.qp.max()) for coding in found if coding.qp is not None} == {0}


@pytest.mark.parametrize(("quality", "qp"), [(10, 42), (50, 28), (90, 14), (100, 4)])
def test_tables_of_jpeg_become_a_qp(quality: int, qp: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=quality)
    coding = read(path).coding
    assert coding.qp is not None
    assert coding.qp.shape == (3, 4)
    assert set(coding.qp.flat) == {qp}
    assert ImageFile(path).coding.qp is not None


def test_a_jpeg_on_its_side_has_the_map_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "a.jpg"
    Image.new("RGB", (64, 16)).save(path, exif=exif)
    reading = read(path)
    assert reading.picture.shape == (64, 16, 3)
    assert reading.coding.qp is not None
    assert reading.coding.qp.shape == (4, 1)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp"])
def test_other_images_have_no_qp(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.new("RGB", (32, 16)).save(path)
    assert read(path).coding == ImageFile(path).coding == Coding()
