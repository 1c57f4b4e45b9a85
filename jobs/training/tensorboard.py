"""TensorBoard files of a training, in its folder.

`tensorboard --logdir HOME/jobs` shows all trainings of a home. The files have the values of the
log, under the same names, steps and times. The log is authoritative: if these files cannot be
written, a warning is logged once and the training continues without them.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.core.types.events import JobEvent, ValidationSampleEvent
from jobs.core.types.samples import ValidationSample
from jobs.specs import ModelSpec

FLUSH_SECONDS = 2
"""Records are on disk after this time, and at the end."""
QUEUE = 100
"""The most unwritten records before a step waits. A point of the curve is one record."""


@contextmanager
def mirrored(folder: JobFolder, spec: ModelSpec, report: Report, first_step: int) -> Iterator[None]:
    """Write the curves and samples of the report for TensorBoard, until the block ends.

    Records of an earlier run of the job from `first_step` on are hidden. It is 0 for a new run.
    """
    board = Board(folder, report)
    board.begin(spec, first_step)
    report.log.listeners.append(board.write)
    try:
        yield
    finally:
        report.log.listeners.remove(board.write)
        board.close()


class Board:
    """The files of one run. Nothing is written before `begin` or after an error."""

    def __init__(self, folder: JobFolder, report: Report) -> None:
        self._folder, self._report = folder, report
        self._writer: SummaryWriter | None = None

    def begin(self, spec: ModelSpec, first_step: int) -> None:
        with self._disabled_on_error():
            self._folder.tensorboard.mkdir(exist_ok=True)
            self._writer = SummaryWriter(
                str(self._folder.tensorboard),
                purge_step=first_step,
                max_queue=QUEUE,
                flush_secs=FLUSH_SECONDS,
            )
            if first_step == 0:
                self._writer.add_text("spec", _as_markdown(spec), 0, time.time())

    def write(self, event: JobEvent) -> None:
        """Write a `scalars` or `sample` event of a training, as it is in the log."""
        if self._writer is None:
            return
        with self._disabled_on_error():
            if event["type"] == "scalars":
                # One record for all values of a point takes a fifth of the time of
                # SummaryWriter.add_scalar for each value.
                values = [
                    Summary.Value(tag=tag, simple_value=value)
                    for tag, value in event["scalars"].items()
                    if value is not None
                ]
                self._writer._get_file_writer().add_summary(
                    Summary(value=values), event["step"], event["time"]
                )
            elif event["type"] == "sample":
                sample = cast(ValidationSampleEvent, event)
                tag, picture = f"samples/{sample['index']}", self._side_by_side(sample)
                self._writer.add_image(
                    tag, picture, sample["step"], sample["time"], dataformats="HWC"
                )

    def close(self) -> None:
        """Write the remaining records."""
        if self._writer is not None:
            with self._disabled_on_error():
                self._writer.close()

    def _side_by_side(self, sample: ValidationSample) -> Any:
        """Input, output and truth in one picture: uint8 (H, 3 W, 3)."""
        pictures = []
        for url in (sample["input"], sample["output"], sample["target"]):
            with Image.open(self._folder.path / url.removeprefix(self._folder.url(""))) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
        return np.hstack(pictures)

    @contextmanager
    def _disabled_on_error(self) -> Iterator[None]:
        """Stop all writing after an error of the block, or of the thread that writes records."""
        try:
            yield
        except OSError as error:
            self._writer = None
            self._report.message(
                f"The TensorBoard files cannot be written: {error.strerror or error}. "
                "The training continues without them.",
                "warning",
            )


def _as_markdown(spec: ModelSpec) -> str:
    """The spec as an indented block, which TensorBoard shows verbatim."""
    return "".join(
        f"    {line}\n" for line in json.dumps(spec.model_dump(mode="json"), indent=1).splitlines()
    )
