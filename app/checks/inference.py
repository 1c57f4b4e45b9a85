"""Checks a valid test spec before it becomes a job: its model, snapshot, pairs and files exist."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app.answers import Pair
from app.catalog import pairs as stored_pairs
from app.catalog.catalog import Catalog
from app.catalog.database import JobRow
from app.checks.dataset import path_or_problem
from app.files import content, paths
from app.files.downloads import download, is_url
from app.settings import Settings
from app.threads import in_thread_at_paths
from app.validation_errors import Invalid, Problems
from jobs.core.errors import JobError
from jobs.core.manifest import without_label
from jobs.core.paths import open_file
from jobs.core.suffixes import IMAGES
from jobs.specs import AnyTest, ImagesTest, ImageTest, SplitTest, VideoTest
from jobs.specs.samples import PinnedSample, Region

Roots = tuple[Path, ...]
Find = Callable[[str], JobRow | None]
"""Returns the job with an id."""

SPLITS = {"val": "validation", "test": "test"}


def checked_test(spec: AnyTest, find: Find, settings: Settings) -> AnyTest:
    """The spec with real, absolute paths. Raises Invalid, with a sentence per field."""
    roots, problems = settings.readable, Problems()
    row = None if spec.model is None else find(spec.model)
    if row is not None and row.kind == "model":
        _check_snapshot(row, spec.snapshot, problems)
    elif spec.model is not None:
        raise Invalid({"model": "This model does not exist. Choose another model."})
    changes: dict[str, Any] = {}

    def check_path(field: str, resolve: Callable[[str, Roots], Path]) -> None:
        text = getattr(spec, field)
        if text is not None:
            changes[field] = path_or_problem(problems, field, partial(resolve, text, roots))

    match spec:
        case ImageTest():
            check_path("stream", paths.file)
            for field in ("image", "target"):
                check_path(field, partial(_image, settings=settings))
            if spec.pair is not None and row is not None:
                _check_pair(spec.pair, spec.split, pairs(find, row, spec.split), problems)
        case ImagesTest():
            changes["images"] = in_thread_at_paths(_all_images, spec.images, roots, problems)
            check_path("targets", paths.images)
        case SplitTest():
            if row is not None and pairs(find, row, spec.split) == 0:
                problems["split"] = (
                    f"The model's datasets have no {SPLITS[spec.split]} pairs. "
                    "Choose another split."
                )
        case VideoTest():
            check_path("video", paths.file)
            check_path(
                "originals", lambda text, roots: paths.file_or_folder(text, roots, IMAGES, "image")
            )
    if problems:
        raise Invalid(problems)
    return spec.model_copy(update=changes)


def pairs(find: Find, model: JobRow, split: str) -> int:
    """The number of pairs of the model's datasets in a split; a dataset given twice counts once."""
    datasets = [
        find(id) for id in dict.fromkeys((model.spec["dataset"], *model.spec["more_datasets"]))
    ]
    return sum(
        int(row.view["summary"].get("pairs", {}).get(split, 0))
        for row in datasets
        if row is not None
    )


def _image(text: str, roots: Roots, settings: Settings) -> Path:
    if not is_url(text):
        return in_thread_at_paths(_readable_image, text, roots)
    if not settings.allow_urls:
        raise paths.FileProblem(
            "This server downloads no images. Upload the image, or start the server with "
            "--allow-urls."
        )
    return download(text, settings.uploads, settings.allow_private_urls)


def _all_images(images: list[str], roots: Roots, problems: Problems) -> list[str | None]:
    return [path_or_problem(problems, "images", partial(_images, path, roots)) for path in images]


def _readable_image(text: str, roots: Roots) -> Path:
    """An image file, by its first bytes. Raises FileProblem."""
    path = paths.file(text, roots)
    try:
        with open_file(path) as file:
            head = file.read(content.HEAD)
    except JobError as error:
        raise paths.FileProblem(str(error)) from error
    except OSError as error:
        reason = f"{path.name} cannot be read: {error.strerror}."
        raise paths.FileProblem(reason) from error
    if content.identify(head) not in content.PICTURES:
        raise paths.FileProblem(
            f"{path.name} is not a readable image. Choose a PNG, BMP, JPEG, TIFF or WebP image."
        )
    return path


def _images(text: str, roots: Roots) -> Path:
    return paths.file_or_folder(without_label(text), roots, IMAGES, "image")


def _check_snapshot(model: JobRow, name: str, problems: Problems) -> None:
    names = {snapshot["snapshot"] for snapshot in model.view["summary"].get("snapshots", [])}
    if not names:
        problems["snapshot"] = "The model has no snapshot yet. Wait for the end of its first epoch."
    elif name not in {"best", "last", *names}:
        problems["snapshot"] = (
            f"Snapshot {name} does not exist. Available: best, last, {', '.join(sorted(names))}."
        )


def checked_pin(spec: PinnedSample, model: JobRow, catalog: Catalog) -> PinnedSample:
    """A sample to pin, if the model's datasets have its pair and the frame its region.

    Raises Invalid, Refused.
    """
    problems = Problems()
    count = pairs(catalog.get, model, "val")
    if count:
        _check_pair(spec.pair, "val", count, problems)
    else:
        problems["pair"] = (
            "The model's datasets have no validation pairs yet. Pin a sample when they are done."
        )
    if not problems and spec.region is not None:
        frame = validation_pair(model, spec.pair, catalog)
        _check_side("left", "width", spec.region, frame["width"], problems)
        _check_side("top", "height", spec.region, frame["height"], problems)
    if problems:
        raise Invalid(problems)
    return spec


def _check_side(
    start: str, length: str, region: Region, available: int, problems: Problems
) -> None:
    first, size = getattr(region, start), getattr(region, length)
    if first + size > available:
        problems[f"region.{length}"] = (
            f"The frame has a {length} of {available} px, but the region ends at {first + size}. "
            f"Give a smaller {start} or {length}."
        )


def validation_pair(model: JobRow, number: int, catalog: Catalog) -> Pair:
    """A pair of a model, by its number in the validation splits of all its datasets.

    Raises Invalid if there is none, and Refused.
    """
    left = number
    for id in dict.fromkeys((model.spec["dataset"], *model.spec["more_datasets"])):
        row = catalog.get(id)
        count = 0 if row is None else row.view["summary"].get("pairs", {}).get("val", 0)
        if row is not None and left < count:
            found = stored_pairs.pair(row, catalog.folder(id), "val", left)
            if found is not None:
                return found
        left -= count
    raise Invalid({"pair": f"The validation pair {number} cannot be read. Choose another pair."})


def _check_pair(pair: int, split: str, count: int, problems: Problems) -> None:
    if count == 0:
        problems["pair"] = (
            f"The model's datasets have no {SPLITS[split]} pairs. Choose an image instead."
        )
    elif pair >= count:
        problems["pair"] = (
            f"The {SPLITS[split]} pair {pair} does not exist. Choose a pair from 0 to {count - 1}."
        )
