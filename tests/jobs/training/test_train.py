"""Tests of complete small training jobs."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from jobs.core import folder as folders
from jobs.core.errors import Aborted
from jobs.core.events import EventLog, last_state, read
from jobs.core.folder import JobFolder
from jobs.core.types.events import StateEvent
from jobs.core.view import empty, fold
from jobs.datasets.pair_sets import PairSet
from jobs.networks import snapshots
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec, ModelSpec
from jobs.training.learner import Learner
from jobs.training.validation import Validation
from tests.conftest import train_small

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


def scalars(folder: JobFolder, key: str) -> dict[int, float]:
    events = read(folder.events, types=frozenset({"scalars"}))
    return {event["step"]: event["scalars"][key] for event in events if key in event["scalars"]}


def ended(folder: JobFolder) -> StateEvent:
    event = last_state(folder.events)
    assert event is not None
    return event


def summary(folder: JobFolder) -> dict[str, Any]:
    view = empty()
    for event in read(folder.events):
        view = fold(view, event)
    return cast(dict[str, Any], view["summary"])


def names(model: JobFolder) -> set[str]:
    return {
        path.name.removesuffix(".safetensors") for path in model.snapshots.glob("*.safetensors")
    }


def test_training_reports_and_saves_a_snapshot_every_epoch(
    dataset: JobFolder, make_model: Make
) -> None:
    model = make_model(dataset, epochs=3)
    assert ended(model)["state"] == "done", ended(model)
    assert sorted(scalars(model, "val/l1")) == [0, 6, 12, 18]
    for name in ("l1", "psnr", "psnr_y", "ssim"):
        assert len(set(scalars(model, f"val/{name}_input").values())) == 1
    for name in (
        "train/l1",
        "lr",
        "images_per_second",
        "pixels_per_second",
        "data_wait",
        "gradient_norm",
    ):
        assert sorted(scalars(model, name)) == list(range(1, 19))
    assert names(model) == {"epoch-0001", "epoch-0002", "epoch-0003"}


def test_untrained_output_equals_the_input(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, epochs=1)
    for name in ("psnr", "psnr_y", "ssim"):
        assert scalars(model, f"val/{name}")[0] == pytest.approx(
            scalars(model, f"val/{name}_input")[0], abs=0.01
        )


def test_samples_are_written_after_each_validation_and_layers_at_start_and_end(
    dataset: JobFolder, make_model: Make
) -> None:
    model = make_model(dataset, epochs=2)
    steps = {
        kind: [event["step"] for event in read(model.events, types=frozenset({kind}))]
        for kind in ("sample", "layer")
    }
    assert sorted(steps["sample"]) == [0, 0, 6, 6, 12, 12]
    assert {0, 12} <= set(steps["layer"])
    samples = summary(model)["samples"]
    assert [sample["index"] for sample in samples] == [0, 1]
    for sample in read(model.events, types=frozenset({"sample"})):
        for role in ("input", "output", "target"):
            with Image.open(model.path / sample[role].split("/files/")[1]) as picture:
                assert picture.size == (64, 64)
    layers = summary(model)["layers"]
    assert [layer["name"] for layer in layers] == [
        "conv1",
        "relu1",
        "conv2",
        "relu2",
        "conv3",
        "sum",
    ]


def test_pinned_pairs_and_regions_are_shown_after_each_validation(
    dataset: JobFolder, home: Path
) -> None:
    region = {"left": 8, "top": 16, "width": 40, "height": 24}
    pinned = [
        {"index": 100, "pair": 0, "region": None},
        {"index": 101, "pair": 1, "region": region},
        {"index": 102, "pair": 99, "region": None},
        {"index": 103, "pair": 0, "region": {**region, "left": 90}},
    ]
    spec = ModelSpec(
        name="m", dataset=dataset.id, steps=2, batch_size=4, patch_size=16, validation_interval=1
    )
    model = folders.create(home, "model", spec)
    model.pinned_file.write_text(json.dumps({"next": 104, "samples": pinned}))
    run_worker(str(model.path))
    assert ended(model)["state"] == "done"
    samples = [event for event in read(model.events) if event["type"] == "sample"]
    assert [sample["index"] for sample in samples if sample["step"] == 2] == [100, 101, 0, 1]
    assert [sample["step"] for sample in samples if sample["index"] == 101][0::2] == [0]
    with PairSet.of(model, [dataset.id], "val") as pairs:
        whole, frame = (tensor.numpy() for tensor in pairs[0]), pairs[1][0].numpy()
        for role, picture in zip(("input", "target"), whole, strict=True):
            assert (picture == opened(model, summary(model)["samples"][2][role])).all()
    part = summary(model)["samples"][3]
    assert (part["left"], part["top"], part["pinned"]) == (8, 16, True)
    assert (opened(model, part["input"]) == frame[16:40, 8:48]).all()
    assert opened(model, part["output"]).shape == (24, 40, 3)


def opened(model: JobFolder, url: str) -> NDArray[np.uint8]:
    """The pixels of a picture of a job."""
    with Image.open(model.path / url.split("/files/")[1]) as picture:
        return np.asarray(picture)


def test_summary_has_the_facts_of_the_run(dataset: JobFolder, make_model: Make) -> None:
    facts = summary(make_model(dataset, epochs=1))
    assert facts["parameters"] == 8129
    assert facts["receptive_field"] == [13, 13]
    assert facts["packages"]["torch"] == torch.__version__.split("+")[0]
    assert facts["placement"].endswith("in memory")
    assert facts["dataset_hash"] == summary(make_model(dataset, epochs=1))["dataset_hash"]
    assert len(facts["dataset_hash"]) == 64


@pytest.mark.parametrize(
    ("length", "last"),
    [({"epochs": 3}, 18), ({"epochs": None, "steps": 10}, 10)],
)
def test_learning_rate_decays_over_a_run_of_epochs_or_steps(
    dataset: JobFolder, make_model: Make, length: dict[str, int], last: int
) -> None:
    rates = scalars(make_model(dataset, **length), "lr")
    assert list(rates) == list(range(1, last + 1))
    assert list(rates.values()) == sorted(rates.values(), reverse=True)
    assert rates[1] == 0.001
    assert rates[last] == pytest.approx(0.001 * 0.098 ** ((last - 1) / last))


def test_time_budget_ends_the_run(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, epochs=None, minutes=0.05)
    assert ended(model)["state"] == "done"
    assert 3 <= ended(model)["summary"]["seconds"] < 60  # A busy machine finishes a step late.
    first, *_, last = scalars(model, "lr").values()
    assert last < first


@pytest.mark.parametrize("per", ["epoch", "iteration"])
def test_decay_per_epoch_or_iteration_works_without_a_number_of_epochs(
    dataset: JobFolder, make_model: Make, per: str
) -> None:
    policy = {"name": "exponential", "gamma": 0.9, "per": per}
    rates = scalars(make_model(dataset, epochs=None, minutes=0.02, lr_policy=policy), "lr")
    unit = 6 if per == "epoch" else 1
    for step, rate in list(rates.items())[1:]:
        assert rate == pytest.approx(0.001 * 0.9 ** ((step - 1) / unit), rel=1e-6)


def test_validation_and_snapshot_intervals_can_be_fractions_of_an_epoch(
    dataset: JobFolder, make_model: Make
) -> None:
    model = make_model(dataset, epochs=2, validation_interval=0.5, snapshot_interval=1.5)
    assert sorted(scalars(model, "val/l1")) == [0, 3, 6, 9, 12]
    assert names(model) == {"step-000009", "epoch-0002"}


def test_last_snapshots_and_the_best_are_kept(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.5, 0.4, 0.1, 0.3, 0.2, 0.25])
    real = Validation.scores
    monkeypatch.setattr(
        Validation, "scores", lambda *arguments: {**real(*arguments), "val/l1": next(losses)}
    )
    model = make_model(dataset, epochs=5, keep=2)
    assert names(model) == {"epoch-0002", "epoch-0004", "epoch-0005"}
    assert {path.name for path in model.snapshots.glob("*.state.pt")} == {
        f"{name}.state.pt" for name in names(model)
    }
    facts = summary(model)
    assert [snapshot["snapshot"] for snapshot in facts["snapshots"]] == sorted(names(model))
    assert (facts["best"]["snapshot"], facts["last"]["snapshot"]) == ("epoch-0002", "epoch-0005")


def test_training_without_improvement_stops_early(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.5, 0.3, 0.4, 0.35, 0.2, 0.1])
    real = Validation.scores
    monkeypatch.setattr(
        Validation, "scores", lambda *arguments: {**real(*arguments), "val/l1": next(losses)}
    )
    model = make_model(dataset, epochs=9, early_stopping=2)
    assert ended(model)["state"] == "done"
    assert sorted(scalars(model, "val/l1")) == [0, 6, 12, 18]


EXACT = {"device": "cpu"}
"""For runs that are compared bit by bit: on a GPU, sums have no fixed order."""


def test_runs_with_the_same_seed_are_equal(dataset: JobFolder, make_model: Make) -> None:
    first, second = (make_model(dataset, seed=3, **EXACT) for _ in range(2))
    for key in ("train/l1", "val/l1", "val/ssim"):
        assert scalars(first, key) == scalars(second, key)
    other = make_model(dataset, seed=4, **EXACT)
    assert scalars(first, "val/l1") != scalars(other, "val/l1")


# Stop and resume.

LONG: dict[str, Any] = {
    **EXACT,
    "epochs": 3,
    "validation_interval": 0.5,
    "ema": 0.9,
    "gradient_clip": 1.0,
    "patches_per_frame": 5,
}


@pytest.fixture(scope="module")
def uninterrupted(
    finished_dataset: JobFolder, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], JobFolder]:
    """The training of LONG by each solver, which stopped ones are compared with; made once."""
    home = tmp_path_factory.mktemp("uninterrupted")
    path = shutil.copytree(finished_dataset.path, home / "jobs" / finished_dataset.id)

    @cache
    def trained(solver: str) -> JobFolder:
        return train_small(home, JobFolder(path), **LONG, solver={"name": solver})

    return trained


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, error: Callable[[], BaseException]) -> None:
    """Make a training raise an error before a step, as if it was killed or asked to stop."""
    learn, steps = Learner.learn, iter(range(1000))

    def stopping(self: Learner, *arguments: object) -> torch.Tensor:
        if next(steps) == step:
            raise error()
        return learn(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "learn", stopping)


def assert_equal_runs(uninterrupted: JobFolder, stopped: JobFolder) -> None:
    for run in (uninterrupted, stopped):
        assert ended(run)["state"] == "done", ended(run)
    for key in ("train/l1", "val/l1", "val/psnr", "lr", "gradient_norm"):
        assert scalars(stopped, key) == scalars(uninterrupted, key), key
    a, b = (
        load_file(folder.snapshots / "epoch-0003.safetensors")
        for folder in (uninterrupted, stopped)
    )
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("step", [1, 9, 20, 32])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_resumed_training_equals_an_uninterrupted_training(
    dataset: JobFolder,
    make_model: Make,
    uninterrupted: Callable[[str], JobFolder],
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    solver: str,
) -> None:
    settings = {**LONG, "solver": {"name": solver}}
    expected = uninterrupted(solver)
    with monkeypatch.context() as patch:
        stop_at(patch, step, Aborted)
        stopped = make_model(dataset, **settings)
    assert ended(stopped)["state"] == "aborted"
    assert len(names(stopped)) == 1 + step // 14, "it writes a snapshot before it ends"
    run_worker(str(stopped.path))
    assert_equal_runs(expected, stopped)


def test_killed_training_resumes_from_its_last_snapshot(
    dataset: JobFolder,
    make_model: Make,
    uninterrupted: Callable[[str], JobFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 25, lambda: RuntimeError("killed"))
        with pytest.raises(RuntimeError, match="killed"):
            make_model(dataset, **LONG)
    stopped = JobFolder(max(dataset.path.parent.iterdir()))
    assert names(stopped) == {"epoch-0001"}
    run_worker(str(stopped.path))
    assert_equal_runs(uninterrupted("adam"), stopped)


def test_training_resumes_from_the_requested_snapshot(
    dataset: JobFolder,
    make_model: Make,
    uninterrupted: Callable[[str], JobFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 35, Aborted)
        stopped = make_model(dataset, **LONG)
    with EventLog(stopped.events) as log:
        log.append("state", state="waiting", reason="", resume_from="epoch-0001")
    run_worker(str(stopped.path))
    steps = [
        event["step"]
        for event in read(stopped.events, types=frozenset({"scalars"}))
        if "lr" in event["scalars"]
    ]
    assert steps[35] == 15, "it resumes after the requested snapshot"
    assert_equal_runs(uninterrupted("adam"), stopped)


def test_incomplete_snapshots_of_a_killed_run_are_ignored(
    dataset: JobFolder, make_model: Make, uninterrupted: Callable[[str], JobFolder]
) -> None:
    stopped = make_model(dataset, **LONG)
    for name in (".epoch-0003.state.pt", "epoch-0009.state.pt"):
        (stopped.snapshots / name).write_bytes(b"half")
    with EventLog(stopped.events) as log:
        log.append("state", state="waiting", reason="", resume_from="epoch-0002")
    run_worker(str(stopped.path))
    with EventLog(stopped.events) as log:
        log.append("state", state="waiting", reason="")
    run_worker(str(stopped.path))
    assert_equal_runs(uninterrupted("adam"), stopped)


def test_aborted_validation_is_repeated_and_the_snapshot_has_its_scores(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Validation.scores, iter(range(100))

    def stopping(self: Validation, *arguments: object) -> dict[str, float]:
        if next(calls) == 2:
            raise Aborted
        return real(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Validation, "scores", stopping)
        model = make_model(dataset, epochs=3)
    assert ended(model)["state"] == "aborted"
    run_worker(str(model.path))
    by_name = {snapshot["snapshot"]: snapshot for snapshot in summary(model)["snapshots"]}
    assert by_name["epoch-0002"]["val/l1"] == scalars(model, "val/l1")[12]


def test_weights_that_are_not_finite_are_not_saved(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, steps = Learner.learn, iter(range(1000))

    def with_infinite_weights(self: Learner, *arguments: object) -> torch.Tensor:
        loss = learn(self, *arguments)  # type: ignore[arg-type]
        if next(steps) == 11:
            next(self.net.parameters()).data.fill_(float("inf"))
        return loss

    monkeypatch.setattr(Learner, "learn", with_infinite_weights)
    model = make_model(dataset, epochs=3, validation_interval=10)
    assert "The weights are not finite after step 12" in ended(model)["reason"]
    assert names(model) == {"epoch-0001"}


def test_black_patch_at_the_start_is_not_an_explosion(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, steps = Learner.learn, iter(range(1000))

    def with_zero_first_loss(self: Learner, *arguments: object) -> torch.Tensor:
        loss = learn(self, *arguments)  # type: ignore[arg-type]
        return loss * 0 if next(steps) == 0 else loss

    monkeypatch.setattr(Learner, "learn", with_zero_first_loss)
    assert ended(make_model(dataset, epochs=4))["state"] == "done"


def test_full_disk_is_reported_when_a_snapshot_is_written(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes = Path.write_bytes

    def write_to_full_disk(path: Path, content: bytes) -> int:
        return write_bytes(Path("/dev/full") if "state" in path.name else path, content)

    monkeypatch.setattr(Path, "write_bytes", write_to_full_disk)
    assert ended(make_model(dataset, epochs=1))["reason"].startswith("The disk is full.")


def test_damaged_state_is_reported_with_the_name_of_its_snapshot(
    dataset: JobFolder, make_model: Make
) -> None:
    model = make_model(dataset, epochs=1)
    (model.snapshots / "epoch-0001.state.pt").write_bytes(b"cut short")
    run_worker(str(model.path))
    assert "Snapshot epoch-0001 cannot be resumed from" in ended(model)["reason"]


def test_code_in_a_pickled_state_is_not_run(
    dataset: JobFolder, make_model: Make, tmp_path: Path
) -> None:
    model = make_model(dataset, epochs=1)
    torch.save(
        {"position": {"step": 1}, "trap": Trap(tmp_path / "sprung")},
        model.snapshots / "epoch-0001.state.pt",
    )
    run_worker(str(model.path))
    assert "cannot be resumed from" in ended(model)["reason"]
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


# Errors.


def test_loss_explosion_ends_the_run_with_the_step_the_rate_and_advice(
    dataset: JobFolder, make_model: Make
) -> None:
    solver, policy = {"name": "sgd", "learning_rate": 10}, {"name": "step", "size": 40, "gamma": 1}
    model = make_model(dataset, epochs=9, solver=solver, lr_policy=policy, validation_interval=0.1)
    assert ended(model)["state"] == "error"
    assert (
        "with a learning rate of 10. Train again with a lower base learning rate"
        in ended(model)["reason"]
    )


def test_loss_that_is_not_finite_keeps_the_last_good_snapshot(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, steps = Learner.learn, iter(range(1000))

    def with_nan_loss(self: Learner, *arguments: object) -> torch.Tensor:
        loss = learn(self, *arguments)  # type: ignore[arg-type]
        return loss * float("nan") if next(steps) >= 8 else loss

    monkeypatch.setattr(Learner, "learn", with_nan_loss)
    model = make_model(dataset, epochs=3)
    assert "The loss is not finite at step 9" in ended(model)["reason"]
    assert names(model) == {"epoch-0001"}
    assert snapshots.load(model, "best")[0] == "epoch-0001"


def test_patches_larger_than_the_frames_are_rejected(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, patch_size=80)
    assert ended(model)["reason"].startswith("Patches of 80×80 do not fit into frames of 96×64")


def test_too_little_memory_halves_the_batch_and_keeps_the_losses(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_batch = make_model(dataset, epochs=1, precision="float32")
    backward = Learner._new_gradients

    def with_little_memory(self: Learner, *arguments: object) -> torch.Tensor:
        if self._micro_batch > 2:
            raise torch.OutOfMemoryError("out of memory")
        return backward(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "_new_gradients", with_little_memory)
    halved = make_model(dataset, epochs=1, precision="float32")
    texts = [event["text"] for event in read(halved.events, types=frozenset({"message"}))]
    assert [text.split("in parts of ")[1][0] for text in texts] == ["4", "2"]
    assert scalars(halved, "train/l1") == pytest.approx(scalars(full_batch, "train/l1"), rel=1e-4)


def test_too_little_memory_for_one_patch_ends_the_run(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_memory(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Learner, "_new_gradients", without_memory)
    assert "Choose a smaller batch size" in ended(make_model(dataset, epochs=1))["reason"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize(("device", "reason"), [("cuda", "no GPU 0"), ("cuda:3", "no GPU 3")])
def test_missing_gpu_is_named(
    dataset: JobFolder, make_model: Make, device: str, reason: str
) -> None:
    assert reason in ended(make_model(dataset, device=device))["reason"]


# Settings.

SETTINGS: list[dict[str, Any]] = [
    *(
        {"solver": {"name": name, "weight_decay": 1e-4}}
        for name in ("adamw", "nesterov", "rmsprop", "adagrad", "adadelta")
    ),
    *(
        {"loss": {"name": name}}
        for name in ("l2", "charbonnier", "ssim", "ms-ssim", "ms-ssim-l1", "sobel-l1")
    ),
    *({"channels": name} for name in ("rgb", "ycbcr")),
    {"mean_subtraction": "pixel", "channels": "rgb"},
    {"flips": False, "quarter_turns": True, "accumulation": 2},
    {"precision": "float32", "ema": 0.99},
    {"precision": "float16", "compile": True, "network": {"name": "vdsr", "depth": 2, "maps": 8}},
    {"lr_policy": {"name": "one-cycle"}, "gradient_clip": 0.1},
    *(
        {"network": {"name": name, **small}}
        for name, small in (
            ("srcnn-9-5-5", {"maps1": 8, "maps2": 8}),
            ("ar-cnn", {"maps1": 8, "start": "paper"}),
            ("vrcnn", {"maps": 8}),
            ("vdsr", {"depth": 4, "maps": 8}),
            ("dncnn", {"depth": 4, "maps": 8}),
            ("edsr", {"blocks": 2, "maps": 8, "skip": False}),
        )
    ),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_training_with_settings(
    dataset: JobFolder, make_model: Make, settings: dict[str, object]
) -> None:
    model = make_model(dataset, epochs=1, **settings)
    assert ended(model)["state"] == "done", ended(model)
    loss = str(settings.get("loss", {"name": "l1"})["name"])
    steps = 3 if "accumulation" in settings else 6
    assert len(scalars(model, f"train/{loss}")) == steps
    _, restorer, _ = snapshots.load(model, "last")
    image = torch.rand(1, 3, 20, 28)
    assert restorer(image).shape == image.shape
    assert not torch.equal(restorer(image), image)


def test_accumulated_batches_equal_a_larger_batch(dataset: JobFolder, make_model: Make) -> None:
    large = make_model(dataset, batch_size=8, precision="float32")
    parts = make_model(dataset, batch_size=2, accumulation=4, precision="float32")
    assert scalars(parts, "train/l1") == pytest.approx(scalars(large, "train/l1"), rel=1e-4)


def test_training_starts_from_the_weights_of_another_model(
    dataset: JobFolder, make_model: Make
) -> None:
    first = make_model(dataset, epochs=2)
    second = make_model(dataset, epochs=1, start_from=first.id, start_snapshot="last")
    assert scalars(second, "val/l1")[0] == scalars(first, "val/l1")[12]
    (text,) = [event["text"] for event in read(second.events, types=frozenset({"message"}))]
    assert text == "Starts from epoch-0002 of “model”: 6 of 6 weights."


def test_weights_with_other_shapes_are_not_copied_and_are_named(
    dataset: JobFolder, make_model: Make
) -> None:
    first = make_model(dataset, epochs=1)
    second = make_model(
        dataset, epochs=1, start_from=first.id, network={"name": "srcnn-9-1-5", "maps2": 16}
    )
    (text,) = [event["text"] for event in read(second.events, types=frozenset({"message"}))]
    assert "3 of 6 weights; not copied: conv2.bias, conv2.weight, conv3.weight" in text


def test_training_with_a_grayscale_dataset(
    clip: Clip, make_dataset: Make, make_model: Make
) -> None:
    model = make_model(make_dataset(clip, channels="grayscale"), epochs=1, channels="ycbcr")
    assert ended(model)["state"] == "done"
    assert scalars(model, "val/psnr") == scalars(model, "val/psnr_y")


def test_training_with_several_datasets(clip: Clip, make_dataset: Make, make_model: Make) -> None:
    first, second = make_dataset(clip), make_dataset(clip, frames={"last": 11})
    alone, both = (
        make_model(first, epochs=1),
        make_model(first, epochs=1, more_datasets=[second.id]),
    )
    assert len(scalars(alone, "lr")) < len(scalars(both, "lr"))
    assert scalars(alone, "val/psnr_input") != scalars(both, "val/psnr_input")


def test_colour_and_grayscale_datasets_cannot_be_combined(
    clip: Clip, make_dataset: Make, make_model: Make
) -> None:
    first, second = make_dataset(clip), make_dataset(clip, channels="grayscale")
    model = make_model(first, more_datasets=[second.id])
    assert "Some of the datasets are in colour and some in grayscale" in ended(model)["reason"]


def test_test_split_is_scored_with_the_best_snapshot_at_the_end(
    clip: Clip, make_dataset: Make, make_model: Make
) -> None:
    dataset = make_dataset(clip, test={"method": "blocks", "percent": 10})
    facts = summary(make_model(dataset))
    assert facts["test"]["snapshot"] == facts["best"]["snapshot"]
    assert {"test/l1", "test/psnr", "test/psnr_input", "test/ssim"} <= set(facts["test"])


def test_training_with_frames_of_several_sizes(
    tmp_path: Path, home: Path, make_model: Make
) -> None:
    for side in (40, 48, 56, 64):
        for folder in ("in", "out"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.effect_noise((side, side + 8), 30).convert("RGB").save(
                tmp_path / folder / f"{side}.png"
            )
    source = {"kind": "folders", "input": str(tmp_path / "in"), "target": str(tmp_path / "out")}
    dataset = folders.create(
        home, "dataset", DatasetSpec.model_validate({"name": "sizes", "source": source})
    )
    assert run_worker(str(dataset.path)) == 0
    assert ended(make_model(dataset, epochs=1))["state"] == "done"
    assert (
        "do not fit into frames of 40×48"
        in ended(make_model(dataset, epochs=1, patch_size=44))["reason"]
    )


# Networks and losses from Python files and packages.


def test_network_and_loss_of_a_python_file_require_permission(
    dataset: JobFolder, make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "user_code.py"
    code.write_text(
        "from torch import nn\n"
        "def network(channels): return nn.Conv2d(channels, channels, 3, padding=1)\n"
        "def loss(output, target): return (output - target).abs().mean() * 2\n"
    )
    user_code = {"name": "python", "file": str(code)}
    refused = make_model(dataset, network=user_code, loss=user_code)
    assert "--allow-user-code" in ended(refused)["reason"]
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    model = make_model(dataset, network=user_code, loss=user_code)
    assert ended(model)["state"] == "done"
    assert "train/python" in list(read(model.events, types=frozenset({"scalars"})))[1]["scalars"]


def test_loss_file_with_a_missing_module_ends_with_its_line(
    dataset: JobFolder, make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    code = tmp_path / "user_code.py"
    code.write_text("import torch\nimport no_such_module_anywhere\n")
    model = make_model(dataset, loss={"name": "python", "file": str(code)})
    assert ended(model)["reason"].startswith(f"{code}, line 2: ModuleNotFoundError: No module")


def test_network_that_changes_the_size_is_rejected(
    dataset: JobFolder, make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    (tmp_path / "user_code.py").write_text(
        "from torch import nn\ndef network(channels): return nn.Conv2d(channels, channels, 3)\n"
    )
    model = make_model(dataset, network={"name": "python", "file": str(tmp_path / "user_code.py")})
    assert "the sizes must be equal" in ended(model)["reason"]


def test_missing_entry_point_is_named(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, network={"name": "package", "entry": "missing"})
    assert (
        "No installed package has an entry point missing in clearframe.networks"
        in ended(model)["reason"]
    )


def test_network_and_loss_of_a_package(
    dataset: JobFolder, make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "sample_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[clearframe.networks]\nsample_package = sample_package:network\n"
        "[clearframe.losses]\nsample_package = sample_package:loss\n"
    )
    (tmp_path / "sample_package.py").write_text(
        "from models.definitions.networks import NETWORKS\n"
        "def network(channels): return NETWORKS['vdsr'].graph(channels, depth=3, maps=4)\n"
        "def loss(output, target): return (output - target).square().mean()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    sample_package = {"name": "package", "entry": "sample_package"}
    model = make_model(dataset, network=sample_package, loss=sample_package)
    assert ended(model)["state"] == "done", ended(model)
    assert summary(model)["parameters"] == 9 * 4 + 4 + 9 * 16 + 4 + 9 * 4 + 1


def test_spec_accepts_only_one_length() -> None:
    with pytest.raises(ValueError, match="epochs, steps or minutes"):
        ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh1", "epochs": 3, "steps": 5})
    assert ModelSpec.model_validate({"name": "m", "dataset": "abcdefgh1"}).epochs == 30
