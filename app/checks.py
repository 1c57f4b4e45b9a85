"""What a valid spec still has to show before it becomes a job: its files and jobs are there.

Each check returns the spec with real, absolute paths, or raises Invalid with a sentence a field.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from app import files
from app.catalog import Catalog
from app.problems import Invalid, Problems
from jobs.specs import DatasetSpec, ModelSpec, TestSpec

T = TypeVar("T", bound=BaseModel)

ORIGINALS = (".bmp.gz", ".bmp", ".png")


def dataset(spec: DatasetSpec, roots: tuple[Path, ...]) -> DatasetSpec:
    problems: Problems = {}
    stream = _path(problems, "source.stream", lambda: files.file(spec.source.stream, roots))
    originals = _path(problems, "source.originals", lambda: files.folder(spec.source.originals, roots, ORIGINALS))
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update={"source": spec.source.model_copy(update={"stream": stream, "originals": originals})})


def model(spec: ModelSpec, catalog: Catalog) -> ModelSpec:
    dataset = catalog.get(spec.dataset)
    if dataset is None or dataset.kind != "dataset":
        raise Invalid({"dataset": "There is no such dataset. Choose another one."})
    if dataset.state in ("error", "aborted"):
        raise Invalid({"dataset": f"“{dataset.name}” was not finished ({dataset.state}). Resume it, or choose another one."})
    if spec.minutes is not None and spec.lr_policy.per in ("epoch", "iteration"):
        raise Invalid({"lr_policy.per": "With minutes, nobody knows the number of epochs: choose run or percent."})
    return spec


def test(spec: TestSpec, catalog: Catalog, roots: tuple[Path, ...]) -> TestSpec:
    row = catalog.get(spec.model)
    if row is None or row.kind != "model":
        raise Invalid({"model": "There is no such model."})
    problems: Problems = {}
    names = {snapshot["snapshot"] for snapshot in row.view["summary"].get("snapshots", [])}
    if not names:
        problems["snapshot"] = "The model has no snapshot yet. Wait for the end of its first epoch."
    elif spec.snapshot not in {"best", "last", *names}:
        problems["snapshot"] = f"There is no snapshot {spec.snapshot}."
    changes: dict[str, str | None] = {}
    for field, path in (("image", spec.image), ("target", spec.target)):
        if path is not None:
            changes[field] = _path(problems, field, lambda path=path: files.file(path, roots))  # type: ignore[misc]
    if spec.pair is not None:
        dataset = catalog.get(row.spec["dataset"])
        count = dataset.view["summary"].get("pairs", {}).get("val", 0) if dataset is not None else 0
        if count == 0:
            problems["pair"] = "The model's dataset has no validation pairs any more: give an image."
        elif spec.pair >= count:
            problems["pair"] = f"There is no validation pair {spec.pair}: the dataset has the pairs 0 to {count - 1}."
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update=changes)


def _path(problems: Problems, field: str, find: Callable[[], Path]) -> str | None:
    try:
        return str(find())
    except files.FileProblem as problem:
        problems[field] = str(problem)
        return None
