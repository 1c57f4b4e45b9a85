"""What files are by their first bytes, on real files."""

import gzip
import io
from pathlib import Path

import pytest
from PIL import Image

from app.files import content
from app.files.content import (
    BMP,
    BMP_GZ,
    H264,
    HEAD,
    JPEG,
    MATROSKA,
    MP4,
    PNG,
    TEXT,
    TIFF,
    TS,
    WEBP,
    Y4M,
    Content,
    Unusable,
    fitting_name,
)


def head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def test_every_raw_stream_is_known(media: Path) -> None:
    streams = [*(media / "h264").iterdir(), *(media / "clips").glob("*.264")]
    assert len(streams) > 15
    assert {path.name: content.content(head(path)) for path in streams} == {
        path.name: H264 for path in streams
    }


def test_every_bmp_is_known(media: Path) -> None:
    images = list((media / "bmp" / "valid").iterdir())
    assert [path.name for path in images if content.content(head(path)) is not BMP] == []


def test_videos_are_known(media: Path) -> None:
    kinds = {
        path.suffix: content.content(head(path))
        for path in (media / "clips").iterdir()
        if path.suffix in (".mp4", ".y4m")
    }
    assert kinds == {".mp4": MP4, ".y4m": Y4M}


@pytest.mark.parametrize(
    ("format", "wanted"),
    [("BMP", BMP), ("PNG", PNG), ("JPEG", JPEG), ("TIFF", TIFF), ("WEBP", WEBP), ("GIF", None)],
)
def test_images_are_known(format: str, wanted: Content | None) -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 7)).save(file, format)
    assert content.content(file.getvalue()) is wanted
    assert content.content(gzip.compress(file.getvalue())) is (BMP_GZ if wanted is BMP else None)


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        (b"\x1aE\xdf\xa3" + bytes(40), MATROSKA),
        ((b"G" + bytes(187)) * 5, TS),
        ((bytes(4) + b"G" + bytes(187)) * 5, TS),
        ("stream,originals\nä.264,ä".encode()[:-1], TEXT),
        (b"\0\0\0\1\x40\1\x0c\1\xff\xff\0\0\0\1\x42\1\1", None),  # H.265
        (b"\0\0\1\xba" + bytes(60), None),  # an MPEG program stream
        (b"\0\0\0\x20ftypheic" + bytes(60), None),
        (b"BM, a song", TEXT),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", None),
        (b"\x1f\x8b", None),
        (bytes(1000), None),
        (b"", None),
    ],
)
def test_what_is_not_so_common(first: bytes, wanted: Content | None) -> None:
    assert content.content(first) is wanted


@pytest.mark.parametrize(
    ("name", "first", "wanted"),
    [
        ("a.PNG", b"\x89PNG\r\n\x1a\n", "a.PNG"),
        ("a.bmp", b"\x89PNG\r\n\x1a\n", "a.png"),
        ("a.bmp.gz", b"\x89PNG\r\n\x1a\n", "a.png"),
        ("foreman.qp37", b"YUV4MPEG2 W9", "foreman.qp37.y4m"),
        ("clip.jsv", b"\0\0\0\1\x67\x42\0\x1e", "clip.jsv"),
        ("clip.mov", bytes(4) + b"moov", "clip.mov"),
        ("grey.yuv", b"GGGG", "grey.yuv"),
        ("list.csv", b"stream,originals", "list.csv"),
    ],
)
def test_a_name_gets_the_ending_of_its_content(name: str, first: bytes, wanted: str) -> None:
    assert fitting_name(name, first) == wanted


@pytest.mark.parametrize(
    ("name", "first", "sentence"),
    [
        ("a.bmp", b"no image", r"a\.bmp is text by its content\. .* \.csv"),
        ("a.csv", b"a\0b", r"a\.csv is nothing that Clearframe can use"),
        ("a.mp4", b"%PDF\0", r"a\.mp4 is nothing"),
        ("a.yuv", b"", r"a\.yuv is empty\."),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(name: str, first: bytes, sentence: str) -> None:
    with pytest.raises(Unusable, match=sentence):
        fitting_name(name, first)
