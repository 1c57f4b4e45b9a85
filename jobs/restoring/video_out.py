"""Writing a restored video: container, codec, metadata of the picture, and copies of other streams.

The file is written under a temporary name (output_file.py).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from jobs.core.errors import JobError
from jobs.media.video import Warn, reformat
from jobs.restoring import hdr, read_back, subtitles
from jobs.restoring.encoding import BROWSER_FORMAT, Encoding
from jobs.restoring.fields import FieldMarker
from jobs.restoring.output_file import RESERVED_BYTES, DiskFull, OutputFile
from jobs.restoring.outputs import CONTAINERS
from jobs.restoring.planes import Layout, as_frame
from jobs.restoring.read_back import Written
from jobs.restoring.times import ZERO_IS_START, frame_rate, origin, time_base
from jobs.restoring.video_in import Packet, Shot, error_text
from jobs.specs.test import Codec

if TYPE_CHECKING:
    from av.container.core import Chapter
else:
    Chapter = dict

STORE_ROTATION = ("mp4", "mov", "matroska")
"""Containers that store the rotation of the picture."""
MPEGTS_CODECS = (
    *("aac", "aac_latm", "ac3", "eac3", "dts", "mp1", "mp2", "mp3", "opus", "s302m", "truehd"),
    *("dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"),
)
"""FFmpeg's names of the codecs of sound and subtitles that MPEG-TS defines."""
DECODER_DELAY = 0.1
"""Seconds of sound before the first that is heard, which fill the decoder: 80 ms for Opus."""
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
        for_browsers: bool = False,
    ) -> None:
        self.draft, self._warn = draft, warn
        self._format, self._source = CONTAINERS[target.suffix.lower()], source
        self.encoding = Encoding(codec, layout, first, warn, for_browsers)
        self._fields = FieldMarker(self.encoding.field_order)
        others = [
            stream
            for stream in source.streams
            # FFmpeg shows the chapters of an .mp4 also as a stream of this name.
            if stream is not source.streams.video[0]
            and not (stream.name == "bin_data" and source.chapters())
        ]
        self.origin = origin(source, self._format, first)
        self._file = OutputFile(draft)
        self.written = Written()
        self._hidden: set[int] = set()
        self._unstyled: set[int] = set()
        self._conversions: dict[int, tuple[str, str]] = {}
        try:
            self._out, self._copies = self._open(others)
        except BaseException:
            self._file.close()
            raise

    def _open(
        self, others: Sequence[av.stream.Stream]
    ) -> tuple[OutputContainer, dict[int, av.stream.Stream]]:
        """Open the container and write its header.

        Returns the container and the copied streams. If the header cannot be written with the
        other streams, they are not copied.
        """
        options = INDEX_FIRST if self._format in ("mp4", "mov") else None
        out = av.open(
            self._file, "w", format=self._format, options=options, io_open=self._file.reopen
        )
        self._stream = self._add_video(out)
        copies = {} if self._format == "h264" else self._add_copies(out, others)
        if self._format == "h264" and others:
            self._warn(
                f"Not copied: {', '.join(map(_describe, others))}. A raw stream can contain only "
                "the video."
            )
        for key, value in self._source.metadata.items():
            if key not in ("encoder", "major_brand", "minor_version", "compatible_brands"):
                out.metadata[key] = value
        if self._format in STORE_ROTATION and self._source.chapters():
            out.set_chapters([self._moved(chapter) for chapter in self._source.chapters()])
        try:
            out.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            if not copies:
                raise JobError(
                    f"The video cannot be written: {error_text(error)}. "
                    "Give another name, or the codec ffv1."
                ) from error
            self._warn(
                f"Not copied: {', '.join(map(_describe, others))}. This container does not "
                "support them."
            )
            self._file.clear()
            return self._open([])
        return out, copies

    def _moved(self, chapter: Chapter) -> Chapter:
        delay = round(self.origin / (chapter["time_base"] or 1))
        start, end = (max(0, chapter[key] - delay) for key in ("start", "end"))
        return {**chapter, "start": start, "end": end}

    def _add_video(self, out: OutputContainer) -> VideoStream:
        encoding, video = self.encoding, self._source.streams.video[0]
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

    def _add_copies(
        self, out: OutputContainer, others: Sequence[av.stream.Stream]
    ) -> dict[int, av.stream.Stream]:
        copies = {}
        for stream in others:
            try:
                copy = self._add_copy(out, stream)
            except (ValueError, av.error.FFmpegError):
                why = (
                    "Only the first video of a file is restored."
                    if stream.type == "video"
                    else "This container does not support it."
                )
                self._warn(f"Not copied: {_describe(stream)}. {why}")
                continue
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
            if stream.type != "attachment":
                copies[stream.index] = copy
        return copies

    def _add_copy(self, out: OutputContainer, stream: av.stream.Stream) -> av.stream.Stream:
        """Add a stream whose packets are copied. Raises ValueError if the container has no such.

        Text subtitles are converted if the container has another format of them. FFmpeg would
        write what MPEG-TS does not define as private data, which nothing reads.
        """
        allowed = stream.type in ("audio", "subtitle") or (
            stream.type == "attachment" and self._format == "matroska"
        )
        if self._format == "mpegts" and allowed:
            allowed = stream.codec_context.codec.canonical_name in MPEGTS_CODECS
        if not allowed:
            raise ValueError
        try:
            return out.add_stream_from_template(stream, opaque=True)
        except ValueError:
            if stream.type != "subtitle":
                raise
            codec = stream.codec_context.codec.canonical_name
            self._conversions[stream.index] = codec, subtitles.target(codec, self._format)
            return subtitles.add_stream(out, self._conversions[stream.index][1])

    @property
    def copied_streams(self) -> list[int]:
        """The indexes of the copied streams in the source."""
        return list(self._copies)

    @property
    def plays_in_browsers(self) -> bool:
        return (
            self._format == "mp4"
            and self.encoding.codec == "h264"
            and self.encoding.format == BROWSER_FORMAT
        )

    def copy(self, packet: Packet, index: int) -> None:
        """Copy a packet of the stream with this index in the source. Raises DiskFull."""
        if index in self._conversions:
            converted = self._convert(packet, index)
            if converted is None:
                return
            packet = converted
        if packet.is_discard and self._format not in ZERO_IS_START and self._hides(packet, index):
            return
        original = packet.pts, packet.dts, packet.time_base
        packet.stream = self._copies[index]
        delay = round(self.origin / packet.time_base)
        packet.pts, packet.dts = (
            None if time is None else time - delay for time in (packet.pts, packet.dts)
        )
        self._mux([packet])
        # Muxing converts the times, and the next output begins with those of the source.
        packet.pts, packet.dts, packet.time_base = original

    def _convert(self, packet: Packet, index: int) -> Packet | None:
        converted, styled = subtitles.convert(packet, *self._conversions[index])
        if styled and index not in self._unstyled:
            self._unstyled.add(index)
            self._warn(
                f"Styles and positions of the subtitles of stream {index} are removed: this "
                "container stores only their text."
            )
        return converted

    def _hides(self, packet: Packet, index: int) -> bool:
        """Whether a packet is before the start of an .mp4's edit list, and lost.

        Other containers have no edit list, and would play it. A decoder needs the last packets.
        """
        early = -(packet.pts or 0) * packet.time_base
        hidden = early > DECODER_DELAY
        if hidden and index not in self._hidden:
            self._hidden.add(index)
            self._warn(
                f"{float(early):.2f} s of stream {index} that are cut off by the input's edit "
                "list are lost: this container has no edit lists, and players would play them."
            )
        return hidden

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
        pairs = {self._source.streams.video[0].index: self._stream.index}
        pairs |= {index: copy.index for index, copy in self._copies.items()}
        return read_back.losses(self._source, self.draft, self._format, pairs)


def _describe(stream: av.stream.Stream) -> str:
    name = f", {stream.codec_context.name}" if stream.codec_context is not None else ""
    cover = stream.type == "video" and Disposition.attached_pic in stream.disposition
    return f"stream {stream.index} ({'cover art' if cover else stream.type}{name})"
