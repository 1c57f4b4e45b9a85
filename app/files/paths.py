"""Paths on the server: only files below its data roots may be read."""

import os
import stat
from pathlib import Path
from typing import Any

from jobs.core.manifest import is_path_list
from jobs.core.suffixes import IMAGES, PATH_LISTS, composed, existing, kind, natural

MAX_ENTRIES = 500


class FileProblem(Exception):
    """A path that cannot be used; the message says why and what to do."""


def resolve(text: str, roots: tuple[Path, ...]) -> Path:
    """The real path of a path from a user, whose names may be in another Unicode form.

    Raises FileProblem. Relative paths start at the first root.
    """
    if "\0" in text:
        raise FileProblem("The path contains a NUL character. Remove it.")
    try:
        path = roots[0] / Path(text).expanduser()
        real = (existing(path) or path).resolve(strict=True)
    except FileNotFoundError as error:
        _inside(path.resolve(), text, roots)
        raise FileProblem(f"{text} does not exist. Check the path.") from error
    except UnicodeEncodeError as error:
        raise FileProblem("The path contains characters that file names cannot have.") from error
    except RuntimeError as error:  # The home of an unknown user (~name), or a loop of links.
        raise FileProblem(f"{text} cannot be resolved. Give the full path.") from error
    except OSError as error:
        raise FileProblem(f"{text} cannot be read: {error.strerror}.") from error
    _inside(real, text, roots)
    return real


def _inside(real: Path, text: str, roots: tuple[Path, ...]) -> None:
    if not any(real.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots[:-1]))
        raise FileProblem(
            f"{text} is outside the folders that this server may read ({allowed}). "
            "Move the files to one of them, or start the server with --data-root and their folder."
        )


def file(text: str, roots: tuple[Path, ...]) -> Path:
    """A regular, readable file that is not empty. Raises FileProblem."""
    path = resolve(text, roots)
    if path.is_dir():
        raise FileProblem(f"{text} is a folder. Give a file.")
    if not path.is_file():
        raise FileProblem(f"{text} is not a regular file.")
    if not os.access(path, os.R_OK):
        raise FileProblem(f"The server has no permission to read {text}.")
    if path.stat().st_size == 0:
        raise FileProblem(f"{text} is empty.")
    return path


def folder(
    text: str, roots: tuple[Path, ...], extensions: tuple[str, ...], what: str = "image"
) -> Path:
    """A folder that contains at least one file with one of the extensions. Raises FileProblem."""
    path = resolve(text, roots)
    if not path.is_dir():
        raise FileProblem(f"{text} is a file. Give a folder.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise FileProblem(f"The server has no permission to read {text}.")
    if not any(name.lower().endswith(extensions) for name in os.listdir(path)):
        supported = f" ({', '.join(extensions)})" if all(extensions) else ""
        raise FileProblem(f"{text} contains no {what}{supported}.")
    return path


def images(text: str, roots: tuple[Path, ...]) -> Path:
    """A folder with at least one image, or a list of images' paths. Raises FileProblem."""
    path = resolve(text, roots)
    if is_path_list(path):
        return file(text, roots)
    if path.is_file():
        raise FileProblem(
            f"{text} is a file. Give a folder of images, or a list of their paths "
            f"({', '.join(PATH_LISTS)})."
        )
    return folder(text, roots, IMAGES)


def file_or_folder(
    text: str, roots: tuple[Path, ...], extensions: tuple[str, ...], what: str
) -> Path:
    """A file, or a folder with at least one file with one of the extensions. Raises FileProblem."""
    if resolve(text, roots).is_dir():
        return folder(text, roots, extensions, what)
    return file(text, roots)


def browse(text: str, roots: tuple[Path, ...]) -> dict[str, Any]:
    """List a folder (a path with a final slash), or complete the last part of a path.

    Without a path it lists the roots. Folders come before files, each in natural order.
    `left_out` is the number of entries beyond MAX_ENTRIES.
    """
    visible_roots = roots[:-1]  # All but the uploads.
    response: dict[str, Any] = {
        "path": None,
        "roots": [str(root) for root in visible_roots],
        "left_out": 0,
    }
    if not text:
        return {**response, "entries": [_described(root, str(root)) for root in visible_roots]}
    typed = Path(text)
    lists_folder = text.endswith("/")
    parent = resolve(text if lists_folder else str(typed.parent), roots)
    if not parent.is_dir():
        raise FileProblem(f"{text} is not a folder.")
    prefix = "" if lists_folder else composed(typed.name).lower()
    matches = [
        (not entry.is_dir(), natural(entry.name), entry.name)
        for entry in _entries(parent, text)
        if _matches(entry.name, prefix)
    ]
    names = [name for _, _, name in sorted(matches)]
    return {
        **response,
        "path": str(parent),
        "entries": [_described(parent / name, name) for name in names[:MAX_ENTRIES]],
        "left_out": max(0, len(names) - MAX_ENTRIES),
    }


def _entries(folder: Path, text: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise FileProblem(f"{text} cannot be read: {error.strerror}.") from error


def _matches(name: str, prefix: str) -> bool:
    return composed(name).lower().startswith(prefix) and not name.startswith(".")


def _described(path: Path, name: str) -> dict[str, Any]:
    try:
        status = path.stat()
    except OSError:  # A broken link, or a file that was removed just now.
        return {
            "name": name,
            "path": str(path),
            "type": "file",
            "kind": "other",
            "size": None,
            "modified": None,
        }
    described = {"name": name, "path": str(path), "modified": status.st_mtime}
    if stat.S_ISDIR(status.st_mode):
        return {**described, "type": "folder", "kind": "folder", "size": None}
    regular = stat.S_ISREG(status.st_mode)
    return {
        **described,
        "type": "file",
        "kind": kind(name) if regular else "other",
        "size": status.st_size if regular else None,
    }
