"""Decoding compared with the ffmpeg command, and the metadata of streams."""

import shutil
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from jobs.core.errors import JobError
from jobs.media import video
from jobs.media.h264 import encode
from jobs.media.images import Picture
from jobs.media.video import decode, decode_frames, facts
from jobs.specs.sources import RawVideo

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
MAX_FRAMES = 30
VIDEO_FORMATS = (
    *("gray", "gray10le", "nv12", "p010le", "yuva420p", "yuvj420p", "yuyv422"),
    *("yuv410p", "yuv411p", "yuv420p", "yuv420p10le", "yuv422p", "yuv422p12le", "yuv440p"),
    *("yuv444p", "yuv444p16le"),
)

FRAMES = {
    "BA_MW_D.264": 100,
    "CVFC1_Sony_C.jsv": 50,
    "test_vd_rc.264": 9,
    "MR1_BT_A.h264": 62,
    "Static.264": 10,
}


@pytest.mark.parametrize(("name", "frames"), FRAMES.items())
def test_frames_of_real_streams_are_counted(name: str, frames: int, media: Path) -> None:
    assert video.facts(media / "h264" / name).frames == frames


def ffmpeg(stream: Path, pixel_format: str) -> bytes:
    """The first frames, decoded by the ffmpeg command."""
    raw = ["-f", "h264"] if stream.suffix in (".264", ".h264", ".jsv") else []
    command = [
        "ffmpeg",
        "-v",
        "quiet",
        *raw,
        "-i",
        str(stream),
        "-vsync",
        "passthrough",
        "-frames:v",
        str(MAX_FRAMES),
        "-sws_flags",
        "bicubic+accurate_rnd+full_chroma_int",
    ]
    return subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", pixel_format, "-"],
        capture_output=True,
        check=False,
        timeout=120,
    ).stdout


def same_as_ffmpeg(stream: Path) -> int:
    """Compare frames until their size changes (the command then scales).

    Return the number of equal frames.
    """
    frames = list(islice(decode_frames(stream), MAX_FRAMES))
    if not frames:
        assert ffmpeg(stream, "rgb24") == b""
        return 0
    height, width = frames[0].height, frames[0].width
    rgb = np.frombuffer(ffmpeg(stream, "rgb24"), np.uint8).reshape(-1, height, width, 3)
    planes = np.frombuffer(ffmpeg(stream, frames[0].format.name), np.uint8).reshape(len(rgb), -1)
    assert len(rgb) == len(frames)
    for number, frame in enumerate(frames):
        if (frame.height, frame.width) != (height, width):
            return number
        luma = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(
            -1, frame.planes[0].line_size
        )[:height, :width]
        assert np.array_equal(luma, planes[number, : height * width].reshape(height, width)), (
            f"Y of frame {number}"
        )
        assert np.array_equal(video.to_picture(frame), rgb[number]), f"RGB of frame {number}"
    return len(frames)


@needs_ffmpeg
def test_every_real_stream_decodes_as_ffmpeg_does(media: Path) -> None:
    streams = (
        sorted((media / "h264").iterdir())
        + sorted((media / "clips").glob("*.264"))
        + sorted((media / "clips").glob("*.mp4"))
    )
    equal = {stream.name: same_as_ffmpeg(stream) for stream in streams}
    assert sum(equal.values()) > 400
    assert [name for name, frames in equal.items() if frames == 0] == ["sps_subsetsps_bothVUI.264"]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv422p", "yuv444p", "nv12"])
@pytest.mark.parametrize("convert", [video.to_picture, video.to_deep_picture])
def test_frames_are_as_bright_in_rgb_as_in_yuv(
    pixel_format: str, convert: Callable[[av.VideoFrame], NDArray[Any]]
) -> None:
    gray = np.tile(np.linspace(20, 235, 256).astype(np.uint8)[None, :, None], (64, 1, 3))
    frame = av.VideoFrame.from_ndarray(gray, format="rgb24").reformat(format=pixel_format)
    rgb = convert(frame)
    scale = 256 if rgb.dtype == np.uint16 else 1
    assert abs((rgb / scale - gray).mean()) < 0.1  # Without accurate rounding it is -0.5 to -1.8.


@pytest.mark.parametrize("pixel_format", VIDEO_FORMATS)
@pytest.mark.parametrize(("width", "height"), [(352, 288), (1279, 33), (9, 2)])
def test_frames_become_the_same_rgb_as_by_one_conversion(
    pixel_format: str, width: int, height: int
) -> None:
    random = np.random.default_rng(1)
    frame = av.VideoFrame(width, height, pixel_format)
    bits = frame.format.components[0].bits
    dtype = np.uint16 if bits > 8 else np.uint8
    unused = 6 if pixel_format == "p010le" else 0  # Bits below the value.
    for plane in frame.planes:
        values = random.integers(0, 2**bits, plane.buffer_size // np.dtype(dtype).itemsize, dtype)
        plane.update((values << unused).tobytes())
    rgb = frame.reformat(format="rgb24", interpolation=video.ACCURATE)
    assert np.array_equal(video.to_picture(frame), rgb.to_ndarray())
    bt709 = frame.reformat(
        format="rgb24", interpolation=video.ACCURATE, src_colorspace=1, src_color_range=2
    )
    assert np.array_equal(video.to_picture(frame, video.Colour(1, True)), bt709.to_ndarray())


@needs_ffmpeg
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg"])
@pytest.mark.parametrize("signalled_range", ["tv", "pc"])
def test_the_signalled_matrix_and_range_are_used(
    matrix: str, signalled_range: str, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    stream = tmp_path / "signalled.h264"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(clip[0]),
        "-frames:v",
        "3",
        "-vf",
        f"scale=out_range={signalled_range}",
        "-c:v",
        "libx264",
    ]
    subprocess.run(
        [
            *command,
            "-qp",
            "20",
            "-colorspace",
            matrix,
            "-color_range",
            signalled_range,
            str(stream),
        ],
        check=True,
        timeout=120,
    )
    assert same_as_ffmpeg(stream) == 3
    colour = facts(stream).colour
    assert (colour.name, colour.full_range) == (
        "BT.709" if matrix == "bt709" else "BT.601",
        signalled_range == "pc",
    )
    unsignalled = video.to_picture(next(decode_frames(clip[0])))
    assert not np.array_equal(unsignalled, next(decode(stream))), "the signal has an effect"


@pytest.mark.parametrize(("height", "name"), [(64, "BT.601"), (720, "BT.709")])
def test_our_streams_keep_colour_and_signal_their_matrix(
    height: int, name: str, tmp_path: Path
) -> None:
    flat = np.empty((height, 96, 3), np.uint8)
    flat[:] = (200, 40, 90)
    encode(iter([flat] * 2), tmp_path / "flat.h264", {"qp": "10"})
    decoded = next(decode(tmp_path / "flat.h264"))
    assert np.abs(decoded.astype(int) - flat).max() <= 3
    assert facts(tmp_path / "flat.h264").colour.describe() == f"{name}, limited range"


def test_an_odd_last_row_and_column_are_left_out(tmp_path: Path) -> None:
    encode(iter([np.zeros((65, 97, 3), np.uint8)]), tmp_path / "odd.h264", {"qp": "20"})
    assert next(decode(tmp_path / "odd.h264")).shape == (64, 96, 3)


def test_pictures_of_different_sizes_are_refused(tmp_path: Path) -> None:
    sizes: list[Picture] = [np.zeros((64, 96, 3), np.uint8), np.zeros((64, 98, 3), np.uint8)]
    with pytest.raises(JobError, match="Original 1 is 98×64, but the first is 96×64"):
        encode(iter(sizes), tmp_path / "two.h264", {"qp": "20"})


def test_the_rate_control_of_a_stream_is_found(
    clip: tuple[Path, Path], tmp_path: Path, media: Path
) -> None:
    assert (facts(clip[0]).qp, facts(clip[0]).rate) == (37, "QP 37")
    assert facts(media / "clips" / "bikes.mp4").rate == "CRF 23"
    pictures = [np.zeros((64, 96, 3), np.uint8)] * 3
    encode(iter(pictures), tmp_path / "b.h264", {"b": "100k"})
    assert facts(tmp_path / "b.h264").rate == "100 kbit/s"


def test_the_size_of_raw_video_comes_from_its_name_or_the_settings(
    media: Path, tmp_path: Path
) -> None:
    real = media / "clips" / "two_people_320x192_12fps_yuv420p.yuv"
    assert (facts(real).frames, facts(real).width, facts(real).height) == (9, 320, 192)
    unnamed = tmp_path / "raw.yuv"
    unnamed.symlink_to(real)
    assert facts(unnamed, RawVideo(width=320, height=192)).frames == 9
    with pytest.raises(JobError, match=r"raw.yuv is raw video without a size in its name"):
        facts(unnamed)
    with pytest.raises(JobError, match="not a multiple of a frame of 322×192"):
        facts(unnamed, RawVideo(width=322, height=192))


def test_a_playlist_does_not_open_the_files_it_lists(
    clip: tuple[Path, Path], tmp_path: Path
) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip[0]}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(JobError, match=r"list.mp4 cannot be read as a video"):
        facts(playlist)
