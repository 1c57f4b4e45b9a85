"""Pictures from image files: uint8 (H, W, C), C = 3 for RGB and 1 for grayscale."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from isal import igzip, igzip_lib
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile as OpenImage

from jobs.core.errors import JobError
from jobs.core.limits import max_image_bytes, max_image_mb, too_large
from jobs.core.suffixes import IMAGES, is_image, natural

Picture = NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # jobs.core.limits has the limit.

FORMATS = ("BMP", "DIB", "PNG", "TIFF", "JPEG", "WEBP")
"""The formats that are read, whatever the file extension. Pillow runs programs for some others."""

DEEP = re.compile(r";(12|16|32|64)")
"""Matches Pillow's names for deep raw values, such as RGB;16B."""


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order, without hidden files."""
    return sorted(
        (path for path in folder.iterdir() if is_image(path.name) and path.is_file()),
        key=lambda path: natural(path.name),
    )


def list_images(folder: Path) -> list[Path]:
    """The images of a folder in natural order. Raises JobError if it has none."""
    if not folder.is_dir():
        raise JobError(f"{folder} is not a folder. Give the folder of the originals.")
    images = images_in(folder)
    if not images:
        raise JobError(
            f"{folder} contains no image. Give the folder of the originals: {', '.join(IMAGES)}."
        )
    return images


def stem(path: Path) -> str:
    """The file name without the extension of an image: `a` for a.bmp.gz."""
    name = path.name
    extension = next((suffix for suffix in IMAGES if name.lower().endswith(suffix)), path.suffix)
    return name[: len(name) - len(extension)]


@contextmanager
def open_image(path: Path) -> Iterator[tuple[OpenImage, bytes]]:
    """Open an image file, gzipped or not, within the size limit of a picture; also give its bytes.

    Raises JobError, with the file's name, for a file that is not a valid image, including errors
    when the caller reads the pixels.
    """
    try:
        data = _unzip(path) if path.suffix.lower() == ".gz" else path.read_bytes()
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            why = too_large(image.width, image.height)
            if why:
                raise JobError(f"{path.name} is refused: {why}.")
            yield image, data
    except UnidentifiedImageError as error:
        what = "it is not a BMP, PNG, TIFF, JPEG or WebP file" if data else "it is empty"
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


def is_deep(image: OpenImage) -> bool:
    """Whether a newly opened file has more than 8 bits per value.

    For colour images, Pillow's mode does not show it, because Pillow cuts the values to 8 bits.
    """
    raw_modes = [
        tile.args if isinstance(tile.args, str) else str(tile.args[0])
        for tile in image.tile
        if tile.args
    ]
    cut = image.format in ("PNG", "TIFF") and any(DEEP.search(mode) for mode in raw_modes)
    return cut or image.mode.startswith("I") or image.mode == "F"


def read_image(path: Path, keep_gray: bool = False) -> Picture:
    """Read an image for a dataset as RGB, or with `keep_gray` one channel if the file has one.

    Raises JobError, with the file's name, unless the image has 8 bits per value and no
    transparency.
    """
    with open_image(path) as (image, _):
        if is_deep(image):
            raise JobError(f"{path.name} has more than 8 bits per value. Convert it to 8 bits.")
        if image.has_transparency_data:
            raise JobError(
                f"{path.name} has transparency. Flatten the image first: the network needs opaque "
                "colours."
            )
        gray = keep_gray and image.mode in ("L", "1")
        pixels = np.asarray(image.convert("L" if gray else "RGB"))
        return pixels[:, :, None] if gray else pixels


@dataclass(frozen=True)
class ImageFile:
    """A picture that is read when called. Unlike a decoded frame, it can go to another process."""

    path: Path

    def __call__(self) -> Picture:
        return read_image(self.path, keep_gray=True)


def _unzip(path: Path) -> bytes:
    with igzip.open(path) as file:
        data: bytes = file.read(max_image_bytes() + 1)
    if len(data) > max_image_bytes():
        raise JobError(
            f"{path.name} is refused: it unpacks to more than {max_image_mb()} MiB "
            "(--max-image-mb)."
        )
    return data


def size(picture: Picture) -> str:
    """The size as text, such as 352x288 (width x height)."""
    return f"{picture.shape[1]}x{picture.shape[0]}"


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
