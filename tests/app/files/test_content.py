"""Identification of files by their first bytes, with real files."""

import gzip
import io
from pathlib import Path

import pytest
import torch
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
from jobs.interchange.exporting import member


def torch_head(new_format: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, file, _use_new_zipfile_serialization=new_format)
    return file.getvalue()[:HEAD]


def first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def test_raw_streams_are_identified(media: Path) -> None:
    streams = [*(media / "h264").iterdir(), *(media / "clips").glob("*.264")]
    assert len(streams) > 15
    assert {path.name: content.identify(first_bytes(path)) for path in streams} == {
        path.name: H264 for path in streams
    }


def test_bmp_files_are_identified(media: Path) -> None:
    images = list((media / "bmp" / "valid").iterdir())
    assert [path.name for path in images if content.identify(first_bytes(path)) is not BMP] == []


def test_videos_are_identified(media: Path) -> None:
    kinds = {
        path.suffix: content.identify(first_bytes(path))
        for path in (media / "clips").iterdir()
        if path.suffix in (".mp4", ".y4m")
    }
    assert kinds == {".mp4": MP4, ".y4m": Y4M}


@pytest.mark.parametrize(
    ("format", "expected"),
    [("BMP", BMP), ("PNG", PNG), ("JPEG", JPEG), ("TIFF", TIFF), ("WEBP", WEBP), ("GIF", None)],
)
def test_images_are_identified(format: str, expected: Content | None) -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 7)).save(file, format)
    assert content.identify(file.getvalue()) is expected
    assert content.identify(gzip.compress(file.getvalue())) is (BMP_GZ if expected is BMP else None)


@pytest.mark.parametrize(
    ("head", "expected"),
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
def test_less_common_and_unknown_contents(head: bytes, expected: Content | None) -> None:
    assert content.identify(head) is expected


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.PNG", b"\x89PNG\r\n\x1a\n", "a.PNG"),
        ("a.bmp", b"\x89PNG\r\n\x1a\n", "a.png"),
        ("a.bmp.gz", b"\x89PNG\r\n\x1a\n", "a.png"),
        ("foreman.qp37", b"YUV4MPEG2 W9", "foreman.qp37.y4m"),
        ("clip.jsv", b"\0\0\0\1\x67\x42\0\x1e", "clip.jsv"),
        ("clip.mov", bytes(4) + b"moov", "clip.mov"),
        ("grey.yuv", b"GGGG", "grey.yuv"),
        ("list.csv", b"stream,originals", "list.csv"),
        ("net.safetensors", b"\x40" + bytes(7) + b'{"__meta', "net.safetensors"),
        ("net.pt", torch_head(new_format=True), "net.pt"),
        ("net", torch_head(new_format=True), "net.pth"),
        ("old.pth", torch_head(new_format=False), "old.pth"),
        ("train.parquet", b"PAR1\x15\x04", "train.parquet"),
        ("train-000.tar", member("0.input.png", b"1"), "train-000.tar"),
        ("README.md", b"# A dataset", "README.md"),
        ("data.mdb", bytes(16) + b"\xde\xc0\xef\xbe\1", "data.mdb"),
    ],
)
def test_a_name_gets_the_extension_of_its_content(name: str, head: bytes, expected: str) -> None:
    assert fitting_name(name, head) == expected


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        ("a.bmp", b"no image", r"a\.bmp contains text\. .* \(\.csv\)"),
        ("a.csv", b"a\0b", r"a\.csv is not in a supported format"),
        ("a.mp4", b"%PDF\0", r"a\.mp4 is not in"),
        ("a.yuv", b"", r"a\.yuv is empty\."),
    ],
)
def test_an_unusable_file_is_refused_with_its_name(name: str, head: bytes, message: str) -> None:
    with pytest.raises(Unusable, match=message):
        fitting_name(name, head)
