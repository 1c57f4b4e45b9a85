"""What a valid test still has to show before it becomes a job: its model, its snapshot, its pairs and its files are there."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.catalog.database import JobRow
from app.checks.dataset import path_or_problem
from app.files import paths
from app.problems import Invalid, Problems
from jobs.core.suffixes import IMAGES
from jobs.specs import AnyTest, ImagesTest, ImageTest, SplitTest, VideoTest

Roots = tuple[Path, ...]
Find = Callable[[str], JobRow | None]
"""A job by its id."""

SPLITS = {"val": "validation", "test": "test"}


def checked_test(spec: AnyTest, find: Find, roots: Roots) -> AnyTest:
    """The spec with real, absolute paths. Raises Invalid, with a sentence a field."""
    row = find(spec.model)
    if row is None or row.kind != "model":
        raise Invalid({"model": "There is no such model."})
    problems: Problems = {}
    _check_snapshot(row, spec.snapshot, problems)
    changes: dict[str, Any] = {}

    def real(field: str, read: Callable[[str, Roots], Path]) -> None:
        text = getattr(spec, field)
        if text is not None:
            changes[field] = path_or_problem(problems, field, functools.partial(read, text, roots))

    match spec:
        case ImageTest():
            for field in ("image", "target", "stream"):
                real(field, paths.file)
            if spec.pair is not None:
                _check_pair(spec.pair, spec.split, pairs(find, row, spec.split), problems)
        case ImagesTest():
            changes["images"] = [
                path_or_problem(problems, "images", functools.partial(_images, path, roots))
                for path in spec.images
            ]
            real("targets", lambda text, roots: paths.folder(text, roots, IMAGES))
        case SplitTest():
            if pairs(find, row, spec.split) == 0:
                problems["split"] = (
                    f"The model's datasets have no {SPLITS[spec.split]} pairs: choose another split."
                )
        case VideoTest():
            real("video", paths.file)
            real(
                "originals", lambda text, roots: paths.file_or_folder(text, roots, IMAGES, "image")
            )
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update=changes)


def pairs(find: Find, model: JobRow, split: str) -> int:
    """How many pairs the model's datasets have in a split; one that is given twice brings them once."""
    datasets = [
        find(id) for id in dict.fromkeys((model.spec["dataset"], *model.spec["more_datasets"]))
    ]
    return sum(
        int(row.view["summary"].get("pairs", {}).get(split, 0))
        for row in datasets
        if row is not None
    )


def _images(text: str, roots: Roots) -> Path:
    return paths.file_or_folder(text, roots, IMAGES, "image")


def _check_snapshot(model: JobRow, wanted: str, problems: Problems) -> None:
    names = {snapshot["snapshot"] for snapshot in model.view["summary"].get("snapshots", [])}
    if not names:
        problems["snapshot"] = "The model has no snapshot yet. Wait for the end of its first epoch."
    elif wanted not in {"best", "last", *names}:
        problems["snapshot"] = f"There is no snapshot {wanted}."


def _check_pair(pair: int, split: str, count: int, problems: Problems) -> None:
    if count == 0:
        problems["pair"] = (
            f"The model's dataset has no {SPLITS[split]} pairs any more: give an image."
        )
    elif pair >= count:
        problems["pair"] = (
            f"There is no {SPLITS[split]} pair {pair}: the dataset has the pairs 0 to {count - 1}."
        )
