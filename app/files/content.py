"""What a file is by its first bytes. Its name decides nothing, but for raw .yuv, which has nothing to know it by."""

import codecs
import re
import struct
import zlib
from dataclasses import dataclass

from jobs.core.suffixes import IMAGES, RAW_H264, VIDEOS

HEAD = 64 * 1024
"""How many of the first bytes are looked at."""


class Unusable(Exception):
    """A file of which Clearframe can make nothing; the text says why and what to do."""


@dataclass(frozen=True)
class Content:
    """What a file is: how it is called, and the endings that such a file may have, the usual one first."""

    name: str
    endings: tuple[str, ...]


BMP = Content("a BMP image", (".bmp",))
BMP_GZ = Content("a gzipped BMP image", (".bmp.gz",))
PNG = Content("a PNG image", (".png",))
JPEG = Content("a JPEG image", (".jpg", ".jpeg"))
TIFF = Content("a TIFF image", (".tif", ".tiff"))
WEBP = Content("a WebP image", (".webp",))
H264 = Content("a raw H.264 stream", RAW_H264)
MP4 = Content("an MP4 video", (".mp4", ".mov", ".m4v"))
MATROSKA = Content("a Matroska video", (".mkv", ".webm"))
TS = Content("an MPEG transport stream", (".ts", ".m2ts"))
AVI = Content("an AVI video", (".avi",))
Y4M = Content("a Y4M video", (".y4m",))
TEXT = Content("text", (".csv",))

STARTS = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"II*\0": TIFF,
    b"MM\0*": TIFF,
    b"II+\0": TIFF,
    b"MM\0+": TIFF,
    b"\x1a\x45\xdf\xa3": MATROSKA,
    b"YUV4MPEG2 ": Y4M,
}
RIFF = {b"WEBP": WEBP, b"AVI ": AVI}
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""The sizes that a BMP's second header can have, by its version."""
STILL_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
"""Images in the box of an MP4, which nothing here reads."""
PROFILES = frozenset({44, 66, 77, 83, 86, 88, 100, 110, 118, 122, 128, 138, 139, 134, 135, 244})
"""The H.264 profiles (profile_idc, ITU-T H.264 annexes A, F, G and H)."""
ENDINGS = tuple(sorted({*IMAGES, *VIDEOS, ".csv", ".gz"}, key=len, reverse=True))


def content(head: bytes) -> Content | None:
    """What a file with these first bytes is; None where it is nothing known."""
    for start, found in STARTS.items():
        if head.startswith(start):
            return found
    if head.startswith(b"RIFF"):
        return RIFF.get(head[8:12])
    if head.startswith(b"\x1f\x8b"):
        return BMP_GZ if _is_bmp(_inflated(head)) else None
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return None if head[8:12] in STILL_BRANDS else MP4
    tests = ((_is_bmp, BMP), (_is_h264, H264), (_is_ts, TS), (_is_text, TEXT))
    return next((found for test, found in tests if test(head)), None)


def fitting_name(name: str, head: bytes) -> str:
    """The name with an ending that says what the file is. Raises Unusable."""
    if not head:
        raise Unusable(f"{name} is empty.")
    if name.lower().endswith(".yuv"):
        return name
    found = content(head)
    if found is None:
        raise Unusable(
            f"{name} is nothing that Clearframe can use: by its content it is no image "
            "(BMP, gzipped BMP, PNG, TIFF, JPEG, WebP), no H.264 stream, no video and no CSV list."
        )
    if name.lower().endswith(found.endings):
        return name
    if found is TEXT:
        raise Unusable(
            f"{name} is text by its content. Only lists of sequences are, and their names end in .csv."
        )
    wrong = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return (name[: len(name) - len(wrong)] or "file") + found.endings[0]


def _inflated(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 64)
    except zlib.error:
        return b""


def _is_bmp(head: bytes) -> bool:
    return (
        head.startswith(b"BM")
        and len(head) >= 18
        and struct.unpack_from("<I", head, 14)[0] in BMP_HEADERS
    )


def _is_h264(head: bytes) -> bool:
    """Annex B: it begins with a start code, and has a sequence parameter set of a known profile."""
    begins = re.match(rb"\0{2,}\x01", head)
    sets = re.finditer(rb"\0\0\x01([\x07\x27\x47\x67\x0f\x2f\x4f\x6f])(.)", head, re.DOTALL)
    return begins is not None and any(found[2][0] in PROFILES for found in sets)


def _is_ts(head: bytes) -> bool:
    """Packets of 188 bytes, or of 192 with a time before each, that all begin with 0x47."""
    return any(
        len(head) > first + 2 * size and all(byte == 0x47 for byte in head[first::size])
        for first, size in ((0, 188), (4, 192))
    )


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and not re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
