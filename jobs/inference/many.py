"""The test job for many images, or for all pairs of a split: restores and measures each of them.

An image leaves only a row in the log and some numbers. A resumed job skips the images whose scores
are in the log, and retries those that failed.
"""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import ClassVar

import torch

from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.manifest import is_path_list, listed, without_label
from jobs.core.report import Report, finite
from jobs.core.totals import gain_of_image
from jobs.core.types.samples import ResultRow
from jobs.core.types.summaries import TestSummary
from jobs.datasets.pair_sets import PairSet, Stream
from jobs.datasets.rates import Rates
from jobs.inference.filters import TUNING_PAIRS, Baselines
from jobs.inference.image import ShowMessage, datasets_of, image_of, in_channels, restored, scores
from jobs.inference.result_log import ResultLog
from jobs.media.images import Picture, images_in, list_images, size, stem
from jobs.media.qp_maps import with_plane
from jobs.media.video import ignore_warning
from jobs.networks.loaded import Loaded, load_tested
from jobs.networks.pictures import as_tensor
from jobs.specs import ImagesTest, SplitTest
from models.metrics import luma, psnr, to_uint8

PAIRS_PER_VIEW = 64
"""Pairs after which a store is reopened: the read pages of a mapped file count as memory in use."""

READ_AHEAD = 2

Pictures = tuple[Picture, Picture | None]
"""An image, with its QPs if the network takes them, and its ground truth, which may be unknown."""


@torch.inference_mode()
def test_many(folder: JobFolder, spec: ImagesTest | SplitTest, report: Report) -> TestSummary:
    """Restore and measure all images. Logs the images that fail and continues."""
    snapshot, rows = _logged(folder)
    loaded = load_tested(folder, spec, snapshot)
    report.log.append("facts", snapshot=loaded.snapshot)
    qps = loaded.restorer.takes_qp
    if isinstance(spec, ImagesTest):
        source: Images | Pairs = Images(spec, loaded.channels, qps)
    else:
        source = Pairs(PairSet.of(folder, datasets_of(folder, spec), spec.split, qps))

    baselines = Baselines(_tuning(folder, spec, source), report.check) if spec.filters else None
    results, remaining = ResultLog(report, source.rates, source.streams, baselines), []
    for number in range(len(source)):
        if number in rows and rows[number].items() >= source.row(number).items():
            results.count(rows[number])
        else:
            remaining.append(number)
    before, why = len(source) - len(remaining), ""
    report.begin(before)
    try:
        with closing(read_ahead(source, remaining)) as images:
            for done, (row, pictures) in enumerate(images, before + 1):
                report.check()
                row = _measured(row, pictures, loaded, baselines)
                why = why or row.get("why", "")
                results.add(row)
                report.progress(done, len(source), source.unit)
    finally:
        results.end()
    results.log_streams()
    if not results.totals.restored:
        if len(source) == 1:
            raise JobError(f"The {source.unit.removesuffix('s')} could not be restored: {why}")
        raise JobError(
            f"None of the {len(source):,} {source.unit} could be restored. First error: {why}"
        )
    return {}


def _tuning(
    folder: JobFolder, spec: ImagesTest | SplitTest, source: "Images | Pairs"
) -> list[tuple[Picture, Picture]]:
    """Validation pairs for the settings of filters; images of the test where there are none."""
    if isinstance(spec, ImagesTest) or spec.split != "val":
        validation = PairSet.of(folder, datasets_of(folder, spec), "val")
        source = Pairs(validation) if len(validation) else source
    pairs = []
    for number in range(0, len(source), -(-len(source) // TUNING_PAIRS)):
        with suppress(JobError):  # An image that cannot be read is reported in its turn.
            input, target = source.read(number, ignore_warning)
            if target is not None:
                pairs.append((input[:, :, : target.shape[2]], target))
    return pairs


def _measured(
    row: ResultRow, pictures: Pictures | None, loaded: Loaded, baselines: Baselines | None
) -> ResultRow:
    """The row with the scores of its image, or with the reason if it failed."""
    if pictures is None:
        return row
    input, target = pictures
    seen = as_tensor(input)
    image = seen[: loaded.channels]
    try:
        output = to_uint8(restored(loaded.restorer, seen))
    except JobError as error:
        return {**row, "why": str(error)}
    row = {
        **row,
        "width": image.shape[2],
        "height": image.shape[1],
        **scores(image, output, target),
    }
    if target is not None:
        truth = luma(as_tensor(target))
        row["psnr_y_input"] = finite(psnr(luma(image), truth))
        row["psnr_y_output"] = finite(psnr(luma(output), truth))
        if baselines is not None:
            row["filters"] = baselines.gains_of(input[:, :, : loaded.channels], target)
    return {**row, "gain": finite(gain_of_image(row))}


def read_ahead(
    source: "Images | Pairs", numbers: list[int]
) -> Generator[tuple[ResultRow, Pictures | None]]:
    """The rows and pictures of a source. A thread reads ahead; only it uses the source."""
    with ThreadPoolExecutor(1) as reader:
        pending: deque[Future[tuple[ResultRow, Pictures | None]]] = deque()
        for number in numbers:
            pending.append(reader.submit(_read, source, number))
            if len(pending) == READ_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read(source: "Images | Pairs", number: int) -> tuple[ResultRow, Pictures | None]:
    """The row of an image before its restoration, and its pictures; None if they cannot be read."""
    row, notes = source.row(number), list[str]()
    try:
        pictures = source.read(number, notes.append)
    except JobError as error:
        return {**row, "why": str(error)}, None
    return {**row, "notes": notes} if notes else row, pictures


class Images:
    """Images, given by their paths or by folders.

    The ground truth of an image has the same name, with any file extension.
    """

    unit, rates = "images", None
    streams: ClassVar[list[Stream | None]] = []

    def __init__(self, spec: ImagesTest, channels: int, qps: bool) -> None:
        self._channels, self._qps, self._unknown_qp = channels, qps, spec.qp
        self._paths = [path for text in spec.images for path in _expanded(text)]
        if not self._paths:
            raise JobError("The given paths contain no images. Give other paths.")
        self._targets = None if spec.targets is None else _by_stem(Path(spec.targets))
        self._folder = spec.targets
        self._one_folder = len({path.parent for path in self._paths}) == 1

    def __len__(self) -> int:
        return len(self._paths)

    def row(self, number: int) -> ResultRow:
        path, target = self._paths[number], self._target(number)
        name = path.name if self._one_folder else f"{path.parent.name}/{path.name}"
        return {
            "index": number,
            "name": name,
            "image": str(path),
            "target": str(target) if target else None,
        }

    def read(self, number: int, show_message: ShowMessage) -> Pictures:
        """The pictures of an image. Raises JobError."""
        path, target = self._paths[number], self._target(number)
        if self._targets is not None and target is None:
            raise JobError(f"{self._folder} has no image named {stem(path)}.")
        reading = image_of(str(path), show_message)
        input = in_channels(reading.picture, self._channels)
        seen = with_plane(input, reading.coding.qp, self._unknown_qp) if self._qps else input
        if self._qps and reading.coding.qp is None and self._unknown_qp is None:
            show_message("The QP is unknown, and it decides how much the network changes.")
        if target is None:
            return seen, None
        truth = in_channels(image_of(str(target), show_message).picture, self._channels)
        if truth.shape != input.shape:
            raise JobError(
                f"The ground truth is {size(truth)}, but the image is {size(input)}. "
                "Their sizes must be equal."
            )
        return seen, truth

    def _target(self, number: int) -> Path | None:
        return None if self._targets is None else self._targets.get(stem(self._paths[number]))


def _expanded(text: str) -> list[Path]:
    path = Path(without_label(text))
    if path.is_dir():
        return images_in(path)
    return listed(path) if is_path_list(path) else [path]


def _by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder by stem. Raises JobError if two images have the same stem."""
    if not folder.exists():
        raise JobError(
            f"The folder of the ground truth, {folder}, does not exist. Give another folder."
        )
    by_stem: dict[str, Path] = {}
    for path in list_images(folder):
        if stem(path) in by_stem:
            raise JobError(
                f"{folder} has both {by_stem[stem(path)].name} and {path.name} for the same image. "
                "Remove one of them."
            )
        by_stem[stem(path)] = path
    return by_stem


class Pairs:
    """The pairs of a split."""

    unit = "pairs"

    def __init__(self, pairs: PairSet) -> None:
        if not len(pairs):
            raise JobError(
                "The model's datasets have no pairs in this split. Choose another split."
            )
        self._pairs, self.rates, self.streams = pairs, Rates(pairs), pairs.streams

    def __len__(self) -> int:
        return len(self._pairs)

    def row(self, number: int) -> ResultRow:
        meta = self._pairs.meta(number)
        sequence, original = meta.get("sequence", ""), meta.get("original") or f"pair {number}"
        return {
            "index": number,
            "name": f"{sequence}: {original}" if sequence else original,
            "pair": number,
        }

    def read(self, number: int, show_message: ShowMessage) -> Pictures:
        if number % PAIRS_PER_VIEW == 0:
            self._pairs.close()
        input, target = self._pairs[number]
        return input.numpy(), target.numpy()


def _logged(folder: JobFolder) -> tuple[str, dict[int, ResultRow]]:
    """The snapshot of a resumed job, and its rows with scores by index, from the log."""
    snapshot, rows = "", dict[int, ResultRow]()
    for event in read(folder.events, types=frozenset({"facts", "results"})):
        snapshot = event.get("snapshot", snapshot)
        rows |= {row["index"]: row for row in event.get("rows", []) if "why" not in row}
    return snapshot, rows
