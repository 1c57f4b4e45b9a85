"""NAL units of H.264 and HEVC: which of them a packet has, and whether their headers make sense.

Decoders skip units of unknown types without an error. ITU-T H.264 7.4.1 and H.265 7.4.2.2 define
the types.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

START_CODE = b"\0\0\1"


@dataclass(frozen=True)
class Syntax:
    """The types of a codec's NAL units. `reserved` are those that no encoder writes."""

    shift: int
    mask: int
    pictures: frozenset[int]
    reserved: frozenset[int]

    def type_of(self, header: int) -> int:
        return header >> self.shift & self.mask


SYNTAXES = {
    # 28 and 30 are in use: Dolby Vision.
    "h264": Syntax(
        0, 31, frozenset(range(1, 6)), frozenset((0, 17, 18, 22, 23, 24, 25, 26, 27, 29, 31))
    ),
    "hevc": Syntax(1, 63, frozenset(range(22)), frozenset((*range(22, 32), *range(41, 48)))),
}
"""By FFmpeg's name of the codec."""


@dataclass(frozen=True)
class Units:
    """Whether a packet has a coded picture, and the number of NAL units with a damaged header.

    `picture_first`: whether the picture is before the first of these.
    """

    has_picture: bool
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

    def scan(self, data: bytes) -> Units:
        assert self.syntax is not None
        syntax, has_picture, picture_first, damaged = self.syntax, False, False, 0
        for header in self._headers(data):
            type = syntax.type_of(header)
            bad = bool(header & 0x80) or type in syntax.reserved
            picture_first |= bad and not damaged and has_picture
            damaged += bad
            has_picture |= not bad and type in syntax.pictures
        return Units(has_picture, damaged, picture_first)

    def _headers(self, data: bytes) -> list[int]:
        """The first byte of each NAL unit of a packet."""
        headers, size = list[int](), self._length_size
        if not size:
            place = data.find(START_CODE)
            while 0 <= place < len(data) - len(START_CODE):
                headers.append(data[place + len(START_CODE)])
                place = data.find(START_CODE, place + len(START_CODE))
            return headers
        place = 0
        while place + size < len(data):
            headers.append(data[place + size])
            place += size + int.from_bytes(data[place : place + size], "big")
        return headers
