"""The test of many images, or of all pairs of a split: each restored and measured, one after another.

Nothing is kept of an image but its line in the log and a few numbers. A job that is resumed passes over what its log has
scores of, and tries again what has failed.
"""

import math
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.report import Report, finite
from jobs.core.totals import Row, Totals, gain_of
from jobs.datasets.pair_sets import PairSet
from jobs.inference.image import Tell, image_of, in_channels, restored, scores
from jobs.media.images import Picture, images_in, size, stem
from jobs.networks.loaded import Loaded, load
from jobs.networks.pictures import as_tensor
from jobs.specs import ImagesTest, ModelSpec, SplitTest
from models.metrics import to_uint8

RESULTS_INTERVAL = 0.25
FACTS_INTERVAL = 2.0
"""Seconds between two events of a type."""
PAIRS_A_VIEW = 64
"""After so many a store is opened anew: what was read of a mapped file counts as this process's memory."""

AHEAD = 2

Pictures = tuple[Picture, Picture | None]
"""An image and, where there is one, its ground truth."""


@torch.inference_mode()
def test_many(folder: JobFolder, spec: ImagesTest | SplitTest, report: Report) -> dict[str, Any]:
    """Restore and measure one image after another; those that cannot be are told, and passed over."""
    snapshot, rows = _earlier(folder)
    model = folder.sibling(spec.model)
    loaded = load(model, snapshot or spec.snapshot)
    training = model.spec()
    assert isinstance(training, ModelSpec)
    report.log.append("facts", snapshot=loaded.snapshot)
    if isinstance(spec, ImagesTest):
        source: Images | Pairs = Images(spec, loaded.channels)
    else:
        source = Pairs(PairSet.of(folder, training.datasets, spec.split))

    totals, left = Totals(), []
    for number in range(len(source)):
        if number in rows and rows[number].items() >= source.row(number).items():
            totals.add(rows[number])
        else:
            left.append(number)
    before, telling, why = len(source) - len(left), Telling(report, totals), ""
    report.begin(before)
    try:
        with closing(read_ahead(source, left)) as images:
            for done, (row, pictures) in enumerate(images, before + 1):
                report.check()
                row = _measured(row, pictures, loaded)
                why = why or row.get("why", "")
                telling.tell(row)
                report.progress(done, len(source), source.unit)
    finally:
        telling.end()
    if not totals.restored:
        raise JobError(
            f"None of the {len(source):,} {source.unit} could be restored. The first: {why}"
        )
    return {}


def _measured(row: Row, pictures: Pictures | None, loaded: Loaded) -> Row:
    """The row with the scores of its image, or with the reason why it has none."""
    if pictures is None:
        return row
    input, target = pictures
    image = as_tensor(input)
    try:
        measured = scores(image, to_uint8(restored(loaded.restorer, image)), target)
    except JobError as error:
        return {**row, "why": str(error)}
    row = {**row, "width": image.shape[2], "height": image.shape[1], **measured}
    return {**row, "gain": finite(gain_of(row))}


def read_ahead(
    source: "Images | Pairs", numbers: list[int]
) -> Generator[tuple[Row, Pictures | None]]:
    """The rows and pictures of a source; the next ones are read in a thread meanwhile. It alone reads from the source."""
    with ThreadPoolExecutor(1) as reader:
        coming: deque[Future[tuple[Row, Pictures | None]]] = deque()
        for number in numbers:
            coming.append(reader.submit(_read, source, number))
            if len(coming) == AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _read(source: "Images | Pairs", number: int) -> tuple[Row, Pictures | None]:
    """What is known of an image before it is restored; its pictures, or a reason why there are none."""
    row, notes = source.row(number), list[str]()
    try:
        pictures = source.read(number, notes.append)
    except JobError as error:
        return {**row, "why": str(error)}, None
    return {**row, "notes": notes} if notes else row, pictures


class Images:
    """Images of folders, and such that were named; their ground truth has the same name, but for its ending."""

    unit = "images"

    def __init__(self, spec: ImagesTest, channels: int) -> None:
        self._channels = channels
        self._paths = [path for text in spec.images for path in _expanded(Path(text))]
        if not self._paths:
            raise JobError("There is no image any more where they were. Give other paths.")
        self._targets = None if spec.targets is None else _by_stem(Path(spec.targets))
        self._folder = spec.targets
        self._one_folder = len({path.parent for path in self._paths}) == 1

    def __len__(self) -> int:
        return len(self._paths)

    def row(self, number: int) -> Row:
        path, target = self._paths[number], self._target(number)
        name = path.name if self._one_folder else f"{path.parent.name}/{path.name}"
        return {"index": number, "name": name, "image": str(path), "target": target and str(target)}

    def read(self, number: int, tell: Tell) -> Pictures:
        """Raises JobError."""
        path, target = self._paths[number], self._target(number)
        if self._targets is not None and target is None:
            raise JobError(f"No image called {stem(path)} is in {self._folder}.")
        input = in_channels(image_of(str(path), tell), self._channels)
        if target is None:
            return input, None
        truth = in_channels(image_of(str(target), tell), self._channels)
        if truth.shape != input.shape:
            raise JobError(
                f"The ground truth is {size(truth)}, but the image is {size(input)}. They must be of one size."
            )
        return input, truth

    def _target(self, number: int) -> Path | None:
        return None if self._targets is None else self._targets.get(stem(self._paths[number]))


def _expanded(path: Path) -> list[Path]:
    return images_in(path) if path.is_dir() else [path]


def _by_stem(folder: Path) -> dict[str, Path]:
    """Raises JobError where two have one name."""
    if not folder.is_dir():
        raise JobError(
            f"The folder of the ground truth, {folder}, is not there any more. Give another one."
        )
    found: dict[str, Path] = {}
    for path in images_in(folder):
        if stem(path) in found:
            raise JobError(
                f"{folder} has {found[stem(path)].name} and {path.name}: which of them is meant? Take one away."
            )
        found[stem(path)] = path
    return found


class Pairs:
    """The pairs of a split."""

    unit = "pairs"

    def __init__(self, pairs: PairSet) -> None:
        if not len(pairs):
            raise JobError(
                "The model's datasets have no pairs in this split any more. Choose another one."
            )
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def row(self, number: int) -> Row:
        meta = self._pairs.meta(number)
        sequence, original = meta.get("sequence", ""), meta.get("original") or f"pair {number}"
        return {
            "index": number,
            "name": f"{sequence}: {original}" if sequence else original,
            "pair": number,
        }

    def read(self, number: int, tell: Tell) -> Pictures:
        if number % PAIRS_A_VIEW == 0:
            self._pairs.close()
        input, target = self._pairs[number]
        return input.numpy(), target.numpy()


def _earlier(folder: JobFolder) -> tuple[str, dict[int, Row]]:
    """Of a job that is resumed: the snapshot that it uses, and the rows with scores by their index."""
    snapshot, rows = "", dict[int, Row]()
    for event in read(folder.events, types=frozenset({"facts", "results"})):
        snapshot = event.get("snapshot", snapshot)
        rows |= {row["index"]: row for row in event.get("rows", []) if "why" not in row}
    return snapshot, rows


class Telling:
    """Writes rows and totals into the log: the first at once, then some at a time."""

    def __init__(self, report: Report, totals: Totals) -> None:
        self._log, self._totals = report.log, totals
        self._rows: list[Row] = []
        self._told_rows = self._told_facts = -math.inf

    def tell(self, row: Row) -> None:
        self._rows.append(row)
        self._totals.add(row)
        now = time.monotonic()
        if now - self._told_rows >= RESULTS_INTERVAL:
            self._tell_rows(now)
        if now - self._told_facts >= FACTS_INTERVAL:
            self._tell_facts(now)

    def end(self) -> None:
        now = time.monotonic()
        self._tell_rows(now)
        self._tell_facts(now)

    def _tell_rows(self, now: float) -> None:
        if self._rows:
            self._log.append("results", rows=self._rows)
        self._rows, self._told_rows = [], now

    def _tell_facts(self, now: float) -> None:
        self._log.append("facts", **self._totals.told())
        self._told_facts = now
