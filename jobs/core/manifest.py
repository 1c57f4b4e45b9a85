"""Many sequences at once: a CSV file, or a folder with a stream and its originals for each. Light: the server reads it too."""

import csv
from pathlib import Path

from jobs.core.errors import JobError
from jobs.core.suffixes import IMAGES, ORIGINAL_VIDEOS, RAW_H264, STREAMS, natural
from jobs.specs.dataset import Entry

COLUMNS = ("stream", "originals", "split", "name")
MOST_BYTES = 16 * 2**20


def entries(manifest: Path) -> list[Entry]:
    """The sequences that a manifest names, in its order. Raises JobError, with the line where one is wrong."""
    found = from_folder(manifest) if manifest.is_dir() else from_csv(manifest)
    if not found:
        raise JobError(f"{manifest.name} names no sequence. {HOW}")
    return found


HOW = (
    "Give a CSV file with the columns stream and originals, or a folder with one sub-folder a sequence "
    "(a stream and its originals in it), or with clip.264 beside clip/ or clip.y4m."
)


def from_csv(path: Path) -> list[Entry]:
    """Columns stream, originals and perhaps split and name; paths are relative to the file."""
    if path.stat().st_size > MOST_BYTES:
        raise JobError(
            f"{path.name} is larger than {MOST_BYTES // 2**20} MiB: no list of sequences."
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise JobError(f"{path.name} is no CSV text in UTF-8. {HOW}") from error
    reader = csv.DictReader(line for line in lines if line.strip())
    columns = [column.strip() for column in reader.fieldnames or []]
    if not {"stream", "originals"} <= set(columns) or set(columns) - set(COLUMNS):
        raise JobError(
            f"The first line of {path.name} must name the columns stream,originals[,split][,name]."
        )
    reader.fieldnames = columns
    return [_entry(path, number, row) for number, row in enumerate(reader, 2)]


def _entry(path: Path, line: int, row: dict[str, str | None]) -> Entry:
    values = {key: (row.get(key) or "").strip() for key in COLUMNS}
    if None in row or not values["stream"] or not values["originals"]:
        raise JobError(
            f"Line {line} of {path.name} must have a stream and its originals, and no more columns than the first line."
        )
    if values["split"] not in ("", "train", "val", "test"):
        raise JobError(
            f"Line {line} of {path.name}: the split is “{values['split']}”, but must be train, val, test or empty."
        )
    for key in ("stream", "originals"):
        values[key] = str(path.parent / values[key])
    return Entry.model_validate(values)


def from_folder(folder: Path) -> list[Entry]:
    """A sequence a sub-folder, or a stream with originals of its name beside it."""
    inside = sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".")),
        key=lambda path: natural(path.name),
    )
    found: list[Entry] = []
    for path in inside:
        if path.is_dir():
            found += _sub_folder(path)
        elif path.name.lower().endswith(STREAMS):
            found += _beside(path)
    return found


def _beside(stream: Path) -> list[Entry]:
    """clip.264 with clip/ or clip.y4m beside it."""
    for candidate in (
        stream.with_suffix(""),
        *(stream.with_suffix(ending) for ending in ORIGINAL_VIDEOS),
    ):
        if candidate != stream and candidate.exists():
            return [_named(stream.stem, stream, candidate)]
    return []


def _sub_folder(folder: Path) -> list[Entry]:
    """The streams of a folder, each with the one set of originals in it: images, a folder of images, or a video."""
    inside = sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".")),
        key=lambda path: natural(path.name),
    )
    raw = [path for path in inside if path.is_file() and path.name.lower().endswith(RAW_H264)]
    streams = raw or [
        path for path in inside if path.is_file() and path.name.lower().endswith(STREAMS)
    ]
    folders = [path for path in inside if path.is_dir()]
    videos = [
        path
        for path in inside
        if path.name.lower().endswith(ORIGINAL_VIDEOS) and path not in streams
    ]
    if not streams:
        return []
    if any(path.name.lower().endswith(IMAGES) for path in inside):
        originals = folder
    elif len(folders) + len(videos) == 1:
        originals = (folders + videos)[0]
    else:
        raise JobError(
            f"The folder {folder.name} has a stream, but not exactly one set of originals: images, one folder of images, or one "
            f"video ({', '.join(ORIGINAL_VIDEOS)}). Tidy it up, or name the originals in a CSV file."
        )
    return [
        _named(folder.name if len(streams) == 1 else f"{folder.name}/{path.stem}", path, originals)
        for path in streams
    ]


def _named(name: str, stream: Path, originals: Path) -> Entry:
    return Entry(name=name, stream=str(stream), originals=str(originals))
