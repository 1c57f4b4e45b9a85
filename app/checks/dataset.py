"""Checks a valid dataset spec before it becomes a job: its files exist."""

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.files import paths
from app.validation_errors import Invalid, Problems
from jobs.core.errors import JobError
from jobs.core.manifest import entries
from jobs.core.suffixes import IMAGES, PACKED, STREAMS
from jobs.specs import DatasetSpec
from jobs.specs.dataset import Separate
from jobs.specs.sources import Entry, SequencesSource, Source

Dataset = TypeVar("Dataset", bound=DatasetSpec)


def checked_dataset(spec: Dataset, roots: tuple[Path, ...]) -> Dataset:
    """The spec with real, absolute paths. Raises Invalid, with a sentence per field."""
    problems: Problems = {}
    changes: dict[str, Any] = {"source": source(spec.source, "source", roots, problems)}
    for name in ("validation", "test"):
        split = getattr(spec, name)
        if isinstance(split, Separate):
            separate = source(split.source, f"{name}.source", roots, problems)
            changes[name] = split.model_copy(update={"source": separate})
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update=changes)


def without_entries(spec: Dataset) -> Dataset:
    """The spec of a client, which may not have the entries of manifests. Raises Invalid."""
    sources = {"source": spec.source}
    for name in ("validation", "test"):
        split = getattr(spec, name)
        if isinstance(split, Separate):
            sources[f"{name}.source"] = split.source
    problems = {
        f"{field}.entries": "Unknown or read-only field."
        for field, source in sources.items()
        if isinstance(source, SequencesSource) and source.entries
    }
    if problems:
        raise Invalid(problems)
    return spec


def source(spec: Source, name: str, roots: tuple[Path, ...], problems: Problems) -> Source:
    """A source with real paths and the entries of its manifest; adds what is wrong to `problems`.

    `name` is the field of the source, such as "source" or "validation.source".
    """
    changes: dict[str, Any] = {}
    for field, resolve in PATHS[spec.kind].items():
        text = getattr(spec, field)
        changes[field] = path_or_problem(problems, f"{name}.{field}", partial(resolve, text, roots))
    if isinstance(spec, SequencesSource) and changes["manifest"]:
        changes["entries"] = _entries(
            Path(changes["manifest"]), f"{name}.manifest", roots, problems
        )
    return spec.model_copy(update=changes)


def _stream(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.file_or_folder(text, roots, STREAMS, "stream")


def _originals(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.file_or_folder(text, roots, IMAGES, "image")


def _manifest(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.file_or_folder(text, roots, ("",), "sequence")


def _pairs(text: str, roots: tuple[Path, ...]) -> Path:
    path = paths.file_or_folder(text, roots, ("",), "file")
    if path.is_file() and not path.name.lower().endswith(PACKED):
        raise paths.FileProblem(
            f"{text} is not a dataset in a known format. Give its folder, or a file with the "
            f"extension {' or '.join(PACKED)}."
        )
    return path


PATHS: dict[str, dict[str, Callable[[str, tuple[Path, ...]], Path]]] = {
    "stream": {"stream": _stream, "originals": _originals},
    "folders": {"input": paths.images, "target": paths.images},
    "compress": {"originals": _originals},
    "sequences": {"manifest": _manifest},
    "import": {"pairs": _pairs},
}
"""By kind of source: its path fields, and the function that resolves each of them."""


def _entries(
    manifest: Path, field: str, roots: tuple[Path, ...], problems: Problems
) -> list[Entry]:
    """The sequences of a manifest, with paths checked like the paths in a form."""
    # Many sequences often have the same originals.
    stream, originals = (functools.cache(partial(f, roots=roots)) for f in (_stream, _originals))
    try:
        return [
            entry.model_copy(
                update={
                    "stream": str(stream(entry.stream)),
                    "originals": str(originals(entry.originals)),
                }
            )
            for entry in entries(manifest)
        ]
    except (JobError, paths.FileProblem) as problem:
        problems[field] = str(problem)
        return []


def path_or_problem(problems: Problems, field: str, resolve: Callable[[], Path]) -> str | None:
    """The path that `resolve` returns; if it fails, adds the problem and returns None."""
    try:
        return str(resolve())
    except paths.FileProblem as problem:
        problems[field] = str(problem)
        return None
