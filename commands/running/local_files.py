"""Paths in specs for a server: those of files of this machine, which the server may not see."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from app.forms.fields import fields_of
from jobs.core.suffixes import PATH_LISTS

PATH_WIDGETS = frozenset({"file", "folder", "any", "image", "python", "paths"})
LISTS = (*PATH_LISTS, ".csv")
"""These name other files, which would be missing on the server."""

Values = dict[str, Any]


def path_fields(spec: type[BaseModel]) -> set[str]:
    """The fields of a spec that are paths, such as source.stream."""
    return {field.name for field in fields_of(spec) if field.widget in PATH_WIDGETS}


def replaced(values: Values, fields: set[str], change: Callable[[str], str]) -> Values:
    """A copy of the values with each path in the fields changed."""
    changed = copy.deepcopy(values)
    for name in fields:
        *sections, last = name.split(".")
        section: Any = changed
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if isinstance(section, dict) and section.get(last) is not None:
            section[last] = _each(section[last], change)
    return changed


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if not isinstance(value, str):
        return value
    return "\n".join(change(line.strip()) for line in value.splitlines() if line.strip())


def absolute(text: str) -> str:
    """The absolute path of a file or folder of this machine; any other text as it is."""
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() else text


def local_files(values: Values, refused: Mapping[str, str], fields: set[str]) -> set[str]:
    """The paths in refused fields that are files or folders of this machine."""
    found: set[str] = set()

    def note(text: str) -> str:
        if Path(text).exists() and not text.lower().endswith(LISTS):
            found.add(text)
        return text

    replaced(values, fields & refused.keys(), note)
    return found
