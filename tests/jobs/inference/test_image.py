"""Tests of the test job for one image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.datasets.store import PairReader
from jobs.inference.image import read_pair
from jobs.media.images import read_image
from jobs.media.video import decode
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec, ModelSpec
from jobs.specs import ImageTest as Spec

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


@pytest.fixture(scope="module")
def dataset(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    spec = DatasetSpec.model_validate({"name": "clip", "source": source})
    return run(folders.create(tmp_path_factory.mktemp("images") / "home", "dataset", spec))


@pytest.fixture(scope="module")
def model(dataset: JobFolder) -> JobFolder:
    small = {"epochs": 2, "batch_size": 8, "patch_size": 32, "patches_per_frame": 2}
    spec = ModelSpec.model_validate({"name": "model", "dataset": dataset.id, **small})
    return run(folders.create(dataset.path.parent.parent, "model", spec))


def run(folder: JobFolder) -> JobFolder:
    run_worker(str(folder.path))
    return folder


def run_test(model: JobFolder, **fields: object) -> JobFolder:
    return run(
        folders.create(
            model.path.parent.parent, "test", Spec.model_validate({"model": model.id, **fields})
        )
    )


def reason_of(test: JobFolder) -> str:
    state = last_state(test.events)
    assert state is not None
    assert state["state"] == "error"
    return str(state["reason"])


def messages_of(test: JobFolder) -> list[str]:
    return [event["text"] for event in read(test.events) if event["type"] == "message"]


def test_validation_pair_is_restored_and_all_layers_are_written(
    model: JobFolder, dataset: JobFolder
) -> None:
    test = run_test(model, pair=1)
    events = list(read(test.events))
    (sample,) = [event for event in events if event["type"] == "sample"]
    layers = [event for event in events if event["type"] == "layer"]
    assert [layer["name"] for layer in layers] == [
        "conv1",
        "relu1",
        "conv2",
        "relu2",
        "conv3",
        "sum",
    ]
    assert [layer["shape"][0] for layer in layers] == [64, 64, 32, 32, 1, 1]
    assert sample["seq"] < layers[0]["seq"], "the output is logged before the layers"
    for url in [sample["output"], *(layer["picture"] for layer in layers)]:
        with Image.open(test.path / url.split("/files/")[1]) as picture:
            assert picture.format == "PNG"
    input, _ = PairReader(dataset.store("val"))[1]
    assert np.array_equal(np.asarray(Image.open(test.path / "results" / "input.png")), input)
    assert sample["psnr_output"] != sample["psnr_input"]


def test_image_without_ground_truth_and_without_layers(model: JobFolder, clip: Clip) -> None:
    test = run_test(model, image=str(clip[1] / "000003.bmp.gz"), layers=False)
    events = list(read(test.events))
    (sample,) = [event for event in events if event["type"] == "sample"]
    assert (sample["target"], sample["psnr_output"], sample["ssim_output"]) == (None, None, None)
    assert not [event for event in events if event["type"] == "layer"]


def test_output_has_the_size_of_the_image(model: JobFolder, tmp_path: Path) -> None:
    Image.new("RGB", (37, 53), "teal").save(tmp_path / "odd.png")
    test = run_test(model, image=str(tmp_path / "odd.png"), layers=False)
    with Image.open(test.path / "results" / "output.png") as output:
        assert output.size == (37, 53)


def test_frame_of_a_stream_is_restored_and_measured(model: JobFolder, clip: Clip) -> None:
    original = sorted(clip[1].iterdir())[17]
    test = run_test(model, stream=str(clip[0]), frame=17, target=str(original), layers=False)
    (sample,) = [event for event in read(test.events) if event["type"] == "sample"]
    assert np.array_equal(
        np.asarray(Image.open(test.path / "results" / "input.png")), list(decode(clip[0]))[17]
    )
    assert (sample["psnr_input"] or 0) > 20, "the original belongs to the frame"
    assert sample["seconds"] > 0


@pytest.mark.parametrize(
    ("cut", "frame", "reason"),
    [
        (None, 24, "clip.h264 has no frame 24. Give a frame from 0 to 23."),
        (0.5, 23, "cut.h264 has no frame 23. Give a frame from 0 to "),
        (0.0, 0, "No frame of cut.h264 could be decoded."),
    ],
)
def test_missing_frame_is_rejected(
    model: JobFolder, clip: Clip, tmp_path: Path, cut: float | None, frame: int, reason: str
) -> None:
    stream = clip[0]
    if cut is not None:
        content = stream.read_bytes()
        stream = tmp_path / "cut.h264"
        stream.write_bytes(content[: max(int(cut * len(content)), 40)])
    assert reason in reason_of(run_test(model, stream=str(stream), frame=frame))


def test_file_that_is_not_an_image_is_rejected(model: JobFolder, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    assert "text.png cannot be read as an image" in reason_of(
        run_test(model, image=str(tmp_path / "text.png"))
    )


def test_conversion_of_an_image_is_reported(model: JobFolder, tmp_path: Path) -> None:
    Image.new("I;16", (20, 20), 30_000).save(tmp_path / "deep.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "truth.png")
    test = run_test(
        model, image=str(tmp_path / "deep.png"), target=str(tmp_path / "truth.png"), layers=False
    )
    assert messages_of(test) == ["deep.png has 16 bits per value, rounded to 8 for the network."]
    assert np.asarray(Image.open(test.path / "results" / "input.png"))[0, 0].tolist() == [
        117,
        117,
        117,
    ]


def test_ground_truth_of_another_size_is_rejected(model: JobFolder, tmp_path: Path) -> None:
    for name, size in (("a.png", (20, 20)), ("b.png", (20, 24))):
        Image.new("RGB", size).save(tmp_path / name)
    test = run_test(model, image=str(tmp_path / "a.png"), target=str(tmp_path / "b.png"))
    assert "20×24, but the image is 20×20" in reason_of(test)


def test_missing_snapshot_is_reported_with_the_existing_snapshots(model: JobFolder) -> None:
    weights = model.snapshots / "epoch-0001.safetensors"
    renamed = weights.rename(weights.with_suffix(".kept"))
    assert "Snapshot epoch-0001" in reason_of(run_test(model, pair=0, snapshot="epoch-0001"))
    renamed.rename(weights)
    reason = reason_of(run_test(model, pair=0, snapshot="epoch-0007"))
    assert reason == (
        "Snapshot epoch-0007 does not exist. Choose another snapshot: best, epoch-0002, epoch-0001."
    )


def test_grayscale_network_reports_that_it_uses_the_brightness(
    clip: Clip, model: JobFolder
) -> None:
    messages: list[str] = []
    spec = Spec.model_validate({"model": model.id, "image": str(clip[1] / "000003.bmp.gz")})
    input, target = read_pair(model, [], spec, 1, messages.append)
    assert (input.shape, target) == ((64, 96, 1), None)
    assert "brightness" in messages[0]


def test_training_and_restoration_with_a_grayscale_dataset(
    clip: Clip, home: Path, make_dataset: Make, make_model: Make
) -> None:
    model = make_model(make_dataset(clip, channels="grayscale"), epochs=1)
    assert last_state(model.events)["state"] == "done"
    spec = Spec.model_validate({"model": model.id, "image": str(clip[1] / "000003.bmp.gz")})
    test = folders.create(home, "test", spec)
    assert run_worker(str(test.path)) == 0, last_state(test.events)
    assert read_image(test.path / "results" / "output.png", keep_gray=True).shape == (64, 96, 1)
