"""Pictures from videos: opening, decoding, and the metadata of a stream.

Colour: frames become RGB by libswscale, bit for bit as `ffmpeg -sws_flags ACCURATE` converts them,
with the matrix and range that the stream signals. Without a signal, BT.601 and limited range apply.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import av.filter
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from jobs.core.errors import JobError
from jobs.core.limits import too_large
from jobs.core.paths import open_file
from jobs.core.suffixes import RAW_H264
from jobs.media.images import Picture
from jobs.media.qp_maps import Coding, coding_of, prepare_decoder
from jobs.specs.sources import RawVideo

SAFE_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "h264,hevc,mov,matroska,mpegts,yuv4mpegpipe,rawvideo,avi,ivf,flv,mpeg,"
    "mpegvideo,m4v,ogg,mxf,nut,asf",
}
"""Without playlists and other formats that refer to further files or addresses."""

BITS_PER_PIXEL = {
    "yuv420p": 12,
    "nv12": 12,
    "yuv422p": 16,
    "yuv444p": 24,
    "gray": 8,
    "rgb24": 24,
    "bgr24": 24,
}

SIZE_IN_NAME = re.compile(r"(?<!\d)(\d{2,5})x(\d{2,5})(?!\d)")
"""Raw video usually has its size in its file name: clip_352x288.yuv."""

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

Value = TypeVar("Value", np.uint8, np.uint16)
Warn = Callable[[str], None]
GoOn = Callable[[], bool]
"""Whether to count further frames. It may raise an error to stop the work."""
Load = Callable[[], Picture]
"""Converts a frame to a picture on demand: a skipped frame costs only its decoding."""


@dataclass(frozen=True)
class Colour:
    """The meaning of a stream's Y, Cb and Cr: matrix_coefficients and full range.

    2 and None mean that the stream does not signal them.
    """

    matrix: int = UNSPECIFIED
    full_range: bool | None = None

    @property
    def name(self) -> str:
        """The matrix that is used, such as BT.709; BT.601 without a signal."""
        return MATRICES.get(self.matrix, "BT.601")

    def describe(self) -> str:
        """A description, such as "BT.601 (not signalled), limited range"."""
        signalled = "" if self.matrix in MATRICES else " (not signalled)"
        return f"{self.name}{signalled}, {'full' if self.full_range else 'limited'} range"


@dataclass(frozen=True)
class Facts:
    """The metadata of a video.

    `frames` is estimated unless they were `counted`. `frame_rate` is in 1/s, `bit_rate` in bit/s.
    `rate` describes the encoder's rate control, such as "QP 37".
    """

    codec: str
    profile: str
    width: int
    height: int
    pixel_format: str
    frame_rate: float | None
    frames: int
    counted: bool
    bit_rate: float | None
    colour: Colour
    rate: str | None
    qp: float | None

    @property
    def bits_a_frame(self) -> float | None:
        if self.bit_rate is None or self.frame_rate is None:
            return None
        return round(self.bit_rate / self.frame_rate, 1)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "colour": self.colour.describe(), "matrix": self.colour.name}


def ignore_warning(text: str) -> None:
    """Discard a warning."""


def open_video(path: Path, raw: RawVideo | None = None) -> InputContainer:
    """Open a video.

    Raises JobError for a file that is not a video, has no video stream, or may not be read.
    """
    extension = path.suffix.lower()
    options = dict(SAFE_OPTIONS)
    format = "h264" if extension in RAW_H264 else "rawvideo" if extension == ".yuv" else None
    try:
        # FFmpeg opens the path again, and would follow a link that changes between the two.
        open_file(path).close()
        if extension == ".yuv":
            options |= _raw_options(path, raw or RawVideo())
        container = av.open(str(path.absolute()), format=format, options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise JobError(
            f"{path.name} cannot be read as a video: {_message(error)}. "
            "Give an H.264 stream or another video, such as .mp4 or .mkv."
        ) from error
    if not videos_of(container):
        container.close()
        raise JobError(f"{path.name} contains no video. Give one that does.")
    return container


def videos_of(container: InputContainer) -> list[av.VideoStream]:
    """The video streams of a file. FFmpeg shows its cover art also as such: that is left out."""
    return [stream for stream in container.streams.video if not is_cover(stream)]


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is cover art: a picture for lists of files."""
    return Disposition.attached_pic in stream.disposition


def _raw_options(path: Path, raw: RawVideo) -> dict[str, str]:
    """FFmpeg's options for raw video. Raises JobError for a missing or wrong size."""
    size_in_name = SIZE_IN_NAME.search(path.name)
    width, height = (
        (raw.width, raw.height)
        if (raw.width and raw.height) or not size_in_name
        else (int(size_in_name[1]), int(size_in_name[2]))
    )
    if width is None or height is None:
        raise JobError(
            f"{path.name} is raw video without a size in its name. Give its width, height and "
            "pixel format."
        )
    size = width * height * BITS_PER_PIXEL[raw.pixel_format] // 8
    if path.stat().st_size % size:
        raise JobError(
            f"{path.name} has {path.stat().st_size:,} bytes, which is not a multiple of a frame "
            f"of {width}×{height} in {raw.pixel_format} ({size:,} bytes). Correct the size or "
            "the pixel format."
        )
    return {"video_size": f"{width}x{height}", "pixel_format": raw.pixel_format}


def decode_frames(
    path: Path, warn: Warn = ignore_warning, raw: RawVideo | None = None, qps: bool = False
) -> Iterator[av.VideoFrame]:
    """The frames of a video's first video stream, in display order.

    A packet that cannot be decoded is reported to `warn` and skipped, as players do. The caller
    checks whether frames are missing. Raises JobError for a file that is not a video.
    `qps`: whether the frames have the QPs of their macroblocks (jobs/media/qp_maps.py).
    """
    with open_video(path, raw) as container:
        video = videos_of(container)[0]
        prepare_decoder(video, qps)
        packets = container.demux(video)
        number = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                warn(f"{path.name} cannot be read after frame {number - 1}: {_message(error)}")
                return
            try:
                for frame in packet.decode():
                    yield frame
                    number += 1
            except av.error.FFmpegError as error:
                warn(
                    f"{path.name}: the data after frame {number - 1} cannot be decoded "
                    f"({_message(error)})"
                )


@dataclass(frozen=True)
class DecodedFrame:
    """A Load of a decoded frame. `fallback_colour` applies where it does not signal its colour."""

    frame: av.VideoFrame
    fallback_colour: Colour | None = None

    def __call__(self) -> Picture:
        return to_picture(self.frame, self.fallback_colour)

    @property
    def coding(self) -> Coding:
        return coding_of(self.frame)


def frames(
    path: Path,
    warn: Warn = ignore_warning,
    raw: RawVideo | None = None,
    fallback_colour: Colour | None = None,
    qps: bool = False,
) -> Iterator[DecodedFrame]:
    """The frames of a video, converted to RGB on demand.

    `fallback_colour` applies where the video does not signal its colour. `qps` as above.
    """
    for frame in decode_frames(path, warn, raw, qps):
        yield DecodedFrame(frame, fallback_colour)


def decode(path: Path, warn: Warn = ignore_warning) -> Iterator[Picture]:
    """The frames of a video as RGB."""
    return (load() for load in frames(path, warn))


_thread = threading.local()
"""Reformatters and a graph per thread. They serve no other thread, and the graph the last kind of
frame."""


def reformat(frame: av.VideoFrame, format: str, **options: Any) -> av.VideoFrame:
    """Convert a frame to another pixel format by libswscale, in this thread."""
    # One for each format: a reformatter keeps its tables until another format is asked of it.
    reformatters: dict[str, VideoReformatter] = _thread.__dict__.setdefault("reformatters", {})
    if format not in reformatters:
        reformatters[format] = VideoReformatter()
    return reformatters[format].reformat(frame, format=format, threads=1, **options)


ACCURATE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""FFmpeg's `bicubic+accurate_rnd+full_chroma_int`. Without the flags, libswscale makes frames in
4:2:0 darker, by more than a grey level where they have 8 bits. A network would learn to make them
brighter, which counts as a gain (0.9 dB at QP 22, 0.1 dB at QP 37) and is none."""


TIME_BASE = Fraction(1)
"""A graph must have one. Nothing reads the times of its frames."""


def _to_rgb(frame: av.VideoFrame, format: str, **options: Any) -> av.VideoFrame:
    return reformat(_without_chroma_location(frame), format, interpolation=ACCURATE, **options)


def _without_chroma_location(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame without what it says about the places of its chroma samples.

    Often a stream says it and its originals do not, or another place. Heeded, it would shift the
    colours of one of them.
    """
    width, height, _ = kind = frame.width, frame.height, frame.format.name
    if getattr(_thread, "kind", None) != kind:
        graph = av.filter.Graph()
        source = graph.add_buffer(None, width, height, frame.format, time_base=TIME_BASE)
        without = graph.add("setparams", "chroma_location=unspecified")
        graph.link_nodes(source, without, graph.add("buffersink")).configure()
        _thread.kind, _thread.graph = kind, graph
    _thread.graph.vpush(frame)
    same: av.VideoFrame = _thread.graph.vpull()
    return same


def to_picture(frame: av.VideoFrame, fallback_colour: Colour | None = None) -> Picture:
    """Convert a frame to RGB uint8 (H, W, 3). Raises JobError for a frame over the memory limit."""
    why = too_large(frame.width, frame.height)
    if why:
        raise JobError(f"A frame is refused: {why}.")
    options: dict[str, Any] = {}
    if fallback_colour is not None:
        matrix, full_range = fallback_colour.matrix, fallback_colour.full_range
        if frame.colorspace == UNSPECIFIED and matrix in SWS_MATRICES:
            options["src_colorspace"] = SWS_MATRICES[matrix]
        if frame.color_range == 0 and full_range is not None:
            options["src_color_range"] = 2 if full_range else 1
    if frame.format.is_rgb:
        rgb = _to_rgb(frame, "rgb24", **options)
    else:
        # The same values as by rgb24 alone, in half the time: libswscale uses SIMD for planes.
        rgb = reformat(_to_rgb(frame, "gbrp", **options), "rgb24")
    return _interleaved(rgb, np.uint8)


def to_deep_picture(frame: av.VideoFrame) -> NDArray[np.uint16]:
    """Convert a frame to RGB uint16 (H, W, 3), as libswscale does for 16 bits per value."""
    return _interleaved(_to_rgb(frame, "rgb48le"), np.uint16)


def _interleaved(frame: av.VideoFrame, dtype: type[Value]) -> NDArray[Value]:
    """The values (H, W, 3) of a frame in RGB with one plane."""
    rows = np.frombuffer(memoryview(frame.planes[0]), dtype).reshape(frame.height, -1)
    return np.ascontiguousarray(rows[:, : frame.width * 3]).reshape(frame.height, frame.width, 3)


def colour_of(frame: av.VideoFrame) -> Colour:
    """The colour that a frame signals."""
    return Colour(int(frame.colorspace), {1: False, 2: True}.get(int(frame.color_range)))


def facts(path: Path, raw: RawVideo | None = None, go_on: GoOn = lambda: True) -> Facts:
    """The metadata of a video. Counts its frames as long as `go_on` returns True.

    Raises JobError if no frame can be decoded.
    """
    first = next(decode_frames(path, raw=raw), None)
    if first is None:
        raise JobError(
            f"No frame of {path.name} could be decoded. Give a stream that contains pictures."
        )
    with open_video(path, raw) as container:
        video = videos_of(container)[0]
        context = video.codec_context
        rate = video.average_rate or video.guessed_rate
        tally = _count(container, go_on)
    qp, rate_control = rate_of(path)
    return Facts(
        codec=context.name,
        profile=str(context.profile or ""),
        width=first.width,
        height=first.height,
        pixel_format=first.format.name,
        frame_rate=float(rate) if rate else None,
        frames=tally.frames,
        counted=tally.counted,
        bit_rate=tally.bytes * 8 * float(rate) / tally.frames if rate and tally.frames else None,
        colour=colour_of(first),
        rate=rate_control,
        qp=qp,
    )


@dataclass
class Tally:
    """The frames and bytes of a video stream."""

    frames: int = 0
    bytes: int = 0
    counted: bool = True
    """False if some frames were estimated from the packets."""


def _count(container: InputContainer, go_on: GoOn) -> Tally:
    """Count the frames that a player shows. Only decoding shows how many these are.

    A packet may be one field of a frame, be hidden by an edit list, or refer to a lost frame. When
    `go_on` returns False, the rest is estimated from its packets.
    """
    video = videos_of(container)[0]
    video.thread_type = "AUTO"
    video.codec_context.options = {"skip_loop_filter": "all"}  # Nobody sees these pictures.
    tally, decoded, rest = Tally(), 0, 0
    for packet in _readable(container):
        tally.bytes += packet.size
        shown = packet.size > 0 and not packet.is_discard
        if tally.counted and not go_on():
            tally.counted = False
            tally.frames += _decoded(video, None)  # Threads of the decoder hold some frames.
        if tally.counted:
            tally.frames += _decoded(video, packet)
            decoded += shown
        else:
            rest += shown
    tally.frames += round(rest * tally.frames / decoded) if decoded else rest
    return tally


def _readable(container: InputContainer) -> Iterator["av.Packet[Any]"]:
    """The packets of the first video stream up to an error, which decoding reports."""
    with suppress(av.error.FFmpegError):
        yield from container.demux(videos_of(container)[0])


def _decoded(video: av.VideoStream, packet: "av.Packet[Any] | None") -> int:
    """The number of frames that the decoder returns for a packet; None ends the stream."""
    try:
        return len(video.decode(packet))
    except av.error.FFmpegError:
        return 0  # As in `decode_frames`, a packet that cannot be decoded is left out.


X264 = re.compile(rb"x264 - core.{0,200}?options: ([\x20-\x7e]*)", re.DOTALL)
QP_IN_NAME = re.compile(r"qp[_-]?(\d{1,2})(?!\d)", re.IGNORECASE)


def rate_of(path: Path) -> tuple[float | None, str | None]:
    """The QP and a description: (37, "QP 37"), (None, "CRF 23") or (None, "500 kbit/s").

    Taken from the note that x264 writes into its streams, or from the file name (clip_qp37.264).
    (None, None) if neither has it.
    """
    with open_file(path) as file:
        note = X264.search(file.read(2**18))
    options = (
        dict(part.split("=", 1) for part in note[1].decode().split() if "=" in part) if note else {}
    )
    if options.get("rc") == "cqp" and options.get("qp", "").isdigit():
        return float(options["qp"]), f"QP {options['qp']}"
    if options.get("rc") == "crf" and "crf" in options:
        return None, f"CRF {options['crf'].rstrip('0').rstrip('.')}"
    if "bitrate" in options:
        return None, f"{options['bitrate']} kbit/s"
    qp_in_name = QP_IN_NAME.search(path.stem)
    return (float(qp_in_name[1]), f"QP {int(qp_in_name[1])}") if qp_in_name else (None, None)


def _message(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
