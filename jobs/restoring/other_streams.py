"""The other streams of a restored video: sound, subtitles, attachments and cover art are copied.

Text subtitles are converted from one container's format into another's: SubRip, WebVTT and mov_text
(tx3g). The text is kept exactly. Its styles and positions have no equal in all formats, and are
removed.
"""

import html
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from jobs.media.video import Warn, is_cover, videos_of
from jobs.restoring.times import ZERO_IS_START, Packet

MPEGTS_CODECS = (
    *("aac", "aac_latm", "ac3", "eac3", "dts", "mp1", "mp2", "mp3", "opus", "s302m", "truehd"),
    *("dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"),
)
"""FFmpeg's names of the codecs of sound and subtitles that MPEG-TS defines."""
COVERS = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
"""File extension and media type of the codecs of cover art."""
DECODER_DELAY = 0.1
"""Seconds of sound before the first that is heard, which fill the decoder: 80 ms for Opus."""
TEXT = ("subrip", "text", "webvtt", "mov_text")
"""FFmpeg's names of the formats that are converted."""
OF_CONTAINER = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
"""The format of text that a container gets."""
MARKUP = re.compile(r"</?(?:[ibucv]|ruby|rt|lang|font)(?:[ .][^<>]*)?>|<[0-9:.]+>|\{\\[^{}]*\}")
"""Tags of SubRip and WebVTT, times in a line of WebVTT, and overrides of ASS in SubRip."""
STYLE = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment
Style: Default,Arial,16,&Hffffff,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""The style that FFmpeg's encoders write into the header of a stream: white, at the bottom."""


class OtherStreams:
    """The streams of a source next to its video, and their copies in an output.

    `copies` are the streams whose packets are copied, by their index in the source. `origin` is
    the time of the source (s) that is 0 in the output. What is not copied is reported to `warn`.
    """

    def __init__(
        self,
        source: InputContainer,
        format: str,
        origin: Fraction,
        covers: Mapping[int, Packet],
        warn: Warn,
    ) -> None:
        self._format, self._origin, self._covers, self._warn = format, origin, covers, warn
        self._streams: list[Stream] = [
            stream
            for stream in source.streams
            # FFmpeg shows the chapters of an .mp4 also as a stream of this name.
            if stream is not videos_of(source)[0]
            and not (stream.name == "bin_data" and source.chapters())
        ]
        self.copies: dict[int, Stream] = {}
        self.filled: set[int] = set()
        """The indexes of the copied streams that have packets."""
        self._cover_copies: dict[int, Stream] = {}
        self._conversions: dict[int, tuple[str, str]] = {}
        self._hidden: set[int] = set()
        self._unstyled: set[int] = set()

    def add_to(self, out: OutputContainer) -> None:
        """Add the streams to a container that has its video already."""
        if self._format == "h264":
            self.leave_out("A raw stream can contain only the video.")
        for stream in self._streams:
            try:
                copy = self._add_cover(out, stream) if is_cover(stream) else self._add(out, stream)
            except (ValueError, av.error.FFmpegError):
                why = (
                    "Only the first video of a file is restored."
                    if stream.type == "video" and not is_cover(stream)
                    else "This container does not support it."
                )
                self._warn(f"Not copied: {_describe(stream)}. {why}")
                continue
            if is_cover(stream):
                continue
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
            if stream.type != "attachment":
                self.copies[stream.index] = copy

    def leave_out(self, why: str) -> None:
        """Copy none of the streams, and report the reason."""
        if self._streams:
            self._warn(f"Not copied: {', '.join(map(_describe, self._streams))}. {why}")
        self._streams, self.copies, self._cover_copies = [], {}, {}

    def _add(self, out: OutputContainer, stream: Stream) -> Stream:
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
            self._conversions[stream.index] = codec, target(codec, self._format)
            return add_stream(out, self._conversions[stream.index][1])

    def _add_cover(self, out: OutputContainer, stream: Stream) -> Stream:
        """Add cover art: in Matroska an attachment, in .mp4 a stream with one packet.

        Raises ValueError for other containers, formats of pictures, and covers without a packet.
        """
        codec, packet = stream.codec_context.name, self._covers.get(stream.index)
        if codec not in COVERS or packet is None or self._format not in ("matroska", "mp4"):
            raise ValueError
        if self._format == "matroska":
            extension, media_type = COVERS[codec]
            name = stream.metadata.get("filename", f"cover.{extension}")
            return out.add_attachment(name, media_type, bytes(packet))
        copy = out.add_stream_from_template(stream, opaque=True)
        copy.disposition = stream.disposition
        self._cover_copies[stream.index] = copy
        return copy

    def first_packets(self) -> list[Packet]:
        """The packets that follow the header: those of cover art."""
        packets = []
        for index, copy in self._cover_copies.items():
            packet = Packet(bytes(self._covers[index]))
            packet.stream = copy
            packets.append(packet)
        return packets

    def copied(self, packet: Packet, index: int) -> Packet | None:
        """A packet of the stream with this index, ready to be written; None if it is left out."""
        if index in self._conversions:
            converted = self._convert(packet, index)
            if converted is None:
                return None
            packet = converted
        if packet.is_discard and self._format not in ZERO_IS_START and self._hides(packet, index):
            return None
        self.filled.add(index)
        packet.stream = self.copies[index]
        delay = round(self._origin / packet.time_base)
        packet.pts, packet.dts = (
            None if time is None else time - delay for time in (packet.pts, packet.dts)
        )
        return packet

    def _convert(self, packet: Packet, index: int) -> Packet | None:
        converted, styled = convert(packet, *self._conversions[index])
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


def _describe(stream: Stream) -> str:
    name = f", {stream.codec_context.name}" if stream.codec_context is not None else ""
    return f"stream {stream.index} ({'cover art' if is_cover(stream) else stream.type}{name})"


def target(codec: str, container: str) -> str:
    """The format that text subtitles are converted to. Raises ValueError if there is none."""
    if codec not in TEXT or container not in OF_CONTAINER:
        raise ValueError
    return OF_CONTAINER[container]


def add_stream(out: OutputContainer, codec: str) -> av.stream.Stream:
    """Add a stream of text subtitles to a container."""
    stream = out.add_stream(codec)
    context: Any = stream.codec_context
    context.subtitle_header = STYLE
    context.time_base = Fraction(1, 1000)
    return stream


def convert(packet: Packet, source: str, target: str) -> tuple[Packet | None, bool]:
    """A packet in another format, and whether a style or position was removed.

    None for the empty lines of mov_text, which say only that nothing is shown.
    """
    text, styled = _read(packet, source)
    if not text:
        return None, styled
    data = text.encode()
    converted = Packet(len(data).to_bytes(2, "big") + data if target == "mov_text" else data)
    converted.pts, converted.dts, converted.time_base = packet.pts, packet.dts, packet.time_base
    converted.duration = packet.duration
    return converted, styled


def _read(packet: Packet, codec: str) -> tuple[str, bool]:
    """The text of a packet, and whether it has styles or a position."""
    data = bytes(packet)
    if codec == "mov_text":
        end = 2 + int.from_bytes(data[:2], "big")  # Boxes with styles follow the text.
        coding = "utf-16" if data[2:4] in (b"\xfe\xff", b"\xff\xfe") else "utf-8"
        return data[2:end].decode(coding, "replace"), len(data) > end
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    plain = MARKUP.sub("", text)
    placed = codec == "webvtt" and packet.has_sidedata("webvtt_settings")
    return html.unescape(plain) if codec == "webvtt" else plain, plain != text or placed
