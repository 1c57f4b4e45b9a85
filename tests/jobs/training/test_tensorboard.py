"""Tests of the TensorBoard files of a training, read by TensorBoard itself."""

import errno
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.io.gfile import LocalFileSystem

from jobs.core import folder as folders
from jobs.core.errors import Aborted
from jobs.core.events import EventLog, last_state, read
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.run import main as run_worker
from jobs.specs import ModelSpec
from jobs.training.learner import Learner
from jobs.training.tensorboard import Board
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]
Points = dict[str, dict[int, tuple[float, float]]]
"""The value and the time, by tag and step."""


def loaded(model: JobFolder) -> EventAccumulator:
    return EventAccumulator(
        str(model.tensorboard), {"scalars": 0, "images": 0, "tensors": 0}
    ).Reload()


def board_points(model: JobFolder) -> Points:
    board = loaded(model)
    points: Points = {}
    for tag in board.Tags()["scalars"]:
        scalars = board.Scalars(tag)
        points[tag] = {scalar.step: (scalar.value, scalar.wall_time) for scalar in scalars}
        assert len(points[tag]) == len(scalars), "a step has two points"
    return points


def log_points(model: JobFolder) -> Points:
    """The points of the page's curves: after a resume, those of the resumed run only."""
    points: Points = {}
    for event in read(model.events, types=frozenset({"scalars", "resumed"})):
        if event["type"] == "resumed":
            points = {
                tag: {step: point for step, point in line.items() if step <= event["step"]}
                for tag, line in points.items()
            }
            continue
        for tag, value in event["scalars"].items():
            if value is not None:
                points.setdefault(tag, {})[event["step"]] = (value, event["time"])
    return points


def assert_board_equals_log(model: JobFolder) -> None:
    logged, board = log_points(model), board_points(model)
    assert {"train/l1", "lr", "val/psnr", "val/psnr_input"} <= set(logged)
    assert {tag: sorted(line) for tag, line in board.items()} == {
        tag: sorted(line) for tag, line in logged.items()
    }
    for tag, line in logged.items():
        for step, (value, moment) in line.items():
            # TensorBoard stores float32.
            assert board[tag][step][0] == pytest.approx(value, rel=1e-6)
            assert board[tag][step][1] == moment


def messages(model: JobFolder) -> list[str]:
    return [event["text"] for event in read(model.events, types=frozenset({"message"}))]


@pytest.mark.parametrize("channels", ["original", "grayscale"])
def test_tensorboard_has_all_points_samples_and_the_spec(
    clip: Clip, make_dataset: Make, make_model: Make, channels: str
) -> None:
    more = {"channels": channels} if channels == "grayscale" else {}
    model = make_model(make_dataset(clip, **more))
    assert_board_equals_log(model)
    board = loaded(model)
    samples = list(read(model.events, types=frozenset({"sample"})))
    assert board.Tags()["images"] == ["samples/0", "samples/1"]
    assert [image.step for image in board.Images("samples/0")] == [
        sample["step"] for sample in samples if sample["index"] == 0
    ]
    last = samples[-1]
    image = board.Images(f"samples/{last['index']}")[-1]
    assert image.wall_time == last["time"]
    parts = []
    for role in ("input", "output", "target"):
        with Image.open(model.path / last[role].split("/files/")[1]) as part:
            parts.append(np.asarray(part.convert("RGB")))
    with Image.open(io.BytesIO(image.encoded_image_string)) as combined:
        assert np.array_equal(np.asarray(combined), np.hstack(parts))
    (spec,) = board.Tensors("spec/text_summary")
    assert json.loads(spec.tensor_proto.string_val[0]) == model.read()["spec"]


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> None:
    """Make a training raise an error before a step."""
    learn, steps = Learner.learn, iter(range(1000))

    def stopping(self: Learner, *arguments: Any) -> torch.Tensor:
        if next(steps) == step:
            raise error
        return learn(self, *arguments)

    monkeypatch.setattr(Learner, "learn", stopping)


@pytest.mark.parametrize("error", [Aborted(), RuntimeError("killed")])
def test_resumed_run_has_the_points_of_the_curves(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 9, error)
        if isinstance(error, Aborted):
            make_model(dataset, epochs=3)
        else:
            with pytest.raises(RuntimeError, match="killed"):
                make_model(dataset, epochs=3)
    model = JobFolder(max(dataset.path.parent.iterdir()))
    assert_board_equals_log(model)
    resume(model, resume_from="epoch-0001")
    assert [event["step"] for event in read(model.events, types=frozenset({"resumed"}))] == [6]
    assert_board_equals_log(model)
    assert sorted(board_points(model)["lr"]) == list(range(1, 19))
    assert len(loaded(model).Tensors("spec/text_summary")) == 1


def resume(model: JobFolder, **fields: Any) -> None:
    time.sleep(1.05 - time.time() % 1)  # TensorBoard orders files by the second in their names.
    with EventLog(model.events) as log:
        log.append("state", state="waiting", reason="", **fields)
    run_worker(str(model.path))
    assert (last_state(model.events) or {})["state"] == "done"


def test_run_that_restarts_from_the_beginning_hides_the_run_before(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 4, RuntimeError("killed"))
        with pytest.raises(RuntimeError, match="killed"):
            make_model(dataset, epochs=1)
    model = JobFolder(max(dataset.path.parent.iterdir()))
    assert sorted(board_points(model)["lr"]) == [1, 2, 3, 4]
    resume(model)
    assert_board_equals_log(model)


def test_training_continues_without_tensorboard_files(dataset: JobFolder, home: Path) -> None:
    small = {"epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}
    model = folders.create(
        home, "model", ModelSpec.model_validate({"name": "m", "dataset": dataset.id, **small})
    )
    model.tensorboard.write_text("a file instead of the folder")
    run_worker(str(model.path))
    assert (last_state(model.events) or {})["state"] == "done"
    assert messages(model) == [
        "The TensorBoard files cannot be written: File exists. The training continues without them."
    ]


# TensorBoard's thread raises.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("after", [0, 1, 5, 10])
def test_full_disk_is_reported_once_and_the_training_continues(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    written = iter(range(100_000))

    def full_after(write: Callable[..., None]) -> Callable[..., None]:
        def write_or_raise(*arguments: Any) -> None:
            if next(written) >= after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(*arguments)

        return write_or_raise

    for name in ("write", "append"):
        monkeypatch.setattr(LocalFileSystem, name, full_after(getattr(LocalFileSystem, name)))
    model = make_model(dataset)
    assert (last_state(model.events) or {})["state"] == "done"
    assert messages(model) == [
        "The TensorBoard files cannot be written: No space left on device. "
        "The training continues without them."
    ]


def test_points_are_flushed_before_the_run_ends(
    dataset: JobFolder, make_model: Make, home: Path
) -> None:
    model = make_model(dataset, epochs=1)
    for path in model.tensorboard.iterdir():
        path.unlink()
    with EventLog(model.events) as log:
        report = Report(log)
        board = Board(model, report)
        board.begin(model.spec(), 0)  # type: ignore[arg-type]
        report.log.listeners.append(board.write)
        report.scalars(1, 0.5, {"train/l1": 0.25, "val/psnr": float("inf")})
        wait_until(lambda: "train/l1" in loaded(model).Tags()["scalars"], "no point in the file")
        assert loaded(model).Tags()["scalars"] == ["train/l1"], (
            "the infinite PSNR of equal images is not written"
        )
        board.close()


def test_only_trainings_import_tensorboard(python: Callable[[str], str]) -> None:
    other_jobs = "import jobs.datasets.make, jobs.inference.image, jobs.networks.export, sys"
    code = f"{other_jobs}; before = 'tensorboard' in sys.modules; import jobs.training.train"
    assert python(f"{code}; print(before, 'tensorboard' in sys.modules)").split() == [
        "False",
        "True",
    ]
