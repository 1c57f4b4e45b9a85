"""TensorBoard's files beside a training's log, as TensorBoard itself reads them."""

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

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]
Points = dict[str, dict[int, tuple[float, float]]]
"""By tag and step: the value and the time."""


@pytest.fixture
def dataset(clip: Clip, make_dataset: Make) -> JobFolder:
    return make_dataset(clip)


def shown(model: JobFolder) -> EventAccumulator:
    return EventAccumulator(
        str(model.tensorboard), {"scalars": 0, "images": 0, "tensors": 0}
    ).Reload()


def points_shown(model: JobFolder) -> Points:
    board = shown(model)
    found: Points = {}
    for tag in board.Tags()["scalars"]:
        points = board.Scalars(tag)
        found[tag] = {point.step: (point.value, point.wall_time) for point in points}
        assert len(found[tag]) == len(points), "no step is shown twice"
    return found


def points_logged(model: JobFolder) -> Points:
    """What the page's curves show: behind a resume, the points of the resumed run alone."""
    found: Points = {}
    for event in read(model.events, types=frozenset({"scalars", "resumed"})):
        if event["type"] == "resumed":
            found = {
                tag: {step: at for step, at in line.items() if step <= event["step"]}
                for tag, line in found.items()
            }
            continue
        for tag, value in event["scalars"].items():
            if value is not None:
                found.setdefault(tag, {})[event["step"]] = (value, event["time"])
    return found


def assert_shows_the_log(model: JobFolder) -> None:
    logged, board = points_logged(model), points_shown(model)
    assert {"train/l1", "lr", "val/psnr", "val/psnr_input"} <= set(logged)
    assert {tag: sorted(line) for tag, line in board.items()} == {
        tag: sorted(line) for tag, line in logged.items()
    }
    for tag, line in logged.items():
        for step, (value, moment) in line.items():
            assert board[tag][step][0] == pytest.approx(
                value, rel=1e-6
            )  # TensorBoard keeps float32.
            assert board[tag][step][1] == moment


def messages(model: JobFolder) -> list[str]:
    return [event["text"] for event in read(model.events, types=frozenset({"message"}))]


@pytest.mark.parametrize("channels", ["original", "grayscale"])
def test_tensorboard_shows_every_point_the_samples_and_the_spec(
    clip: Clip, make_dataset: Make, make_model: Make, channels: str
) -> None:
    more = {"channels": channels} if channels == "grayscale" else {}
    model = make_model(make_dataset(clip, **more))
    assert_shows_the_log(model)
    board = shown(model)
    samples = list(read(model.events, types=frozenset({"sample"})))
    assert board.Tags()["images"] == ["samples/0", "samples/1"]
    assert [image.step for image in board.Images("samples/0")] == [
        one["step"] for one in samples if one["index"] == 0
    ]
    last = samples[-1]
    image = board.Images(f"samples/{last['index']}")[-1]
    assert image.wall_time == last["time"]
    parts = []
    for role in ("input", "output", "target"):
        with Image.open(model.path / last[role].split("/files/")[1]) as part:
            parts.append(np.asarray(part.convert("RGB")))
    with Image.open(io.BytesIO(image.encoded_image_string)) as whole:
        assert np.array_equal(np.asarray(whole), np.hstack(parts))
    (spec,) = board.Tensors("spec/text_summary")
    assert json.loads(spec.tensor_proto.string_val[0]) == model.read()["spec"]


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, how: BaseException) -> None:
    learn, steps = Learner.learn, iter(range(1000))

    def stopping(self: Learner, *arguments: Any) -> torch.Tensor:
        if next(steps) == step:
            raise how
        return learn(self, *arguments)

    monkeypatch.setattr(Learner, "learn", stopping)


@pytest.mark.parametrize("how", [Aborted(), RuntimeError("killed")])
def test_of_a_resumed_run_tensorboard_shows_what_the_curves_show(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch, how: BaseException
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 9, how)
        if isinstance(how, Aborted):
            make_model(dataset, epochs=3)
        else:
            with pytest.raises(RuntimeError, match="killed"):
                make_model(dataset, epochs=3)
    model = JobFolder(max(dataset.path.parent.iterdir()))
    assert_shows_the_log(model)
    again(model, resume_from="epoch-0001")
    assert [event["step"] for event in read(model.events, types=frozenset({"resumed"}))] == [6]
    assert_shows_the_log(model)
    assert sorted(points_shown(model)["lr"]) == list(range(1, 19))
    assert len(shown(model).Tensors("spec/text_summary")) == 1


def again(model: JobFolder, **fields: Any) -> None:
    time.sleep(1.05 - time.time() % 1)  # TensorBoard reads the files by the second in their names.
    with EventLog(model.events) as log:
        log.append("state", state="waiting", reason="", **fields)
    run_worker(str(model.path))
    assert (last_state(model.events) or {})["state"] == "done"


def test_a_run_that_begins_anew_hides_the_one_that_had_no_snapshot(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 4, RuntimeError("killed"))
        with pytest.raises(RuntimeError, match="killed"):
            make_model(dataset, epochs=1)
    model = JobFolder(max(dataset.path.parent.iterdir()))
    assert sorted(points_shown(model)["lr"]) == [1, 2, 3, 4]
    again(model)
    assert_shows_the_log(model)


def test_where_the_files_cannot_be_written_the_training_goes_on(
    dataset: JobFolder, home: Path
) -> None:
    small = {"epochs": 1, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}
    model = folders.create(
        home, "model", ModelSpec.model_validate({"name": "m", "dataset": dataset.id, **small})
    )
    model.tensorboard.write_text("a file is in the way")
    run_worker(str(model.path))
    assert (last_state(model.events) or {})["state"] == "done"
    assert messages(model) == [
        "TensorBoard's files could not be written: File exists. The training goes on without them."
    ]


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # It is the writer's own thread that fails.
@pytest.mark.parametrize("after", [0, 1, 5, 10])
def test_a_full_disk_is_told_once_and_the_training_goes_on(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    written = iter(range(100_000))

    def full_after(write: Callable[..., None]) -> Callable[..., None]:
        def writing(*arguments: Any) -> None:
            if next(written) >= after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(*arguments)

        return writing

    for name in ("write", "append"):
        monkeypatch.setattr(LocalFileSystem, name, full_after(getattr(LocalFileSystem, name)))
    model = make_model(dataset)
    assert (last_state(model.events) or {})["state"] == "done"
    assert messages(model) == [
        "TensorBoard's files could not be written: No space left on device. The training goes on without them."
    ]


def test_what_was_told_is_on_the_disk_soon_and_before_the_end(
    dataset: JobFolder, make_model: Make, home: Path
) -> None:
    model = make_model(dataset, epochs=1)
    for path in model.tensorboard.iterdir():
        path.unlink()
    with EventLog(model.events) as log:
        report = Report(log)
        board = Board(model, report)
        board.begin(model.spec(), 0)  # type: ignore[arg-type]
        report.listeners.append(board.hear)
        report.scalars(1, 0.5, {"train/l1": 0.25, "val/psnr": float("inf")})
        deadline = time.monotonic() + 5
        while "train/l1" not in shown(model).Tags()["scalars"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert shown(model).Tags()["scalars"] == ["train/l1"], (
            "the PSNR of equal images is no number"
        )
        board.close()


def test_only_a_training_takes_tensorboard_in(python: Callable[[str], str]) -> None:
    others = "import jobs.datasets.make, jobs.inference.image, jobs.networks.export, sys"
    code = f"{others}; before = 'tensorboard' in sys.modules; import jobs.training.train"
    assert python(f"{code}; print(before, 'tensorboard' in sys.modules)").split() == [
        "False",
        "True",
    ]
