"""Which files of this machine the server reads: those below its data roots, and no others."""

import os
import stat
from pathlib import Path
from typing import Any

from jobs.core.suffixes import kind, natural

MAX_ENTRIES = 500


class FileProblem(Exception):
    """A path that cannot be used; the text says why and what to do."""


def resolve(text: str, roots: tuple[Path, ...]) -> Path:
    """The real path of what a person typed; a relative one counts from the first root. Raises FileProblem."""
    if "\0" in text:
        raise FileProblem("The path has a NUL character in it.")
    try:
        path = roots[0] / Path(text).expanduser()
        real = path.resolve(strict=True)
    except FileNotFoundError as error:
        _inside(path.resolve(), text, roots)
        raise FileProblem(f"{text} is not there.") from error
    except UnicodeEncodeError as error:
        raise FileProblem("The path has characters in it that no file name can have.") from error
    except RuntimeError as error:  # ~nobody, or links that lead in a circle.
        raise FileProblem(f"{text} leads nowhere.") from error
    except OSError as error:
        raise FileProblem(f"{text} cannot be read: {error.strerror}.") from error
    _inside(real, text, roots)
    return real


def _inside(real: Path, text: str, roots: tuple[Path, ...]) -> None:
    if not any(real.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots[:-1]))
        raise FileProblem(
            f"{text} is outside the folders that this server may read ({allowed}). Start it with --data-root and that folder."
        )


def file(text: str, roots: tuple[Path, ...]) -> Path:
    """A file that can be read and has something in it. Raises FileProblem."""
    path = resolve(text, roots)
    if path.is_dir():
        raise FileProblem(f"{text} is a folder; a file is wanted.")
    if not path.is_file():
        raise FileProblem(f"{text} is no ordinary file.")
    if not os.access(path, os.R_OK):
        raise FileProblem(f"{text} may not be read by the server.")
    if path.stat().st_size == 0:
        raise FileProblem(f"{text} is empty.")
    return path


def folder(
    text: str, roots: tuple[Path, ...], endings: tuple[str, ...], what: str = "image"
) -> Path:
    """A folder with at least one file of the given endings. Raises FileProblem."""
    path = resolve(text, roots)
    if not path.is_dir():
        raise FileProblem(f"{text} is a file; a folder is wanted.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise FileProblem(f"{text} may not be read by the server.")
    if not any(name.lower().endswith(endings) for name in os.listdir(path)):
        known = f" ({', '.join(endings)})" if all(endings) else ""
        raise FileProblem(f"{text} has no {what} in it{known}.")
    return path


def file_or_folder(text: str, roots: tuple[Path, ...], endings: tuple[str, ...], what: str) -> Path:
    """A file, or a folder with at least one file of the given endings. Raises FileProblem."""
    return (
        folder(text, roots, endings, what) if resolve(text, roots).is_dir() else file(text, roots)
    )


def listing(text: str, roots: tuple[Path, ...]) -> dict[str, Any]:
    """The entries of a folder, or of the folder above that begin with what was typed so far; no path: the roots.

    Folders come first, each in natural order. `left_out` says how many more there are than MAX_ENTRIES."""
    shown = roots[:-1]
    answer: dict[str, Any] = {"path": None, "roots": [str(root) for root in shown], "left_out": 0}
    if not text:
        return {**answer, "entries": [_described(root, str(root)) for root in shown]}
    typed = Path(text)
    inside = text.endswith("/")
    parent = resolve(text if inside else str(typed.parent), roots)
    if not parent.is_dir():
        raise FileProblem(f"{text} is no folder.")
    prefix = "" if inside else typed.name.lower()
    found = [
        (not entry.is_dir(), natural(entry.name), entry.name)
        for entry in _seen(parent, text)
        if _begins(entry.name, prefix)
    ]
    names = [name for _, _, name in sorted(found)]
    return {
        **answer,
        "path": str(parent),
        "entries": [_described(parent / name, name) for name in names[:MAX_ENTRIES]],
        "left_out": max(0, len(names) - MAX_ENTRIES),
    }


def _seen(folder: Path, text: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise FileProblem(f"{text} cannot be read by the server: {error.strerror}.") from error


def _begins(name: str, prefix: str) -> bool:
    return name.lower().startswith(prefix) and not name.startswith(".")


def _described(path: Path, name: str) -> dict[str, Any]:
    try:
        about = path.stat()
    except OSError:  # A link to nowhere, or a file that has just gone.
        return {
            "name": name,
            "path": str(path),
            "type": "file",
            "kind": "other",
            "size": None,
            "modified": None,
        }
    described = {"name": name, "path": str(path), "modified": about.st_mtime}
    if stat.S_ISDIR(about.st_mode):
        return {**described, "type": "folder", "kind": "folder", "size": None}
    ordinary = stat.S_ISREG(about.st_mode)
    return {
        **described,
        "type": "file",
        "kind": kind(name) if ordinary else "other",
        "size": about.st_size if ordinary else None,
    }
