"""Text subtitles from one container's format into another's: SubRip, WebVTT and mov_text (tx3g).

The text is kept exactly. Its styles and positions have no equal in all formats, and are removed.
"""

import html
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.container import OutputContainer

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet

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
