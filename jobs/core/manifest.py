"""Manifests of many sequences, and lists of images.

A manifest is a CSV file, or a folder with streams and their originals. In a list of images, as
Caffe and DIGITS have them, a line has a path, and optionally a label. Light: the server imports it.
"""

import csv
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from stat import S_ISREG

from jobs.core.errors import JobError
from jobs.core.paths import may_read, open_file
from jobs.core.suffixes import (
    IMAGES,
    ORIGINAL_VIDEOS,
    PATH_LISTS,
    RAW_H264,
    STREAMS,
    existing,
    natural,
)
from jobs.specs.sources import Entry

COLUMNS = ("stream", "originals", "split", "name")
MAX_BYTES = 16 * 2**20
_LABELLED = re.compile(rf"(.*(?:{'|'.join(map(re.escape, IMAGES))}))\s+-?\d+", re.IGNORECASE)


def entries(manifest: Path) -> list[Entry]:
    """The sequences of a manifest, in order. Raises JobError, with the number of a wrong line."""
    sequences = from_folder(manifest) if manifest.is_dir() else from_csv(manifest)
    if not sequences:
        raise JobError(f"{manifest.name} contains no sequence. {FORMATS}")
    return sequences


FORMATS = (
    "Give a CSV file with the columns stream and originals, or a folder. The folder has one "
    "sub-folder per sequence with a stream and its originals, or streams such as clip.264 next "
    "to clip/ or clip.y4m."
)


def from_csv(path: Path) -> list[Entry]:
    """Columns stream, originals and optionally split and name. Paths are relative to the file."""
    lines = _lines(path, "a list of sequences. Give another file", f"CSV text. {FORMATS}")
    reader = csv.DictReader(line for line in lines if line.strip())
    columns = [column.strip() for column in reader.fieldnames or []]
    if not {"stream", "originals"} <= set(columns) or set(columns) - set(COLUMNS):
        raise JobError(
            f"The first line of {path.name} must name the columns stream,originals[,split][,name]."
        )
    reader.fieldnames = columns
    return [_entry(path, number, row) for number, row in enumerate(reader, 2)]


def _lines(path: Path, too_large_for: str, expected: str) -> list[str]:
    """The lines of a text in UTF-8. Raises JobError for a larger or another file."""
    with open_file(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise JobError(
            f"{path.name} is larger than {MAX_BYTES // 2**20} MiB, too large for {too_large_for}."
        )
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise JobError(f"{path.name} is not a text in UTF-8, and not {expected}") from error


def _entry(path: Path, line: int, row: dict[str, str | None]) -> Entry:
    values = {key: (row.get(key) or "").strip() for key in COLUMNS}
    if None in row or not values["stream"] or not values["originals"]:
        raise JobError(
            f"Line {line} of {path.name} must have a stream and its originals, and no more columns "
            "than the first line."
        )
    if values["split"] not in ("", "train", "val", "test"):
        raise JobError(
            f"Line {line} of {path.name}: the split is “{values['split']}”, but must be train, "
            "val, test or empty."
        )
    for key in ("stream", "originals"):
        values[key] = str(path.parent / values[key])
    return Entry.model_validate(values)


def from_folder(folder: Path) -> list[Entry]:
    """Sequences of sub-folders, and of streams next to originals of the same name."""
    paths = sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".")),
        key=lambda path: natural(path.name),
    )
    sequences: list[Entry] = []
    for path in paths:
        if path.is_dir():
            sequences += _from_sub_folder(path)
        elif path.name.lower().endswith(STREAMS):
            sequences += _from_stream(path)
    return sequences


def _from_stream(stream: Path) -> list[Entry]:
    """The sequence of clip.264 with clip/ or clip.y4m next to it; empty without such originals."""
    for candidate in (
        stream.with_suffix(""),
        *(stream.with_suffix(extension) for extension in ORIGINAL_VIDEOS),
    ):
        originals = existing(candidate)
        if candidate != stream and originals:
            return [_entry_of(stream.stem, stream, originals)]
    return []


def _from_sub_folder(folder: Path) -> list[Entry]:
    """The streams of a folder, each with the only set of originals in the folder.

    A set of originals is images, a folder of images, or a video.
    """
    paths = sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".")),
        key=lambda path: natural(path.name),
    )
    raw = [path for path in paths if path.is_file() and path.name.lower().endswith(RAW_H264)]
    streams = raw or [
        path for path in paths if path.is_file() and path.name.lower().endswith(STREAMS)
    ]
    folders = [path for path in paths if path.is_dir()]
    videos = [
        path
        for path in paths
        if path.name.lower().endswith(ORIGINAL_VIDEOS) and path not in streams
    ]
    if not streams:
        return []
    if any(path.name.lower().endswith(IMAGES) for path in paths):
        originals = folder
    elif len(folders) + len(videos) == 1:
        originals = (folders + videos)[0]
    else:
        raise JobError(
            f"The folder {folder.name} has a stream, but not exactly one set of originals: "
            f"images, one folder of images, or one video ({', '.join(ORIGINAL_VIDEOS)}). Remove "
            "the other files, or name the originals in a CSV file."
        )
    return [
        _entry_of(
            folder.name if len(streams) == 1 else f"{folder.name}/{path.stem}", path, originals
        )
        for path in streams
    ]


def _entry_of(name: str, stream: Path, originals: Path) -> Entry:
    return Entry(name=name, stream=str(stream), originals=str(originals))


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
    lines = _lines(
        path,
        "a list of images. Split it into several lists",
        "a list. Give the path of an image per line.",
    )
    readable = cache(lambda folder: may_read(Path(folder).resolve()))
    images = [
        _image(path, number, line, readable) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not images:
        raise JobError(f"{path.name} lists no image. Give the path of an image per line.")
    return images


def _image(path: Path, number: int, line: str, readable: Callable[[str], bool]) -> Path:
    """The image of a line. `readable` says whether a folder, not a link in it, may be read."""
    text = without_label(line)
    where = f"Line {number} of {path.name}"
    if "\0" in text or not text.lower().endswith(IMAGES):
        raise JobError(
            f"{where}, “{text[:200]}”, is not the path of an image ({', '.join(IMAGES)}), with or "
            "without a number after it."
        )
    name = os.path.join(path.parent, text)
    try:
        # Most lines: one system call each. A list may have 200,000 of them.
        if S_ISREG(os.lstat(name).st_mode) and readable(os.path.dirname(name)):
            return Path(name)
    except (OSError, RuntimeError):
        pass  # What is wrong is found below.
    try:
        real, image = (path.parent / text).resolve(), existing(path.parent / text)
    except (OSError, RuntimeError) as error:  # Too long, too deep, or a loop of links.
        raise JobError(f"{where}, “{text[:200]}”, is not a path that can be read.") from error
    if not may_read(real):
        raise JobError(
            f"{where} names {text}, which leads out of the folders that this server may read. "
            "Copy the image to one of them, or start the server with --data-root and its folder."
        )
    if image is None or not image.is_file():
        raise JobError(
            f"{where} names {text}, which is not a file. Relative paths start at the folder of "
            "the list."
        )
    return image
