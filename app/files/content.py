"""File types by the first bytes of a file.

The name does not matter, except for raw .yuv, which has no signature.
"""

import codecs
import re
import struct
import zlib
from dataclasses import dataclass

from jobs.core.suffixes import IMAGES, PATH_LISTS, RAW_H264, VIDEOS, WEIGHTS

MAX_HEADER = 100 * 10**6
"""Bytes of the header of safetensors, as its own reader limits it."""
HEAD = 64 * 1024
"""Number of bytes at the start of a file that are inspected."""


class Unusable(Exception):
    """A file that Clearframe cannot use; the message says why and what to do."""


@dataclass(frozen=True)
class Content:
    """A file type: its name in messages and its file extensions, the most common one first."""

    name: str
    extensions: tuple[str, ...]


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
SAFETENSORS = Content("weights in safetensors", (".safetensors",))
TORCH = Content("weights of PyTorch", tuple(end for end in WEIGHTS if end != ".safetensors"))
PARQUET = Content("Parquet", (".parquet",))
TAR = Content("a tar archive", (".tar",))
LMDB = Content("an LMDB database", (".mdb",))
TEXT = Content("text", (".csv", *PATH_LISTS, ".md"))
"""README.md describes the files next to it, such as Parquet: nothing reads it."""
PICTURES = frozenset({BMP, BMP_GZ, PNG, JPEG, TIFF, WEBP})

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"II*\0": TIFF,
    b"MM\0*": TIFF,
    b"II+\0": TIFF,
    b"MM\0+": TIFF,
    b"\x1a\x45\xdf\xa3": MATROSKA,
    b"YUV4MPEG2 ": Y4M,
    b"PAR1": PARQUET,
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19": TORCH,
}
"""The last one is the magic number of torch.save before version 1.6."""
LMDB_MAGIC, LMDB_MAGIC_AT = b"\xde\xc0\xef\xbe", 16
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
RIFF = {b"WEBP": WEBP, b"AVI ": AVI}
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""The sizes in bytes that the second header of a BMP can have, one per version."""
STILL_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
"""Brands of still images in an MP4 container, which are not supported."""
PROFILES = frozenset({44, 66, 77, 83, 86, 88, 100, 110, 118, 122, 128, 138, 139, 134, 135, 244})
"""The H.264 profiles (profile_idc, ITU-T H.264 annexes A, F, G and H)."""
EXTENSIONS = tuple(sorted({*IMAGES, *VIDEOS, *TEXT.extensions, ".gz"}, key=len, reverse=True))


def identify(head: bytes) -> Content | None:
    """The type of a file with these first bytes, or None if it is unknown."""
    for signature, content in SIGNATURES.items():
        if head.startswith(signature):
            return content
    if head.startswith(b"RIFF"):
        return RIFF.get(head[8:12])
    if head.startswith(b"\x1f\x8b"):
        return BMP_GZ if _is_bmp(_inflated(head)) else None
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return None if head[8:12] in STILL_BRANDS else MP4
    tests = (
        (_is_bmp, BMP),
        (_is_torch, TORCH),
        (_is_safetensors, SAFETENSORS),
        (_is_lmdb, LMDB),
        (_is_tar, TAR),
        (_is_h264, H264),
        (_is_ts, TS),
        (_is_text, TEXT),
    )
    return next((content for test, content in tests if test(head)), None)


def fitting_name(name: str, head: bytes) -> str:
    """The name with a file extension that matches the content. Raises Unusable."""
    if not head:
        raise Unusable(f"{name} is empty.")
    if name.lower().endswith(".yuv"):
        return name
    content = identify(head)
    if content is None:
        raise Unusable(
            f"{name} is not in a supported format. Use an image (BMP, gzipped BMP, PNG, TIFF, "
            "JPEG, WebP), an H.264 stream, a video, a list of sequences (.csv) or of images "
            "(.txt), weights (.safetensors, .pth), or a dataset (.tar, .parquet, LMDB)."
        )
    if name.lower().endswith(content.extensions):
        return name
    if content is TEXT:
        raise Unusable(
            f"{name} contains text. The only supported text files are lists: of sequences (.csv) "
            f"or of the paths of images ({', '.join(PATH_LISTS)})."
        )
    wrong = next((extension for extension in EXTENSIONS if name.lower().endswith(extension)), "")
    return (name[: len(name) - len(wrong)] or "file") + content.extensions[0]


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


def _is_torch(head: bytes) -> bool:
    """A ZIP whose first file is that of torch.save, in a folder of any name."""
    length = int.from_bytes(head[26:28], "little")
    name = head[30 : 30 + length]
    return head.startswith(b"PK\x03\x04") and name.endswith((b"/data.pkl", b"/.format_version"))


def _is_safetensors(head: bytes) -> bool:
    """The length of a header in JSON, eight bytes, and the header."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= MAX_HEADER


def _is_lmdb(head: bytes) -> bool:
    return head[LMDB_MAGIC_AT:].startswith(LMDB_MAGIC)


def _is_tar(head: bytes) -> bool:
    return head[TAR_MAGIC_AT:].startswith(TAR_MAGIC)


def _is_h264(head: bytes) -> bool:
    """Annex B: a start code first, and a sequence parameter set with a known profile."""
    start = re.match(rb"\0{2,}\x01", head)
    parameter_sets = re.finditer(
        rb"\0\0\x01([\x07\x27\x47\x67\x0f\x2f\x4f\x6f])(.)", head, re.DOTALL
    )
    return start is not None and any(match[2][0] in PROFILES for match in parameter_sets)


def _is_ts(head: bytes) -> bool:
    """Packets of 188 bytes that all start with 0x47; 192 bytes if a timestamp precedes each."""
    return any(
        len(head) > first + 2 * size and all(byte == 0x47 for byte in head[first::size])
        for first, size in ((0, 188), (4, 192))
    )


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be truncated."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and not re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
