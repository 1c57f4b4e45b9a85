"""NAL units of H.264 and HEVC: which of them a packet has, and whether their headers make sense.

Decoders skip units of unknown types without an error. ITU-T H.264 7.4.1 and H.265 7.4.2.2 define
the types.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.media.h264_headers import Pictures

if TYPE_CHECKING:
    import av

START_CODE = b"\0\0\1"


@dataclass(frozen=True)
class Syntax:
    """The types of a codec's NAL units. `reserved` are those that no encoder writes.

    `short`: those of at most a byte after the header. `filler` has bytes of 255 only.
    """

    shift: int
    mask: int
    header_size: int
    pictures: frozenset[int]
    reserved: frozenset[int]
    short: frozenset[int]
    filler: int
    messages: frozenset[int]

    def type_of(self, header: int) -> int:
        return header >> self.shift & self.mask


SYNTAXES = {
    # 28 and 30 are in use: Dolby Vision.
    "h264": Syntax(
        0,
        31,
        1,
        pictures=frozenset(range(1, 6)),
        reserved=frozenset((0, 17, 18, 22, 23, 24, 25, 26, 27, 29, 31)),
        short=frozenset((9, 10, 11)),
        filler=12,
        messages=frozenset((6,)),
    ),
    "hevc": Syntax(
        1,
        63,
        2,
        pictures=frozenset(range(22)),
        reserved=frozenset((*range(22, 32), *range(41, 48))),
        short=frozenset((35, 36, 37)),
        filler=38,
        messages=frozenset((39, 40)),
    ),
}
"""By FFmpeg's name of the codec."""


@dataclass(frozen=True)
class Units:
    """The number of frames that a packet begins, and that of its damaged NAL units.

    A NAL unit is damaged if its header makes no sense, or its content is not of that type.
    `picture_first`: whether a frame begins before the first damaged unit.
    """

    frames: int
    damaged: int
    picture_first: bool


class Scanner:
    """Scans the packets of a stream. `syntax` is None for other codecs, which have no NAL units."""

    def __init__(self, video: "av.VideoStream") -> None:
        context = video.codec_context
        self.syntax = SYNTAXES.get(context.name)
        extradata = context.extradata or b""
        # ISO/IEC 14496-15: a configuration record begins with 1, and units have their length.
        place = 4 if context.name == "h264" else 21
        is_record = len(extradata) > place and extradata[0] == 1
        self._length_size = (extradata[place] & 3) + 1 if is_record else 0
        self._h264 = Pictures() if context.name == "h264" else None
        if self._h264 is not None:
            for unit in _sets_of(extradata) if is_record else _after_start_codes(extradata):
                self._h264.begins_frame(unit[0], unit[1:])

    @property
    def gaps(self) -> int:
        """How often reference pictures were missing, as the numbers of those after them say."""
        return self._h264.gaps if self._h264 is not None else 0

    def scan(self, data: bytes) -> Units:
        assert self.syntax is not None
        syntax, frames, has_picture, picture_first, damaged = self.syntax, 0, False, False, 0
        units = _after_lengths(data, self._length_size) if self._length_size else None
        for unit in units or _after_start_codes(data):
            type = syntax.type_of(unit[0])
            if unit[0] & 0x80 or type in syntax.reserved or is_damaged(syntax, type, unit):
                picture_first |= not damaged and frames > 0
                damaged += 1
                continue
            begins = self._h264.begins_frame(unit[0], unit[1:]) if self._h264 is not None else None
            if type in syntax.pictures:
                # Without parameter sets, a packet is taken for one frame.
                frames += not has_picture if begins is None else begins
                has_picture = True
        return Units(frames, damaged, picture_first)


def is_damaged(syntax: Syntax, type: int, unit: bytes) -> bool:
    """Whether the content of a unit is not of its type: its header became another valid one."""
    content = unit[syntax.header_size :].rstrip(b"\0")
    if type in syntax.short:
        return len(content) > 1
    if type == syntax.filler:
        return bool(content.rstrip(b"\x80").strip(b"\xff"))
    return type in syntax.messages and not _has_whole_messages(content)


def _has_whole_messages(content: bytes) -> bool:
    """Whether SEI messages fill their unit (H.264 7.3.2.3.1, H.265 7.3.5)."""
    content, place = content.replace(b"\0\0\3", b"\0\0"), 0
    while place < len(content) - 1:
        for _ in ("type", "size"):
            number = 0
            while place < len(content) and content[place] == 0xFF:
                number, place = number + 0xFF, place + 1
            if place >= len(content):
                return False
            number, place = number + content[place], place + 1
        place += number
    # The last byte has the stop bit. Some encoders leave it out.
    return place in (len(content) - 1, len(content))


def _after_start_codes(data: bytes) -> Iterator[bytes]:
    """The NAL units of ITU-T H.264, Annex B."""
    place = data.find(START_CODE)
    while 0 <= place < len(data) - len(START_CODE):
        begin = place + len(START_CODE)
        place = data.find(START_CODE, begin)
        if unit := data[begin : place if place >= 0 else None]:
            yield unit


def _after_lengths(data: bytes, size: int) -> Iterator[bytes]:
    place = 0
    while place + size < len(data):
        begin, length = place + size, int.from_bytes(data[place : place + size], "big")
        place = begin + length
        if length:
            yield data[begin:place]


def _sets_of(record: bytes) -> Iterator[bytes]:
    """The parameter sets of a configuration record of H.264 (ISO/IEC 14496-15, 5.3.3.1)."""
    place = 5
    for mask in (0x1F, 0xFF):
        count = record[place] & mask if place < len(record) else 0
        place += 1
        for _ in range(count):
            begin, length = place + 2, int.from_bytes(record[place : place + 2], "big")
            place = begin + length
            if unit := record[begin:place]:
                yield unit
