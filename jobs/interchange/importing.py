"""Datasets in the formats of other programs, recognised by what a folder contains.

The names of files and folders say which split and which side they are, as those of exports do:
train/input, train/gt.lmdb, DIV2K_valid_HR.lmdb, val_db/features, test-000000.tar.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.core.errors import JobError
from jobs.core.paths import may_read
from jobs.core.suffixes import PACKED, is_image, natural
from jobs.interchange import packed
from jobs.media.originals import Packed

DEPTH = 3
"""Folders within folders that are looked at."""

ROLES = {
    "input": frozenset(("input", "inputs", "lq", "lr", "feature", "features", "damaged")),
    "target": frozenset(
        ("target", "targets", "gt", "hq", "hr", "label", "labels", "original", "originals")
    ),
}
SPLITS = {
    "train": frozenset(("train", "training")),
    "val": frozenset(("val", "valid", "validation", "dev")),
    "test": frozenset(("test", "testing")),
}
TITLES = {
    "images": "folders of images",
    "lmdb": "LMDB",
    ".tar": "tar shards",
    ".parquet": "Parquet files",
}
EXPECTED = (
    "Give a folder with train, val and test, and in each of them input and target (or lq and gt) "
    "as folders of images or LMDB of BasicSR; or with LMDB of Caffe such as train_db/features and "
    "train_db/labels, tar shards of WebDataset, or Parquet files."
)


@dataclass(frozen=True)
class Folders:
    """A split in two folders of images, and a folder with the QPs of the inputs if it exists."""

    name: str
    input: Path
    target: Path
    qp_map: Path | None


@dataclass(frozen=True)
class Split:
    """A split in files of another program. `name`: train, val, test, or empty if none is named."""

    name: str
    input: Packed
    target: Packed


@dataclass(frozen=True)
class Part:
    """A folder or a file with pictures. `role` is empty if its name says none."""

    path: Path
    kind: str
    split: str
    role: str


def splits_of(path: Path) -> list[Folders] | list[Split]:
    """The splits of a dataset, train first. Raises JobError."""
    parts = list(_parts(path))
    kinds = {part.kind for part in parts}
    if kinds > {"images"}:
        # Such as pictures next to the shards, for people.
        parts = [part for part in parts if part.kind != "images"]
        kinds -= {"images"}
    if len(kinds) > 1:
        both = " and ".join(TITLES[kind] for kind in sorted(kinds))
        raise JobError(f"{path} contains {both}. Give a folder with one of them.")
    if not kinds:
        raise JobError(f"{path} is not a dataset in a known format. {EXPECTED}")
    kind = kinds.pop()
    if kind in ("images", "lmdb"):
        # Other folders, such as those with the QPs, are no side.
        parts = [part for part in parts if part.role] or parts
    names = [name for name in (*SPLITS, "") if any(part.split == name for part in parts)]
    by_split = {name: [part for part in parts if part.split == name] for name in names}
    if kind == "images":
        return [_folders(path, name, parts) for name, parts in by_split.items()]
    if kind == "lmdb":
        return [
            Split(name, *packed.lmdb_pair(*_sides(path, name, parts)))
            for name, parts in by_split.items()
        ]
    read = packed.tar_pair if kind == ".tar" else packed.parquet_pair
    return [
        Split(name, *read([part.path for part in parts], role_of))
        for name, parts in by_split.items()
    ]


def _parts(top: Path) -> Iterator[Part]:
    if top.is_file():
        yield Part(top, top.suffix.lower(), _word((top.stem,), SPLITS), "")
        return
    for path, kind in _found(top, DEPTH):
        # The last part of a path that says it: train_and_test/val is val.
        names = path.relative_to(top).parts[::-1]
        yield Part(path, kind, _word(names, SPLITS), _word(names, ROLES))


def _found(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """The folders and files with pictures, each with its kind, in natural order."""
    with os.scandir(folder) as scan:
        entries = sorted(
            (entry for entry in scan if not entry.name.startswith(".")),
            key=lambda entry: natural(entry.name),
        )
    names = {entry.name for entry in entries}
    if packed.LMDB_FILE in names:
        yield folder, "lmdb"
        return
    if any(is_image(name) for name in names):
        yield folder, "images"
    for entry in entries:
        path = Path(entry.path)
        if entry.is_file() and path.suffix.lower() in PACKED:
            yield path, path.suffix.lower()
        elif entry.is_dir() and depth and may_read(path.resolve()):
            yield from _found(path, depth - 1)


def _word(names: Iterable[str], words: dict[str, frozenset[str]]) -> str:
    """The first of `words` that a name has among its parts, such as val of DIV2K_valid_HR."""
    for name in names:
        parts = set(re.split("[^a-z0-9]+", name.lower()))
        for word, synonyms in words.items():
            if parts & synonyms:
                return word
    return ""


def role_of(name: str) -> str:
    """The side that a field or a column is, by its name: input, target, or empty for none."""
    return _word((name,), ROLES)


def _sides(top: Path, split: str, parts: list[Part]) -> tuple[Path, Path]:
    """The input and the target of a split. Raises JobError unless there is one of each."""
    sides: dict[str, Path] = {}
    where = f"{top}{f' has a split {split} that' if split else ''}"
    for part in parts:
        if part.role in sides:
            raise JobError(
                f"{where} has two {part.role}s: {sides[part.role]} and {part.path}. Remove one."
            )
        if part.role:
            sides[part.role] = part.path
    missing = [role for role in ROLES if role not in sides]
    if missing:
        found = ", ".join(str(part.path.relative_to(top)) for part in parts[:10])
        raise JobError(
            f"{where} has no {' and no '.join(missing)} among {found}. Call the sides input and "
            "target, lq and gt, or features and labels."
        )
    return sides["input"], sides["target"]


def _folders(top: Path, split: str, parts: list[Part]) -> Folders:
    input, target = _sides(top, split, parts)
    maps = input.with_name("qp_map")
    return Folders(split, input, target, maps if maps.is_dir() else None)
