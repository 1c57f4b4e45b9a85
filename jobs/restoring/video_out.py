"""Writing a restored video: container, codec, metadata of the picture, and copies of other streams.

The file is written under a temporary name (output_file.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from jobs.core.errors import JobError
from jobs.media.video import Warn, reformat, videos_of
from jobs.restoring import hdr, read_back
from jobs.restoring.encoding import BROWSER_FORMAT, Encoding
from jobs.restoring.fields import FieldMarker
from jobs.restoring.other_streams import OtherStreams
from jobs.restoring.output_file import CONTAINERS, RESERVED_BYTES, DiskFull, OutputFile
from jobs.restoring.planes import Layout, as_frame
from jobs.restoring.read_back import Written
from jobs.restoring.times import Packet, frame_rate, origin, time_base
from jobs.restoring.video_in import Shot, error_text
from jobs.specs.test import Codec

if TYPE_CHECKING:
    from av.container.core import Chapter
else:
    Chapter = dict

STORE_ROTATION = ("mp4", "mov", "matroska")
"""Containers that store the rotation of the picture."""
RESERVED_PER_FRAME = 64
"""Bytes. An .mp4's index has about 20 bytes per frame of the video; other streams need more."""
INDEX_FIRST = {"movflags": "+faststart"}
"""With the index at the start, a player need not read the end first."""


class VideoOut:
    """A video that is written to `draft`, in the container of `target`'s file extension.

    `for_browsers` selects an encoding that any browser plays. `written` counts the frames that are
    in the file: the encoder delays some. `origin` is the time of the input (s) that is 0 here.
    """

    def __init__(
        self,
        draft: Path,
        target: Path,
        codec: Codec,
        source: InputContainer,
        first: av.VideoFrame,
        layout: Layout,
        warn: Warn,
        covers: Mapping[int, Packet],
        for_browsers: bool = False,
    ) -> None:
        self.draft, self._warn = draft, warn
        self._format, self._source = CONTAINERS[target.suffix.lower()], source
        self.encoding = Encoding(codec, layout, first, warn, for_browsers)
        self._fields = FieldMarker(self.encoding.field_order)
        self.origin = origin(source, self._format, first)
        self._others = OtherStreams(source, self._format, self.origin, covers, warn)
        self._file = OutputFile(draft)
        self.written = Written()
        try:
            self._out = self._open()
            self._mux(self._others.first_packets())
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> OutputContainer:
        """Open the container and write its header.

        If the header cannot be written with the other streams, they are not copied.
        """
        options = INDEX_FIRST if self._format in ("mp4", "mov") else None
        out = av.open(
            self._file, "w", format=self._format, options=options, io_open=self._file.reopen
        )
        self._stream = self._add_video(out)
        self._others.add_to(out)
        for key, value in self._source.metadata.items():
            if key not in ("encoder", "major_brand", "minor_version", "compatible_brands"):
                out.metadata[key] = value
        if self._format in STORE_ROTATION and self._source.chapters():
            out.set_chapters([self._moved(chapter) for chapter in self._source.chapters()])
        try:
            out.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            if not self._others.copies:
                raise JobError(
                    f"The video cannot be written: {error_text(error)}. "
                    "Give another name, or the codec ffv1."
                ) from error
            self._others.leave_out("This container does not support them.")
            self._file.clear()
            return self._open()
        return out

    def _moved(self, chapter: Chapter) -> Chapter:
        delay = round(self.origin / (chapter["time_base"] or 1))
        start, end = (max(0, chapter[key] - delay) for key in ("start", "end"))
        return {**chapter, "start": start, "end": end}

    def _add_video(self, out: OutputContainer) -> VideoStream:
        encoding, video = self.encoding, videos_of(self._source)[0]
        name, rate = encoding.encoder.name, frame_rate(self._source)
        stream = out.add_stream(name, rate=rate, options=encoding.options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = (
            *(encoding.width, encoding.height),
            encoding.format,
        )
        context = stream.codec_context
        if encoding.codec == "hevc" and self._format in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # Apple's players require it.
        context.time_base = time_base(self._source)
        context.flags |= Flags.frame_duration
        aspect = video.sample_aspect_ratio or video.codec_context.sample_aspect_ratio
        if aspect:
            context.sample_aspect_ratio = aspect
        if aspect not in (None, 0, 1) and encoding.codec == "ffv1":
            # H.264 and HEVC store it in the stream. FFV1 needs a field of the container, and PyAV
            # has no access to it.
            self._warn(
                f"The pixel aspect ratio of {aspect} is lost: the FFV1 file does not store it. "
                "Set it in the player."
            )
        first, colour = encoding.first, encoding.layout.colour
        context.colorspace = colour.matrix
        context.color_range = {None: 0, False: 1, True: 2}[colour.full_range]
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.thread_type = "AUTO"
        if encoding.field_order:
            context.flags |= Flags.interlaced_dct
            context.field_order = encoding.field_order
        stream.disposition = video.disposition
        for key in ("language", "title", "handler_name"):
            if key in video.metadata:
                stream.metadata[key] = video.metadata[key]
        matrix = hdr.side_data(first).get("DISPLAYMATRIX")
        if matrix is not None:
            if self._format in STORE_ROTATION and hasattr(stream, "set_display_matrix"):
                stream.set_display_matrix(memoryview(matrix).cast("i").tolist())
            else:
                self._warn(
                    f"The rotation by {first.rotation}° is lost: this container does not store "
                    "it. Set it in the player."
                )
        return stream

    @property
    def copied_streams(self) -> list[int]:
        """The indexes of the copied streams in the source."""
        return list(self._others.copies)

    @property
    def plays_in_browsers(self) -> bool:
        return (
            self._format == "mp4"
            and self.encoding.codec == "h264"
            and self.encoding.format == BROWSER_FORMAT
        )

    def copy(self, packet: Packet, index: int) -> None:
        """Copy a packet of the stream with this index in the source. Raises DiskFull."""
        original = packet.pts, packet.dts, packet.time_base
        if copied := self._others.copied(packet, index):
            self._mux([copied])
        # Muxing converts the times, and the next output begins with those of the source.
        packet.pts, packet.dts, packet.time_base = original

    def write(self, shot: Shot) -> None:
        """Encode a frame. Raises DiskFull."""
        frame = self._frame(shot)
        frame.pts, frame.time_base = shot.pts - round(self.origin / shot.time_base), shot.time_base
        frame.duration = shot.duration
        if self.encoding.field_order:
            frame = self._fields.mark(frame)
        self._file.reserve(RESERVED_BYTES + RESERVED_PER_FRAME * shot.number)
        self._mux(self._encode(frame))

    def _encode(self, frame: av.VideoFrame | None) -> list[Packet]:
        """Encode a frame; None for those that the encoder holds. Counts the packets as written."""
        packets = self._stream.encode(frame)
        for packet in packets:
            self.written.add(packet.pts * packet.time_base if packet.pts is not None else None)
        return packets

    def _frame(self, shot: Shot) -> av.VideoFrame:
        encoding, layout = self.encoding, self.encoding.layout
        frame = as_frame(shot.planes, layout, encoding.family, encoding.width, encoding.height)
        if frame.format.name == encoding.format:
            return frame
        range = 2 if layout.colour.full_range else 1
        return reformat(frame, encoding.format, src_color_range=range, dst_color_range=range)

    def _mux(self, packets: list[Packet]) -> None:
        self._out.mux(packets)
        if self._file.full:
            raise DiskFull

    def close(self, flush: bool = True) -> None:
        """Write the index. `flush` first encodes the frames that the encoder still holds.

        The reserved bytes have room for both.
        """
        try:
            if flush:
                self._out.mux(self._encode(None))
            self._out.close()
        finally:
            self._file.close()

    def fault(self) -> str:
        """What the closed file lacks of what was written into it; empty if it lacks nothing."""
        return read_back.fault(self.draft, self._format, self.written)

    def losses(self) -> list[str]:
        """The tags, flags and chapters of the input that the closed file lacks."""
        pairs = {videos_of(self._source)[0].index: self._stream.index}
        pairs |= {index: copy.index for index, copy in self._others.copies.items()}
        empty = self._others.copies.keys() - self._others.filled
        return read_back.losses(self._source, self.draft, self._format, pairs, empty)
