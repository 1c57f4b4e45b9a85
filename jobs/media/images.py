"""Pictures from image files: uint8 (H, W, C), C = 3 for RGB and 1 for grayscale."""

import io
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import igzip, igzip_lib
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.ImageFile import ImageFile as OpenImage

from jobs.core.errors import JobError
from jobs.core.limits import max_image_bytes, max_image_mb, too_large
from jobs.core.manifest import is_path_list, listed
from jobs.core.paths import open_file
from jobs.core.suffixes import IMAGES, composed, is_image, natural
from jobs.media.qp_maps import BLOCK, MAX_QP, Coding, QpMap, coding_of_image

Picture = NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # jobs.core.limits has the limit.

FORMATS = ("BMP", "DIB", "PNG", "TIFF", "JPEG", "WEBP")
"""The formats that are read, whatever the file extension. Pillow runs programs for some others."""

DEEP = re.compile(r";(12|16|32|64)")
"""Matches Pillow's names for deep raw values, such as RGB;16B."""

GRAY_MODES = frozenset({"1", "L", "LA", "La"})
SUPPORTED_MODES = GRAY_MODES | {
    *("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"),
    *("I;16", "I;16B", "I;16L", "I;16N"),
}
"""Pillow's modes whose values have a known meaning: not CMYK, LAB, or 32-bit numbers."""
MODE_NAMES = {
    "CMYK": "CMYK, which is for print",
    "F": "floating point numbers",
    "I": "32-bit integers",
}

UPRIGHT = 1
SIDEWAYS = range(5, 9)
"""EXIF orientations that exchange width and height."""
OPAQUE = 255

METADATA = ("icc_profile", "exif")
"""Data of an opened file that Pillow can save again, by the same names."""

RAW_BYTES = {"P": 1, "L": 1, "LA": 2, "RGB": 3, "BGR": 3, "RGBX": 4, "BGRX": 4, "RGBA": 4}
"""Bytes a pixel of Pillow's raw modes, without those that are rare."""

JPEG = (".jpg", ".jpeg")
JPEG_SIGNATURE = b"\xff\xd8\xff"

GZIPPED_HEADER = 2**16
"""Bytes that are unpacked to read a header. BMP's headers and palette take less."""
PNG_SIGNATURE_BYTES = 8
CRC_BYTES = 4


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order, without hidden files."""
    return sorted(
        (path for path in folder.iterdir() if is_image(path.name) and path.is_file()),
        key=lambda path: natural(path.name),
    )


def list_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order, or of a path list in its order.

    Raises JobError if there are none.
    """
    if is_path_list(folder):
        return listed(folder)
    if not folder.is_dir():
        raise JobError(f"{folder} is not a folder. Give the folder of the originals.")
    images = images_in(folder)
    if not images:
        raise JobError(
            f"{folder} contains no image. Give the folder of the originals: {', '.join(IMAGES)}."
        )
    return images


def stem(path: Path) -> str:
    """The file name without the extension of an image: `a` for a.bmp.gz.

    In composed Unicode, so that a name that macOS wrote equals the same name from elsewhere.
    """
    name = composed(path.name)
    extension = next((suffix for suffix in IMAGES if name.lower().endswith(suffix)), path.suffix)
    return name[: len(name) - len(extension)]


@dataclass(frozen=True)
class Header:
    """The facts of an image that are known before its pixels are read.

    `width` and `height` are those of the upright picture. `conversions` are predicates, such as
    "has 16 bits per value, rounded to 8 for the network".
    """

    path: Path
    width: int
    height: int
    deep: bool
    orientation: int
    conversions: list[str]


@dataclass(frozen=True)
class Reading:
    """A picture that was read, and Pillow's options for saving it."""

    picture: Picture
    header: Header
    metadata: dict[str, bytes]
    """The colour profile, and the Exif data without the orientation, which was applied."""
    coding: Coding


def read_header(path: Path) -> Header:
    """The header of an image file. Raises JobError if no picture can be read from it."""
    with _opened(path, header_only=True) as image:
        # The rest of a gzipped file is not unpacked.
        return _header(path, image, complete=path.suffix.lower() != ".gz")


def read(path: Path, keep_gray: bool = False, data: bytes | None = None) -> Reading:
    """Read an image as RGB, or with `keep_gray` as one channel if the file has one.

    `data`: the content of the file, if it is in a file of another program; `path` then names it.
    Datasets, tests and restoration all read images in this way. Raises JobError, with the file's
    name, for an image with transparent pixels or in a colour space other than RGB or gray.
    """
    with _opened(path, data=data) as image:
        header = _header(path, image)
        image.load()
        upright = _rounded(path, image, header, data) if header.deep else image
        if header.orientation != UPRIGHT:
            upright = ImageOps.exif_transpose(upright)
        picture = np.asarray(_opaque(path.name, upright, keep_gray))
        return Reading(
            picture if picture.ndim == 3 else picture[:, :, None],
            header,
            {key: upright.info[key] for key in METADATA if upright.info.get(key)},
            coding_of_image(image, header.height, header.width),
        )


def conversion_notes(headers: Iterable[Header]) -> list[str]:
    """A sentence on each kind of conversion, with the first of the images that it changed."""
    changed: dict[tuple[Path, str], list[Path]] = {}
    for header in headers:
        for text in header.conversions:
            changed.setdefault((header.path.parent, text), []).append(header.path)
    return [
        f"{paths[0].name} {text}."
        if len(paths) == 1
        else f"{len(paths):,} images of {folder}, such as {paths[0].name}: each {text}."
        for (folder, text), paths in changed.items()
    ]


def read_image(path: Path, keep_gray: bool = False) -> Picture:
    """The picture of `read`, for callers that have checked the header."""
    return read(path, keep_gray).picture


@dataclass(frozen=True)
class ImageFile:
    """A picture that is read when called. Unlike a decoded frame, it can go to another process."""

    path: Path
    qp_map: Path | None = None
    """The picture of the QPs of its macroblocks, if there is one."""

    def __call__(self) -> Picture:
        return read_image(self.path, keep_gray=True)

    @property
    def coding(self) -> Coding:
        if self.qp_map is not None:
            map = read_image(self.qp_map, keep_gray=True)
            with _opened(self.path, header_only=True) as image:
                header = _header(self.path, image)
            return Coding(qp=_checked_map(map, self.qp_map, header.height, header.width))
        if self.path.suffix.lower() not in JPEG:
            return Coding()
        with _opened(self.path, header_only=True) as image:
            header = _header(self.path, image)
            return coding_of_image(image, header.height, header.width)


@dataclass(frozen=True)
class PackedFile(ImageFile):
    """An image file in a file of another program. `path`: that file, and the name in it."""

    data: bytes = b""
    packed_map: bytes = b""
    """The picture of the QPs of its macroblocks; empty if there is none."""

    def __call__(self) -> Picture:
        return read(self.path, keep_gray=True, data=self.data).picture

    @property
    def coding(self) -> Coding:
        if self.packed_map:
            name = self.path.with_name(f"{self.path.name} (QPs)")
            map = read(name, True, self.packed_map).picture
            with _opened(self.path, data=self.data) as image:
                header = _header(self.path, image)
            return Coding(qp=_checked_map(map, name, header.height, header.width))
        if not self.data.startswith(JPEG_SIGNATURE):
            return Coding()
        with _opened(self.path, data=self.data) as image:
            header = _header(self.path, image)
            return coding_of_image(image, header.height, header.width)


def _checked_map(map: Picture, path: Path, height: int, width: int) -> QpMap:
    """The QPs of the macroblocks of a picture of that size. Raises JobError for others."""
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    if map.shape[:2] != (rows, columns) or map.max() > MAX_QP:
        raise JobError(
            f"{path} has no QPs of a picture of {width}×{height}: they are a gray picture of "
            f"{columns}×{rows} pixels with values up to {MAX_QP}. Correct it, or remove it."
        )
    return map[:, :, 0]


@contextmanager
def _opened(
    path: Path, header_only: bool = False, data: bytes | None = None
) -> Iterator[OpenImage]:
    """Open an image file, gzipped or not.

    Raises JobError, with the file's name, for a file that is not a valid image, including errors
    when the caller reads the pixels.
    """
    try:
        with (
            _content(path, header_only) if data is None else io.BytesIO(data) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            yield image
    except UnidentifiedImageError as error:
        empty = not (path.stat().st_size if data is None else data)
        what = "it is empty" if empty else "it is not a BMP, PNG, TIFF, JPEG or WebP file"
        raise JobError(
            f"{path.name} cannot be read as an image: {what}. Replace or remove it."
        ) from error
    except (
        OSError,
        EOFError,
        SyntaxError,
        ValueError,
        OverflowError,
        igzip_lib.IsalError,
    ) as error:  # type: ignore[misc]  # isal's stub declares its error as an instance.
        raise JobError(
            f"{path.name} cannot be read as an image: {error}. Replace or remove it."
        ) from error


def _content(path: Path, header_only: bool) -> BinaryIO:
    """The content of a file in memory; for a header only, read as little as possible."""
    if path.suffix.lower() == ".gz":
        return io.BytesIO(_unzip(path, GZIPPED_HEADER if header_only else None))
    return open_file(path) if header_only else io.BytesIO(_bytes(path))


def _bytes(path: Path) -> bytes:
    with open_file(path) as file:
        return file.read()


def _unzip(path: Path, most: int | None = None) -> bytes:
    with open_file(path) as zipped, igzip.open(zipped) as file:
        data: bytes = file.read(most or max_image_bytes() + 1)
    if len(data) > max_image_bytes():
        raise JobError(
            f"{path.name} is refused: it unpacks to more than {max_image_mb()} MiB "
            "(--max-image-mb)."
        )
    return data


def _header(path: Path, image: OpenImage, complete: bool = True) -> Header:
    """The header of a newly opened file: reading the pixels removes some of it.

    Raises OSError if the pixels of a `complete` file are cut off.
    """
    why = too_large(image.width, image.height)
    if why:
        raise JobError(f"{path.name} is refused: {why}.")
    if image.mode not in SUPPORTED_MODES:
        mode = MODE_NAMES.get(image.mode, image.mode)
        raise JobError(f"{path.name} is in {mode}. Convert it to RGB with 8 bits per value.")
    chunks = _png_chunks(image) if image.format == "PNG" else {}
    if complete and (_is_cut_off(image) or chunks.get(b"IDAT", b"") is None):
        raise OSError("the file is truncated")
    deep, pictures = _is_deep(image), getattr(image, "n_frames", 1)
    turn = _orientation(image, chunks.get(b"eXIf"))
    conversions = []
    if pictures > 1 and image.format != "MPO":  # MPO: a photograph with previews.
        conversions.append(f"has {pictures} pictures; only the first is used")
    if deep:
        conversions.append("has 16 bits per value, rounded to 8 for the network")
    if turn != UPRIGHT:
        conversions.append("was rotated or mirrored to its EXIF orientation")
    swapped = turn in SIDEWAYS and image.format != "TIFF"  # Pillow turns TIFFs itself.
    width, height = image.size[::-1] if swapped else image.size
    return Header(path, width, height, deep, turn, conversions)


def _is_deep(image: OpenImage) -> bool:
    """Whether a newly opened file has more than 8 bits per value.

    For colour images, Pillow's mode does not show it, because Pillow cuts the values to 8 bits.
    """
    raw_modes = [
        tile.args if isinstance(tile.args, str) else str(tile.args[0])
        for tile in image.tile
        if tile.args
    ]
    cut = image.format in ("PNG", "TIFF") and any(DEEP.search(mode) for mode in raw_modes)
    return cut or image.mode.startswith("I")


def _orientation(image: OpenImage, exif: bytes | None) -> int:
    """The EXIF orientation, 1 to 8; upright if the EXIF data are damaged, as in viewers."""
    if exif:
        image.info.setdefault("exif", exif)
    try:
        # The method of PngImageFile would decode the pixels.
        value = Image.Image.getexif(image).get(Base.Orientation, UPRIGHT)
    except (SyntaxError, ValueError, KeyError, struct.error):
        return UPRIGHT
    return value if value in range(UPRIGHT, 9) else UPRIGHT


def _png_chunks(image: OpenImage) -> dict[bytes, bytes | None]:
    """The data of the last chunk of each kind, empty for pixels; None if it is cut off.

    Pillow reads the chunks before the pixels only.
    """
    file = image.fp
    assert file is not None
    place, size = file.tell(), file.seek(0, io.SEEK_END)
    file.seek(PNG_SIGNATURE_BYTES)
    chunks: dict[bytes, bytes | None] = {}
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        end = file.tell() + length
        data = file.read(length) if kind == b"eXIf" else b""
        chunks[kind] = data if end <= size else None
        file.seek(end + CRC_BYTES)
    file.seek(place)
    return chunks


def _is_cut_off(image: OpenImage) -> bool:
    """Whether rows of uncompressed pixels are missing at the end of the file."""
    file = image.fp
    assert file is not None
    place, size = file.tell(), file.seek(0, io.SEEK_END)
    file.seek(place)
    for tile in image.tile:
        if tile.codec_name == "raw" and isinstance(tile.args, tuple) and tile.extents:
            left, top, right, bottom = tile.extents
            mode, row_bytes, *_ = tile.args
            packed = RAW_BYTES.get(mode, 0) * (right - left)
            if tile.offset + (row_bytes or packed) * (bottom - top - 1) > size:
                return True
    return False


def _rounded(
    path: Path, image: OpenImage, header: Header, data: bytes | None = None
) -> Image.Image:
    """A 16-bit image with each value rounded to 8 bits. Pillow would cut off the low bits."""
    # On demand: PyAV takes long to load in each worker process, and few images are this deep.
    from jobs.media.deep_images import decode

    if data is None:
        data = _unzip(path) if path.suffix.lower() == ".gz" else _bytes(path)
    values = decode(path.name, image.format or "", data).astype(np.uint32)
    levels = ((values * 255 + 32767) // 65535).astype(np.uint8)
    rounded = Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
    rounded.info = dict(image.info)
    rounded.getexif()[Base.Orientation] = header.orientation
    return rounded


def _opaque(name: str, image: Image.Image, keep_gray: bool) -> Image.Image:
    """An image without alpha. Raises JobError if any pixel is transparent."""
    gray = keep_gray and image.mode in GRAY_MODES
    if image.has_transparency_data:
        image = image.convert("LA" if gray else "RGBA")
        if image.getchannel("A").getextrema()[0] != OPAQUE:
            raise JobError(
                f"{name} has transparent pixels. Flatten the image first: the network needs "
                "opaque colours."
            )
    return image.convert("L" if gray else "RGB")


def size(picture: Picture) -> str:
    """The size in a sentence: 352×288, which is width × height."""
    return f"{picture.shape[1]}×{picture.shape[0]}"


LUMA = {"BT.601": (19595, 38470, 7471), "BT.709": (13933, 46871, 4732)}
"""Weights of R, G and B in Y, in 1/65536.

ITU-R BT.601: 0.299, 0.587, 0.114. ITU-R BT.709: 0.2126, 0.7152, 0.0722.
"""


def to_gray(picture: Picture, matrix: str) -> Picture:
    """Y of an RGB picture, uint8 (H, W, 1), in full range 0 to 255, rounded."""
    if picture.shape[2] == 1:
        return picture
    red, green, blue = LUMA[matrix]
    wide = picture.astype(np.uint32)
    weighted = wide[:, :, 0] * red + wide[:, :, 1] * green + wide[:, :, 2] * blue
    return ((weighted + 32768) >> 16).astype(np.uint8)[:, :, None]


def to_rgb(picture: Picture) -> Picture:
    """A picture with three channels: grayscale is repeated."""
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
