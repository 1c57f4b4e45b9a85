"""Lists of images as Caffe and DIGITS have them: a line has a path, and optionally a label.

Light: the server imports it.
"""

import re
from pathlib import Path

from jobs.core.errors import JobError
from jobs.core.paths import may_read, open_file
from jobs.core.suffixes import IMAGES, existing

PATH_LISTS = (".txt", ".lst")
MAX_BYTES = 16 * 2**20
_LABELLED = re.compile(rf"(.*(?:{'|'.join(map(re.escape, IMAGES))}))\s+-?\d+", re.IGNORECASE)


def is_path_list(path: Path) -> bool:
    return path.name.lower().endswith(PATH_LISTS) and path.is_file()


def without_label(line: str) -> str:
    """The path of a line such as `images/0001.png 7`; the number, a class, has no use here."""
    labelled = _LABELLED.fullmatch(line.strip())
    return labelled[1] if labelled else line.strip()


def listed(path: Path) -> list[Path]:
    """The images of a list, in its order. Relative paths start at the folder of the list.

    Raises JobError, with the number of a line that names no image.
    """
    with open_file(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise JobError(
            f"{path.name} is larger than {MAX_BYTES // 2**20} MiB, too large for a list of "
            "images. Split it into several lists."
        )
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise JobError(
            f"{path.name} is not a text in UTF-8. Give a list with the path of an image per line."
        ) from error
    images = [_image(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not images:
        raise JobError(f"{path.name} lists no image. Give the path of an image per line.")
    return images


def _image(path: Path, number: int, line: str) -> Path:
    text = without_label(line)
    where = f"Line {number} of {path.name}"
    if "\0" in text or not text.lower().endswith(IMAGES):
        raise JobError(
            f"{where}, “{text[:200]}”, is not the path of an image ({', '.join(IMAGES)}), with or "
            "without a number after it."
        )
    if not may_read((path.parent / text).resolve()):
        raise JobError(
            f"{where} names {text}, which leads out of the folders that this server may read. "
            "Copy the image to one of them, or start the server with --data-root and its folder."
        )
    image = existing(path.parent / text)
    if image is None:
        raise JobError(
            f"{where} names {text}, which does not exist. Relative paths start at the folder of "
            "the list."
        )
    return image
