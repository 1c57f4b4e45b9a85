"""Images in all formats: each is read correctly or refused with a reason."""

import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.core import limits
from jobs.core.errors import JobError
from jobs.media.images import Picture, conversion_notes, read, read_header, read_image
from tests.support.real import picture_or_none

GRAY = np.random.default_rng(1).integers(0, 256, (12, 16), np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 256, (12, 16, 3), np.uint8)
DEEP = np.random.default_rng(3).integers(0, 65536, (12, 16, 3), np.uint16)

Make = Callable[[Path], object]


def read_both(path: Path) -> tuple[Picture, list[str]]:
    """The picture and the notes; the header alone has the same facts."""
    reading, header = read(path), read_header(path)
    assert header == reading.header
    assert (header.height, header.width) == reading.picture.shape[:2]
    return reading.picture, conversion_notes([header])


def in_rgb(gray: Picture) -> Picture:
    return np.repeat(gray[:, :, None], 3, axis=2)


def save_deep(path: Path, format: str, values: NDArray[np.uint16] = DEEP) -> None:
    """Save 16-bit RGB in one of FFmpeg's formats, which Pillow cannot write."""
    frame = av.VideoFrame.from_ndarray(values.copy(), format="rgb48le").reformat(format=format)
    encoder = av.CodecContext.create("tiff" if path.suffix == ".tif" else "png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt, encoder.time_base = format, Fraction(1, 25)
    path.write_bytes(
        b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    )


def palette(path: Path) -> None:
    Image.fromarray(GRAY // 16 * 16).convert("P").save(path)


def with_alpha(value: int) -> Make:
    return lambda path: Image.fromarray(
        np.dstack([COLOUR, np.full((12, 16), value, np.uint8)])
    ).save(path)


def keyed(path: Path) -> None:
    """An image with a transparent colour that no pixel has."""
    Image.fromarray(np.minimum(COLOUR, 200)).save(path, transparency=(255, 255, 255))


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("gray.png", lambda path: Image.fromarray(GRAY).save(path), in_rgb(GRAY)),
        ("palette.png", palette, in_rgb(GRAY // 16 * 16)),
        (
            "two.png",
            lambda path: Image.fromarray(GRAY > 99).save(path),
            in_rgb((GRAY > 99).astype(np.uint8) * 255),
        ),
        ("opaque.png", with_alpha(255), COLOUR),
        (
            "opaque.webp",
            lambda path: Image.fromarray(COLOUR).convert("RGBA").save(path, lossless=True),
            COLOUR,
        ),
        ("keyed.png", keyed, np.minimum(COLOUR, 200)),
        ("wrong_extension.bmp", lambda path: Image.fromarray(COLOUR).save(path, "PNG"), COLOUR),
    ],
)
def test_opaque_images_of_8_bits_are_read_unchanged(
    name: str, make: Make, expected: Picture, tmp_path: Path
) -> None:
    make(tmp_path / name)
    picture, notes = read_both(tmp_path / name)
    assert np.array_equal(picture, expected)
    assert notes == []


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("deep.png", "rgb48be"),
        ("deep.tif", "rgb48le"),
        ("alpha.png", "rgba64be"),
        ("gray.png", "gray16be"),
        ("gray.tif", "gray16le"),
    ],
)
def test_values_of_16_bits_are_rounded_and_not_cut(name: str, format: str, tmp_path: Path) -> None:
    save_deep(tmp_path / name, format)
    picture, notes = read_both(tmp_path / name)
    gray = np.asarray(Image.open(tmp_path / name)).astype(float).reshape(12, 16, -1)
    exact = (gray if "gray" in format else DEEP) / 257
    assert np.abs(picture - exact).max() <= 0.5
    assert notes == [f"{name} has 16 bits per value, rounded to 8 for the network."]


@pytest.mark.parametrize(
    "name", ["turned.png", "turned.tif", "turned.webp", "deep.png", "deep.tif"]
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_applied(name: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    save_turned(tmp_path / name, orientation, exif)
    picture, notes = read_both(tmp_path / name)
    assert np.array_equal(picture, COLOUR)
    assert any("EXIF" in note for note in notes) == (orientation > 1)


def save_turned(path: Path, orientation: int, exif: Image.Exif) -> None:
    """The colour picture as a camera stores it that is held in another way."""
    stored = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.swapaxes(0, 1),
        6: np.rot90(COLOUR, 1),
        7: COLOUR.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(COLOUR, -1),
    }[orientation].copy()
    if not path.name.startswith("deep"):
        Image.fromarray(stored).save(path, exif=exif, lossless=True)
        return
    save_deep(path, "rgb48le" if path.suffix == ".tif" else "rgb48be", stored.astype("u2") * 257)
    if path.suffix == ".png":
        insert_behind_pixels(path, exif.tobytes()[6:])
    else:
        append_to_tiff(path, orientation)


def insert_behind_pixels(path: Path, exif: bytes) -> None:
    """Add an eXIf chunk to a PNG behind the pixels, where the format allows it too."""
    png, chunk = path.read_bytes(), b"eXIf" + exif
    whole = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(png[:-12] + whole + png[-12:])


def append_to_tiff(path: Path, orientation: int) -> None:
    """Add the orientation to a little-endian TIFF: a copy of its directory with one more entry."""
    tiff = path.read_bytes()
    (place,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, place)
    entries = [tiff[place + 2 + 12 * n : place + 14 + 12 * n] for n in range(count)]
    entries.append(struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0))
    tiff += bytes(len(tiff) % 2)
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    directory = struct.pack("<H", count + 1) + b"".join(entries) + bytes(4)
    path.write_bytes(tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + directory)


def test_an_image_with_damaged_exif_data_is_upright(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=b"Exif\0\0no TIFF header")
    assert np.array_equal(read_both(tmp_path / "a.png")[0], COLOUR)


def test_gray_stays_gray_whatever_its_depth_and_alpha(tmp_path: Path) -> None:
    save_deep(tmp_path / "gray.png", "gray16be")
    Image.fromarray(GRAY).convert("LA").save(tmp_path / "opaque.png")
    Image.fromarray(GRAY > 99).save(tmp_path / "two.tif")
    for path in tmp_path.iterdir():
        assert read_image(path, keep_gray=True).shape == (12, 16, 1)


def test_the_first_of_several_pictures_is_used_with_a_note(tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.roll(COLOUR, shift, axis=0)) for shift in range(3)]
    for name in ("pages.tif", "moving.png", "moving.webp"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], lossless=True)
        picture, notes = read_both(tmp_path / name)
        assert np.array_equal(picture, COLOUR)
        assert notes == [f"{name} has 3 pictures; only the first is used."]


def cut_in_half(path: Path) -> None:
    Image.fromarray(np.tile(COLOUR, (20, 20, 1))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def deep_and_cut(path: Path) -> None:
    save_deep(path, "rgb48be")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("empty.png", lambda path: path.touch(), "cannot be read as an image: it is empty"),
        (
            "text.png",
            lambda path: path.write_text("no image"),
            "it is not a BMP, PNG, TIFF, JPEG or WebP file",
        ),
        (
            "script.png",
            lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
            "it is not a BMP",
        ),
        ("cut.png", cut_in_half, "cannot be read as an image"),
        ("cut.jpg", cut_in_half, "cannot be read as an image"),
        ("deep.png", deep_and_cut, "cannot be read as an image"),
        ("clear.png", with_alpha(254), "has transparent pixels"),
        (
            "clear16.png",
            lambda path: Image.fromarray(GRAY).save(path, transparency=int(GRAY[0, 0])),
            "has transparent pixels",
        ),
        ("print.jpg", lambda path: Image.new("CMYK", (9, 9)).save(path), "is in CMYK"),
        ("lab.tif", lambda path: Image.new("LAB", (9, 9)).save(path), "is in LAB"),
        (
            "float.tif",
            lambda path: Image.fromarray(GRAY.astype(np.float32)).save(path),
            "is in floating point numbers",
        ),
        (
            "long.tif",
            lambda path: Image.fromarray(GRAY.astype(np.int32)).save(path),
            "is in 32-bit integers",
        ),
    ],
)
def test_unreadable_or_ambiguous_files_are_refused(
    name: str, make: Make, reason: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(JobError, match=f"{name}.*{reason}"):
        read_both(tmp_path / name)


def test_an_image_over_the_memory_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "max_image_bytes", lambda: 12 * 16 * 3 - 1)
    Image.fromarray(COLOUR).save(tmp_path / "large.png")
    with pytest.raises(JobError, match=r"large.png is refused: it is 16×12, more than"):
        read_both(tmp_path / "large.png")


@pytest.mark.parametrize(("kind", "least"), [("valid", 30), ("lenient", 1), ("bad", 0)])
def test_every_real_bmp_is_read_or_refused_with_a_sentence(
    kind: str, least: int, media: Path
) -> None:
    pictures = [
        picture_or_none(lambda path: read_both(path)[0], path)
        for path in sorted((media / "bmp" / kind).iterdir())
    ]
    assert len([picture for picture in pictures if picture is not None]) >= least
