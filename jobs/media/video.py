"""Pictures out of videos: opening, decoding, and what a stream says about itself.

Colour: frames become RGB as the ffmpeg command makes them, bit for bit: by libswscale, with the matrix
and range that the stream signals, BT.601 and limited range where it signals none.
"""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Colorspace, VideoReformatter

from jobs.core.errors import JobError
from jobs.core.limits import too_large
from jobs.core.suffixes import RAW_H264
from jobs.media.images import Picture
from jobs.specs.dataset import RawVideo

# Playlists and other formats that name further files or addresses are not among them.
SAFE = {
    "protocol_whitelist": "file",
    "format_whitelist": "h264,hevc,mov,matroska,mpegts,yuv4mpegpipe,rawvideo,avi,ivf,flv,mpeg,mpegvideo,m4v,ogg,mxf,nut,asf",
}

BITS_A_PIXEL = {
    "yuv420p": 12,
    "nv12": 12,
    "yuv422p": 16,
    "yuv444p": 24,
    "gray": 8,
    "rgb24": 24,
    "bgr24": 24,
}

NAMED_SIZE = re.compile(r"(?<!\d)(\d{2,5})x(\d{2,5})(?!\d)")
"""clip_352x288.yuv: how raw video says its size by custom."""

UNSPECIFIED = 2
MATRICES = {1: "BT.709", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020"}
"""matrix_coefficients of ITU-T H.273."""
SWS_MATRICES = {
    1: Colorspace.ITU709,
    5: Colorspace.ITU601,
    6: Colorspace.SMPTE170M,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}

Warn = Callable[[str], None]
Load = Callable[[], Picture]
"""Makes a picture when it is needed: frames that are passed over cost nothing but their decoding."""


@dataclass(frozen=True)
class Colour:
    """How a stream's Y, Cb and Cr are meant: matrix_coefficients and full range (2 and None: not signalled)."""

    matrix: int = UNSPECIFIED
    full_range: bool | None = None

    @property
    def name(self) -> str:
        """BT.709 or BT.601, …: what is computed with."""
        return MATRICES.get(self.matrix, "BT.601")

    def words(self) -> str:
        """ "BT.601 (not signalled), limited range" """
        signalled = "" if self.matrix in MATRICES else " (not signalled)"
        return f"{self.name}{signalled}, {'full' if self.full_range else 'limited'} range"


@dataclass(frozen=True)
class Facts:
    """What a probe says of a video; `frames` is counted from packets, not decoded; rates in 1/s and bit/s."""

    codec: str
    profile: str
    width: int
    height: int
    pixel_format: str
    frame_rate: float | None
    frames: int
    bit_rate: float | None
    colour: Colour
    rate: str | None
    qp: float | None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "colour": self.colour.words(), "matrix": self.colour.name}


def nothing(text: str) -> None:
    """Takes a warning that nobody wants to hear."""


def open_video(path: Path, raw: RawVideo | None = None) -> InputContainer:
    """Open a video. Raises JobError for what is none, or has no pictures in it."""
    ending = path.suffix.lower()
    options = dict(SAFE)
    if ending == ".yuv":
        options |= _raw_options(path, raw or RawVideo())
    form = "h264" if ending in RAW_H264 else "rawvideo" if ending == ".yuv" else None
    try:
        container = av.open(str(path), format=form, options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise JobError(
            f"{path.name} is no video that can be read: {_words(error)}. Give an H.264 stream."
        ) from error
    if not container.streams.video:
        container.close()
        raise JobError(f"{path.name} has no video in it. Give an H.264 stream.")
    return container


def _raw_options(path: Path, raw: RawVideo) -> dict[str, str]:
    named = NAMED_SIZE.search(path.name)
    width, height = (
        (raw.width, raw.height)
        if (raw.width and raw.height) or not named
        else (int(named[1]), int(named[2]))
    )
    if width is None or height is None:
        raise JobError(
            f"{path.name} is raw video, which does not say its size: give its width, height and pixel format."
        )
    size = width * height * BITS_A_PIXEL[raw.pixel_format] // 8
    if path.stat().st_size % size:
        raise JobError(
            f"{path.name} has {path.stat().st_size:,} bytes, which is no whole number of frames of {width}x{height} in "
            f"{raw.pixel_format} ({size:,} bytes each). Give the right size and pixel format."
        )
    return {"video_size": f"{width}x{height}", "pixel_format": raw.pixel_format}


def decode_frames(
    path: Path, warn: Warn = nothing, raw: RawVideo | None = None
) -> Iterator[av.VideoFrame]:
    """The frames of a video's first video stream, in display order.

    A packet that cannot be decoded is reported to `warn` and passed over, as players do: whether
    frames are missing is for the caller to find out. Raises JobError where the file is no video.
    """
    with open_video(path, raw) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        packets = container.demux(video)
        number = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                warn(f"{path.name} breaks off behind frame {number - 1}: {_words(error)}")
                return
            try:
                for frame in packet.decode():
                    yield frame
                    number += 1
            except av.error.FFmpegError as error:
                warn(
                    f"{path.name}: what follows frame {number - 1} cannot be decoded ({_words(error)})"
                )


def frames(
    path: Path, warn: Warn = nothing, raw: RawVideo | None = None, like: Colour | None = None
) -> Iterator[Load]:
    """The frames of a video, converted to RGB when they are asked for; `like` tells the colour where the video does not."""
    for frame in decode_frames(path, warn, raw):
        yield partial(to_picture, frame, like)


def decode(path: Path, warn: Warn = nothing) -> Iterator[Picture]:
    """The frames of a video as RGB."""
    return (load() for load in frames(path, warn))


_own = threading.local()
"""A reformatter keeps tables for the last kind of frame, and belongs to one thread."""


def reformat(frame: av.VideoFrame, format: str, **options: Any) -> av.VideoFrame:
    if not hasattr(_own, "reformatter"):
        _own.reformatter = VideoReformatter()
    converted: av.VideoFrame = _own.reformatter.reformat(frame, format=format, threads=1, **options)
    return converted


def to_picture(frame: av.VideoFrame, like: Colour | None = None) -> Picture:
    """RGB uint8 (H, W, 3). Raises JobError for a frame over the limit of memory."""
    why = too_large(frame.width, frame.height)
    if why:
        raise JobError(f"A frame is refused: {why}.")
    options: dict[str, Any] = {}
    if like is not None and frame.colorspace == UNSPECIFIED and like.matrix in SWS_MATRICES:
        options["src_colorspace"] = SWS_MATRICES[like.matrix]
    if like is not None and frame.color_range == 0 and like.full_range is not None:
        options["src_color_range"] = 2 if like.full_range else 1
    plane = reformat(frame, "rgb24", **options).planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(frame.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : frame.width * 3]).reshape(frame.height, frame.width, 3)


def colour_of(frame: av.VideoFrame) -> Colour:
    return Colour(int(frame.colorspace), {1: False, 2: True}.get(int(frame.color_range)))


def facts(path: Path, raw: RawVideo | None = None) -> Facts:
    """What a video says about itself. Raises JobError where no frame of it decodes."""
    first = next(decode_frames(path, raw=raw), None)
    if first is None:
        raise JobError(
            f"No frame of {path.name} could be decoded. Give a stream with pictures in it."
        )
    with open_video(path, raw) as container:
        video = container.streams.video[0]
        context = video.codec_context
        rate = video.average_rate or video.guessed_rate
        count, size = _count_packets(container)
    qp, words = rate_of(path)
    return Facts(
        codec=context.name,
        profile=str(context.profile or ""),
        width=first.width,
        height=first.height,
        pixel_format=first.format.name,
        frame_rate=float(rate) if rate else None,
        frames=count,
        bit_rate=size * 8 * float(rate) / count if rate and count else None,
        colour=colour_of(first),
        rate=words,
        qp=qp,
    )


def _count_packets(container: InputContainer) -> tuple[int, int]:
    """(packets, bytes) of the first video stream: one packet is one frame, which need not be decoded for that."""
    count = size = 0
    try:
        for packet in container.demux(container.streams.video[0]):
            count += packet.size > 0
            size += packet.size
    except av.error.FFmpegError:
        pass  # What can be read is counted; decoding reports where it breaks off.
    return count, size


def count_frames(path: Path, raw: RawVideo | None = None) -> int:
    """How many frames the packets of a video hold."""
    with open_video(path, raw) as container:
        return _count_packets(container)[0]


X264 = re.compile(rb"x264 - core.{0,200}?options: ([\x20-\x7e]*)", re.DOTALL)
NAMED_QP = re.compile(r"qp[_-]?(\d{1,2})(?!\d)", re.IGNORECASE)


def rate_of(path: Path) -> tuple[float | None, str | None]:
    """(QP, "QP 37"), (None, "CRF 23") or (None, "500 kbit/s"): by the note that x264 leaves in its streams, else by the
    file's name (clip_qp37.264)."""
    with path.open("rb") as file:
        note = X264.search(file.read(2**18))
    told = (
        dict(part.split("=", 1) for part in note[1].decode().split() if "=" in part) if note else {}
    )
    if told.get("rc") == "cqp" and told.get("qp", "").isdigit():
        return float(told["qp"]), f"QP {told['qp']}"
    if told.get("rc") == "crf" and "crf" in told:
        return None, f"CRF {told['crf'].rstrip('0').rstrip('.')}"
    if "bitrate" in told:
        return None, f"{told['bitrate']} kbit/s"
    named = NAMED_QP.search(path.stem)
    return (float(named[1]), f"QP {int(named[1])}") if named else (None, None)


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
