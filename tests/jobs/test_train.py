"""Training jobs and test jobs, small and whole."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from jobs import folder as folders
from jobs.errors import JobError
from jobs.events import EventLog, last_state, read
from jobs.folder import JobFolder
from jobs.images import read_image
from jobs.patches import Frames, Patches
from jobs.report import Report
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec
from jobs.specs import TestSpec as Spec
from jobs.store import PairReader
from jobs.train import log_step

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


@pytest.fixture
def dataset(clip: Clip, make_dataset: Make) -> JobFolder:
    return make_dataset(clip)


def scalars(folder: JobFolder, key: str) -> dict[int, float]:
    events = read(folder.events, types=frozenset({"scalars"}))
    return {event["step"]: event["scalars"][key] for event in events if key in event["scalars"]}


def test_a_training_reports_and_snapshots_every_epoch(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, epochs=3)
    assert last_state(model.events)["state"] == "done"  # type: ignore[index]
    assert sorted(scalars(model, "val/l1")) == [0, 6, 12, 18]
    assert len(set(scalars(model, "val/psnr_input").values())) == 1
    assert {path.name for path in model.snapshots.glob("*.safetensors")} == {f"epoch-000{n}.safetensors" for n in (1, 2, 3)}


def test_the_first_output_is_the_input(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, epochs=1)
    assert scalars(model, "val/psnr")[0] == pytest.approx(scalars(model, "val/psnr_input")[0], abs=0.01)


def test_the_rate_decays_over_the_run(dataset: JobFolder, make_model: Make) -> None:
    rates = list(scalars(make_model(dataset, epochs=3), "lr").values())
    assert rates == sorted(rates, reverse=True)
    assert 0.98e-4 < rates[-1] < 1.3e-4


def test_two_runs_with_one_seed_are_equal(dataset: JobFolder, make_model: Make) -> None:
    first, second = make_model(dataset, seed=3), make_model(dataset, seed=3)
    assert scalars(first, "val/l1") == scalars(second, "val/l1")
    other = make_model(dataset, seed=4)
    assert scalars(first, "val/l1") != scalars(other, "val/l1")


def test_a_resumed_training_ends_as_one_that_was_never_stopped(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_model(dataset, epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.train.validate", _die_at_epoch(2))
        with pytest.raises(RuntimeError, match="killed"):
            make_model(dataset, epochs=3)
    cut = JobFolder(max(path for path in dataset.path.parent.iterdir()))
    assert not (cut.snapshots / "epoch-0002.safetensors").exists()
    run_worker(str(cut.path))
    assert last_state(cut.events)["state"] == "done"  # type: ignore[index]
    a, b = (load_file(folder.snapshots / "epoch-0003.safetensors") for folder in (whole, cut))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert scalars(whole, "val/l1") == scalars(cut, "val/l1")


def _die_at_epoch(number: int) -> Callable[..., dict[str, float]]:
    from jobs.train import validate

    calls = iter(range(100))

    def dying(*arguments: object) -> dict[str, float]:
        if next(calls) == number:
            raise RuntimeError("killed")
        return validate(*arguments)  # type: ignore[arg-type]

    return dying


def test_a_time_budget_ends_the_run(dataset: JobFolder, make_model: Make) -> None:
    model = make_model(dataset, epochs=None, minutes=0.05)
    state = last_state(model.events)
    assert state is not None
    assert state["state"] == "done"
    assert 3 <= state["summary"]["seconds"] < 10
    assert list(scalars(model, "lr").values())[-1] < 3e-4


def test_a_loss_that_is_no_number_stops_the_run_with_step_rate_and_advice(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        with pytest.raises(JobError, match=r"step 7, with a learning rate of 0\.5.*lower base learning rate"):
            log_step(Report(log), step=7, epoch=0.5, mean=(float("nan"), 100.0), rate=0.5)
        assert not list(read(tmp_path / "events.jsonl"))


def test_patches_larger_than_the_frames_are_refused(dataset: JobFolder, make_model: Make) -> None:
    state = last_state(make_model(dataset, patch_size=80).events)
    assert state is not None
    assert state["reason"].startswith("Patches of 80x80 do not fit into frames of 96x64")


def test_patches_of_a_pair_are_cut_and_turned_together(dataset: JobFolder) -> None:
    frames = Frames(dataset.store("train"))
    frames._held = [(input, input + 1) for input, _ in (frames[n] for n in range(len(frames)))]
    for input, target in Patches(frames, size=24, batch_size=5, per_frame=2, seed=0).epoch(0):
        assert torch.equal(input + 1, target)


def test_each_frame_gives_its_share_of_patches(dataset: JobFolder) -> None:
    frames = Frames(dataset.store("train"))
    patches = Patches(frames, size=24, batch_size=5, per_frame=2, seed=0)
    sizes = [len(input) for input, _ in patches.epoch(0)]
    assert (sum(sizes), len(sizes)) == (2 * len(frames), patches.batches)


# Test jobs.


@pytest.fixture
def model(dataset: JobFolder, make_model: Make) -> JobFolder:
    return make_model(dataset)


def run_test(model: JobFolder, **fields: object) -> JobFolder:
    folder = folders.create(model.path.parent.parent, "test", Spec.model_validate({"model": model.id, **fields}))
    run_worker(str(folder.path))
    return folder


def test_a_validation_pair_is_restored_and_every_layer_shown(model: JobFolder, dataset: JobFolder) -> None:
    test = run_test(model, pair=1)
    events = list(read(test.events))
    (sample,) = [event for event in events if event["type"] == "sample"]
    layers = [event for event in events if event["type"] == "layer"]
    assert [layer["name"] for layer in layers] == ["conv1", "relu1", "conv2", "relu2", "conv3"]
    assert [layer["shape"][0] for layer in layers] == [64, 64, 32, 32, 3]
    assert sample["seq"] < layers[0]["seq"], "the output comes before the layers"
    for url in [sample["output"], *(layer["picture"] for layer in layers)]:
        with Image.open(test.path / url.split("/files/")[1]) as picture:
            assert picture.format == "PNG"
    input, _ = PairReader(dataset.store("val"))[1]
    assert np.array_equal(np.asarray(Image.open(test.path / "results" / "input.png")), input)
    assert sample["psnr_output"] != sample["psnr_input"]


def test_without_truth_there_is_no_score_and_without_layers_none(model: JobFolder, clip: Clip) -> None:
    test = run_test(model, image=str(clip[1] / "000003.bmp.gz"), layers=False)
    events = list(read(test.events))
    (sample,) = [event for event in events if event["type"] == "sample"]
    assert (sample["target"], sample["psnr_output"], sample["ssim_output"]) == (None, None, None)
    assert not [event for event in events if event["type"] == "layer"]


def test_any_size_is_restored_at_its_own_size(model: JobFolder, tmp_path: Path) -> None:
    Image.new("RGB", (37, 53), "teal").save(tmp_path / "odd.png")
    test = run_test(model, image=str(tmp_path / "odd.png"), layers=False)
    with Image.open(test.path / "results" / "output.png") as output:
        assert output.size == (37, 53)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("words.png", lambda path: path.write_text("no image"), "words.png is no image that can be read"),
        ("deep.png", lambda path: Image.new("I;16", (20, 20)).save(path), "more than 8 bits"),
        ("clear.png", lambda path: Image.new("RGBA", (20, 20)).save(path), "has transparency"),
    ],
)
def test_what_is_no_image_is_refused_with_its_name(
    model: JobFolder, tmp_path: Path, name: str, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / name)
    state = last_state(run_test(model, image=str(tmp_path / name)).events)
    assert state is not None
    assert reason in state["reason"]
    assert name in state["reason"]


def test_a_truth_of_another_size_is_refused(model: JobFolder, tmp_path: Path) -> None:
    for name, size in (("a.png", (20, 20)), ("b.png", (20, 24))):
        Image.new("RGB", size).save(tmp_path / name)
    state = last_state(run_test(model, image=str(tmp_path / "a.png"), target=str(tmp_path / "b.png")).events)
    assert state is not None
    assert "20x24, but the image is 20x20" in state["reason"]


def test_a_snapshot_that_is_gone_is_named(model: JobFolder) -> None:
    (model.snapshots / "epoch-0001.safetensors").unlink()
    state = last_state(run_test(model, pair=0, snapshot="epoch-0001").events)
    assert state is not None
    assert "Snapshot epoch-0001 cannot be read" in state["reason"]


def test_a_grayscale_dataset_trains_and_restores(clip: Clip, home: Path, make_dataset: Make, make_model: Make) -> None:
    model = make_model(make_dataset(clip, channels="grayscale"), epochs=1)
    assert last_state(model.events)["state"] == "done"  # type: ignore[index]
    spec = Spec.model_validate({"model": model.id, "image": str(clip[1] / "000003.bmp.gz")})
    test = folders.create(home, "test", spec)
    assert run_worker(str(test.path)) == 0, last_state(test.events)
    assert read_image(test.path / "results" / "output.png", keep_gray=True).shape == (64, 96, 1)


def test_a_dataset_of_patches_and_of_several_sizes_trains(tmp_path: Path, home: Path, make_model: Make) -> None:
    for side in (40, 48, 56, 64):
        for folder in ("in", "out"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.effect_noise((side, side + 8), 30).convert("RGB").save(tmp_path / folder / f"{side}.png")
    source = {"kind": "folders", "input": str(tmp_path / "in"), "target": str(tmp_path / "out")}
    dataset = folders.create(home, "dataset", DatasetSpec.model_validate({"name": "sizes", "source": source}))
    assert run_worker(str(dataset.path)) == 0
    assert last_state(make_model(dataset, epochs=1).events)["state"] == "done"  # type: ignore[index]
    too_large = last_state(make_model(dataset, epochs=1, patch_size=44).events)
    assert "do not fit into frames of 40x48" in too_large["reason"]  # type: ignore[index]
