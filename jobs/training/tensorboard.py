"""TensorBoard's files of a training, in a folder beside its log: `tensorboard --logdir HOME/jobs` shows all trainings of a home.

They say what the log says, under the same names, steps and times. The log is what counts: where these files cannot be written,
that is told once, and the training goes on without them.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from jobs.core.events import Event
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.specs import ModelSpec

FLUSH_SECONDS = 2
"""What was told is on the disk after so long, and at the end."""
QUEUE = 100
"""Records that may wait to be written before a step waits for them; a point of the curve is one."""


@contextmanager
def shown_beside(
    folder: JobFolder, spec: ModelSpec, report: Report, first_step: int
) -> Iterator[None]:
    """Write what the report tells of curves and samples for TensorBoard, too.

    `first_step`: what an earlier run of the job has told of this step and later ones is hidden; 0 for one from the start.
    """
    board = Board(folder, report)
    board.begin(spec, first_step)
    report.listeners.append(board.hear)
    try:
        yield
    finally:
        report.listeners.remove(board.hear)
        board.close()


class Board:
    """The files of one run. Nothing is written before `begin`, nor after an error."""

    def __init__(self, folder: JobFolder, report: Report) -> None:
        self._folder, self._report = folder, report
        self._writer: SummaryWriter | None = None

    def begin(self, spec: ModelSpec, first_step: int) -> None:
        with self._or_without():
            self._folder.tensorboard.mkdir(exist_ok=True)
            self._writer = SummaryWriter(
                str(self._folder.tensorboard),
                purge_step=first_step,
                max_queue=QUEUE,
                flush_secs=FLUSH_SECONDS,
            )
            if first_step == 0:
                self._writer.add_text("spec", _as_markdown(spec), 0, time.time())

    def hear(self, event: Event) -> None:
        """Take in a `scalars` or a `sample` event of a training, as it stands in the log."""
        if self._writer is None:
            return
        with self._or_without():
            if event["type"] == "scalars":
                # One record for all of a point: a fifth of the time that SummaryWriter.add_scalar takes for each.
                values = [
                    Summary.Value(tag=tag, simple_value=value)
                    for tag, value in event["scalars"].items()
                    if value is not None
                ]
                self._writer._get_file_writer().add_summary(
                    Summary(value=values), event["step"], event["time"]
                )
            elif event["type"] == "sample":
                tag, picture = f"samples/{event['index']}", self._side_by_side(event)
                self._writer.add_image(
                    tag, picture, event["step"], event["time"], dataformats="HWC"
                )

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            with self._or_without():
                self._writer.close()

    def _side_by_side(self, event: Event) -> Any:
        """Input, output and truth in one picture: uint8 (H, 3 W, 3)."""
        pictures = []
        for role in ("input", "output", "target"):
            with Image.open(
                self._folder.path / event[role].removeprefix(self._folder.url(""))
            ) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
        return np.hstack(pictures)

    @contextmanager
    def _or_without(self) -> Iterator[None]:
        """An error of this call, or of the thread that wrote what was told before, ends the writing."""
        try:
            yield
        except OSError as error:
            self._writer = None
            self._report.message(
                f"TensorBoard's files could not be written: {error.strerror or error}. The training goes on without them.",
                "warning",
            )


def _as_markdown(spec: ModelSpec) -> str:
    """The spec as an indented block, which TensorBoard shows as it is."""
    return "".join(
        f"    {line}\n" for line in json.dumps(spec.model_dump(mode="json"), indent=1).splitlines()
    )
