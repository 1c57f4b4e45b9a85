"""What a valid spec still has to show before it becomes a job: its files and jobs are there.

Each check returns the spec with real, absolute paths, or raises Invalid with a sentence a field.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from app.files import paths
from app.problems import Invalid, Problems
from jobs.core.errors import JobError
from jobs.core.manifest import entries
from jobs.core.suffixes import IMAGES, STREAMS
from jobs.specs import DatasetSpec
from jobs.specs.dataset import Entry, Separate, SequencesSource, Source

T = TypeVar("T", bound=BaseModel)


def checked_dataset(spec: DatasetSpec, roots: tuple[Path, ...]) -> DatasetSpec:
    problems: Problems = {}
    changes: dict[str, Any] = {"source": source(spec.source, "source", roots, problems)}
    for name in ("validation", "test"):
        kept = getattr(spec, name)
        if isinstance(kept, Separate):
            separate = source(kept.source, f"{name}.source", roots, problems)
            changes[name] = kept.model_copy(update={"source": separate})
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update=changes)


def source(spec: Source, name: str, roots: tuple[Path, ...], problems: Problems) -> Source:
    """A source with real paths, and with what its manifest says; what is wrong goes to the problems."""
    changes: dict[str, Any] = {}
    for field, wanted in PATHS[spec.kind].items():
        text = getattr(spec, field)
        changes[field] = path_or_problem(
            problems, f"{name}.{field}", lambda text=text, wanted=wanted: wanted(text, roots)
        )  # type: ignore[misc]
    if isinstance(spec, SequencesSource) and changes["manifest"]:
        changes["entries"] = _entries(
            Path(changes["manifest"]), f"{name}.manifest", roots, problems
        )
    return spec.model_copy(update=changes)


def _stream(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.file_or_folder(text, roots, STREAMS, "stream")


def _originals(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.file_or_folder(text, roots, IMAGES, "image")


def _images(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.folder(text, roots, IMAGES)


def _manifest(text: str, roots: tuple[Path, ...]) -> Path:
    return paths.file_or_folder(text, roots, ("",), "sequence")


PATHS: dict[str, dict[str, Callable[[str, tuple[Path, ...]], Path]]] = {
    "stream": {"stream": _stream, "originals": _originals},
    "folders": {"input": _images, "target": _images},
    "compress": {"originals": _originals},
    "sequences": {"manifest": _manifest},
}
"""The fields of each kind of source that are paths, and what must lie there."""


def _entries(
    manifest: Path, field: str, roots: tuple[Path, ...], problems: Problems
) -> list[Entry]:
    """The sequences of a manifest: its paths are checked like those that are typed."""
    try:
        return [
            entry.model_copy(
                update={
                    "stream": str(_stream(entry.stream, roots)),
                    "originals": str(_originals(entry.originals, roots)),
                }
            )
            for entry in entries(manifest)
        ]
    except (JobError, paths.FileProblem) as problem:
        problems[field] = str(problem)
        return []


def path_or_problem(problems: Problems, field: str, find: Callable[[], Path]) -> str | None:
    try:
        return str(find())
    except paths.FileProblem as problem:
        problems[field] = str(problem)
        return None
