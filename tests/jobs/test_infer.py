"""Test jobs: one image through a trained network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs import folder as folders
from jobs.events import last_state, read
from jobs.folder import JobFolder
from jobs.images import read_image
from jobs.run import main as run_worker
from jobs.specs import TestSpec as Spec
from jobs.store import PairReader

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


@pytest.fixture
def dataset(clip: Clip, make_dataset: Make) -> JobFolder:
    return make_dataset(clip)


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
    assert [layer["name"] for layer in layers] == ["conv1", "relu1", "conv2", "relu2", "conv3", "sum"]
    assert [layer["shape"][0] for layer in layers] == [64, 64, 32, 32, 1, 1]
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
