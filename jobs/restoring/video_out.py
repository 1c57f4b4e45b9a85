"""Writing a restored video: the container, its codec, what is told of the picture, and the other streams as they were.

The file is written under another name. A little room is kept on the disk meanwhile, so that one that is full leaves enough to
write the index without which an .mp4 cannot be played.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from jobs.core.errors import JobError
from jobs.media.video import Warn, reformat
from jobs.restoring.outputs import CONTAINERS
from jobs.restoring.planes import Plane, as_frame, layout_of, planar
from jobs.specs.test import Codec

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet

CRF = "12"
"""Of x264, without what it does for the eye at the cost of the likeness (tune psnr): visually lossless, and over 45 dB."""
OPTIONS: dict[Codec, dict[str, str]] = {
    "h264": {"crf": CRF, "preset": "medium", "tune": "psnr"},
    "ffv1": {"level": "3", "slices": "4", "slicecrc": "1"},
}
TO_LOOK_AT = {"crf": CRF, "preset": "superfast", "tune": "psnr", "g": "25"}
"""Of a copy for a browser: quickly made, and every frame of it quickly found."""
PLAYS = "yuv420p"
"""The only pixel format of H.264 that all browsers play."""
TURNED = ("mp4", "mov", "matroska")
"""Containers that say how a player must turn the picture."""
KEPT_BYTES = 2**20
KEPT_A_FRAME = 64
"""An .mp4's index has about 20 bytes a frame; and other streams have theirs."""
INDEX_FIRST = {"movflags": "+faststart"}
"""A player need not look for it at the end."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(Exception):
    """There is no room for more; what was written is whole."""


@dataclass(frozen=True)
class Shot:
    """A frame on its way: `pts` in units of `time_base` (s); its picture, where a network is to see it as RGB; its planes."""

    number: int
    pts: int
    time_base: Fraction
    planes: list[Plane]
    rgb: Plane | None


class _Room:
    """A file that FFmpeg writes to, and some bytes beside it that are given back when the disk is full."""

    def __init__(self, path: Path) -> None:
        self.full = False
        self._path = path
        self._beside = path.with_name(f"{path.name}.room")
        self._file: IO[bytes] = path.open("wb", buffering=0)
        self._kept = 0
        self.keep(KEPT_BYTES)

    def keep(self, size: int) -> None:
        """Hold that many bytes; in steps, so that it costs nothing."""
        if size <= self._kept or self.full:
            return
        more, self._kept = size + KEPT_BYTES - self._kept, size + KEPT_BYTES
        try:
            with self._beside.open("ab") as beside:
                beside.write(bytes(more))
        except OSError as error:
            self._give(error)

    def _give(self, error: OSError) -> None:
        if error.errno not in FULL:
            raise error
        self.full = True
        self._beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                if self.full:
                    raise
                self._give(error)
        return len(data)

    def again(self, *_: object) -> IO[bytes]:
        """The file for reading: FFmpeg moves what it has written to make room for the index."""
        return self._path.open("rb")

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self._beside.unlink(missing_ok=True)


class VideoOut:
    """A video that is being written to `draft`, in the container that the ending of `named` stands for; or with `to_look_at`
    a copy for a browser."""

    def __init__(
        self,
        draft: Path,
        named: Path,
        codec: Codec,
        source: InputContainer,
        first: av.VideoFrame,
        warn: Warn,
        to_look_at: bool = False,
    ) -> None:
        self.draft, self._warn = draft, warn
        self._options = TO_LOOK_AT if to_look_at else OPTIONS[codec]
        self._format, self._source = CONTAINERS[named.suffix.lower()], source
        self.layout = layout_of(planar(first))
        self.width, self.height = self.layout.width, self.layout.height
        self.pixel_format = PLAYS if to_look_at else self.layout.format
        if codec == "h264":
            self._fit_h264()
        self._first, self._codec = first, codec
        others = [stream for stream in source.streams if stream is not source.streams.video[0]]
        self._room = _Room(draft)
        self.frames = 0
        """That were written, of those that were given: the encoder holds some back."""
        try:
            self._out, self._copies = self._open(others)
        except BaseException:
            self._room.close()
            raise

    def _fit_h264(self) -> None:
        if self.pixel_format == "gray":
            self.pixel_format = PLAYS  # Few players know H.264 without chroma.
        columns, rows = (1, 1) if self.pixel_format == PLAYS else self.layout.halved or (1, 1)
        self.width, self.height = self.width >> columns << columns, self.height >> rows << rows
        if min(self.width, self.height) < 2:
            raise JobError(
                f"The video is {self.layout.width}x{self.layout.height}: too small for H.264. Use the codec ffv1."
            )
        if (self.width, self.height) != (self.layout.width, self.layout.height):
            self._warn(
                f"The video is {self.layout.width}x{self.layout.height}: its odd last row or column is left out, because H.264 "
                "in 4:2:0 has even sizes. The codec ffv1 keeps it."
            )

    def _open(
        self, others: Sequence[av.stream.Stream]
    ) -> tuple[OutputContainer, dict[int, av.stream.Stream]]:
        """The container with its header written; without the other streams where it does not take them."""
        options = INDEX_FIRST if self._format in ("mp4", "mov") else None
        out = av.open(
            self._room, "w", format=self._format, options=options, io_open=self._room.again
        )
        self._stream = self._add_video(out)
        copies = {} if self._format == "h264" else self._add_copies(out, others)
        if self._format == "h264" and others:
            self._warn(
                f"Left out: {', '.join(_said(one) for one in others)}. A raw stream holds nothing but the video."
            )
        for key, value in self._source.metadata.items():
            if key not in ("encoder", "major_brand", "minor_version", "compatible_brands"):
                out.metadata[key] = value
        if self._format in TURNED and self._source.chapters():
            out.set_chapters(self._source.chapters())
        try:
            out.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            if not copies:
                raise JobError(
                    f"The video cannot be written: {words(error)}. Give another name, or the codec ffv1."
                ) from error
            self._warn(
                f"Left out: {', '.join(_said(one) for one in others)}. A file of this kind does not take them."
            )
            self._room.clear()
            return self._open([])
        return out, copies

    def _add_video(self, out: OutputContainer) -> VideoStream:
        video, first = self._source.streams.video[0], self._first
        rate = video.average_rate or video.guessed_rate or Fraction(25)
        stream = out.add_stream(
            "libx264" if self._codec == "h264" else "ffv1", rate=rate, options=self._options
        )
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, self.pixel_format
        context = stream.codec_context
        context.time_base = time_base(self._source)
        aspect = video.sample_aspect_ratio or video.codec_context.sample_aspect_ratio
        if aspect:
            context.sample_aspect_ratio = aspect
        if aspect not in (None, 0, 1) and self._codec == "ffv1":
            # H.264 has it inside; FFV1 leaves it to the container, whose field PyAV does not set.
            self._warn(
                f"Its pixels are {aspect} as wide as high, which an FFV1 file does not keep: players must be told."
            )
        context.colorspace = self.layout.colour.matrix
        context.color_range = {None: 0, False: 1, True: 2}[self.layout.colour.full_range]
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.thread_type = "AUTO"
        for key in ("language", "title", "handler_name"):
            if key in video.metadata:
                stream.metadata[key] = video.metadata[key]
        said: Any = first.side_data  # Its stub takes it for a mapping.
        matrix = next((one for one in said if one.type.name == "DISPLAYMATRIX"), None)
        if matrix is not None:
            if self._format in TURNED and hasattr(stream, "set_display_matrix"):
                stream.set_display_matrix(memoryview(matrix).cast("i").tolist())
            else:
                self._warn(
                    f"That players turn the picture by {first.rotation}° is not kept: such a file cannot say it."
                )
        return stream

    def _add_copies(
        self, out: OutputContainer, others: Sequence[av.stream.Stream]
    ) -> dict[int, av.stream.Stream]:
        copies = {}
        for stream in others:
            try:
                if stream.type not in ("audio", "subtitle") and not (
                    stream.type == "attachment" and self._format == "matroska"
                ):
                    raise ValueError
                copy = out.add_stream_from_template(stream, opaque=True)
            except (ValueError, av.error.FFmpegError):
                self._warn(f"Left out: {_said(stream)}. A file of this kind does not take it.")
                continue
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
            if stream.type != "attachment":
                copies[stream.index] = copy
        return copies

    @property
    def wanted(self) -> list[int]:
        """The indexes of the streams that are copied."""
        return list(self._copies)

    @property
    def plays(self) -> bool:
        """Whether browsers play it."""
        return self._format == "mp4" and self._codec == "h264" and self.pixel_format == PLAYS

    def copy(self, packet: Packet, index: int) -> None:
        """Hand on a packet of another stream, which has that index in the source. Raises DiskFull."""
        packet.stream = self._copies[index]
        self._mux([packet])

    def write(self, shot: Shot) -> None:
        """Encode a frame. Raises DiskFull."""
        frame = self._frame(shot)
        frame.pts, frame.time_base = shot.pts, shot.time_base
        self._room.keep(KEPT_BYTES + KEPT_A_FRAME * shot.number)
        packets = self._stream.encode(frame)
        self.frames += len(packets)
        self._mux(packets)

    def _frame(self, shot: Shot) -> av.VideoFrame:
        if self.layout.format in (self.pixel_format, "gray"):
            return as_frame(shot.planes, self.layout, self.pixel_format, self.width, self.height)
        whole = as_frame(shot.planes, self.layout, self.layout.format, self.width, self.height)
        range = 2 if self.layout.colour.full_range else 1
        return reformat(whole, self.pixel_format, src_color_range=range, dst_color_range=range)

    def _mux(self, packets: list[Packet]) -> None:
        self._out.mux(packets)
        if self._room.full:
            raise DiskFull

    def close(self, flush: bool = True) -> None:
        """Write what the encoder still holds, with `flush`, and the index: for them there is room beside the file."""
        try:
            if flush:
                packets = self._stream.encode()
                self._out.mux(packets)
                self.frames += len(packets)
            self._out.close()
        finally:
            self._room.close()


def time_base(source: InputContainer) -> Fraction:
    """The unit of the frames' times (s): the stream's, or a frame's length where the stream has no times."""
    return (
        1 / raw_rate(source)
        if untimed(source)
        else source.streams.video[0].time_base or Fraction(1, 90_000)
    )


def untimed(source: InputContainer) -> bool:
    """Whether the frames have no times: those of raw H.264."""
    return source.format.name == "h264"


def raw_rate(source: InputContainer) -> Fraction:
    """Frames a second of raw H.264, as its header says it, else 25."""
    return source.streams.video[0].guessed_rate if says_rate(source) else Fraction(25)  # type: ignore[return-value]


def says_rate(source: InputContainer) -> bool:
    """FFmpeg sets the rate of raw H.264 that says none to one over its unit of time."""
    video = source.streams.video[0]
    return bool(
        video.guessed_rate
        and video.base_rate
        and video.time_base
        and video.base_rate != 1 / video.time_base
    )


def words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _said(stream: av.stream.Stream) -> str:
    name = f", {stream.codec_context.name}" if stream.codec_context is not None else ""
    return f"stream {stream.index} ({stream.type}{name})"
