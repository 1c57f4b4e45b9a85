"""A channel of a layer, requested after the test."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.core import folder as folders
from jobs.core.errors import JobError
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.inference import image as image_test
from jobs.networks import snapshots
from jobs.networks.channel import show_channel
from jobs.networks.pictures import as_tensor
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec, ImageTest, ModelSpec
from models.central_part import middle
from models.inspection import watch_layers

Clip = tuple[Path, Path]

STRIDED = """
layer { name: "down" type: "Convolution" bottom: "data" top: "down"
        convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "down" top: "down" }
layer { name: "up" type: "Deconvolution" bottom: "down" top: "up"
        convolution_param { num_output: 3 kernel_size: 6 stride: 2 pad: 1 } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop"
        crop_param { axis: 2 offset: 1 } }
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> JobFolder:
    home = tmp_path_factory.mktemp("channel") / "home"
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    dataset = folders.create(
        home, "dataset", DatasetSpec.model_validate({"name": "clip", "source": source})
    )
    run_worker(str(dataset.path))
    small = {"steps": 4, "epochs": None, "batch_size": 4, "patch_size": 32, "patches_per_frame": 1}
    network = {"name": "custom", "prototxt": STRIDED}
    spec = {
        "name": "strided",
        "dataset": dataset.id,
        "channels": "rgb",
        "network": network,
        **small,
    }
    folder = folders.create(home, "model", ModelSpec.model_validate(spec))
    assert run_worker(str(folder.path)) == 0
    return folder


def run_test(model: JobFolder, image: Path) -> tuple[JobFolder, ImageTest]:
    spec = ImageTest.model_validate({"model": model.id, "image": str(image)})
    folder = folders.create(model.path.parent.parent, "test", spec)
    assert run_worker(str(folder.path)) == 0
    return folder, spec


@pytest.fixture
def image(clip: Clip, tmp_path: Path) -> Path:
    path = tmp_path / "image.bmp.gz"
    shutil.copy(clip[1] / "000003.bmp.gz", path)
    return path


@pytest.fixture
def test(model: JobFolder, image: Path) -> tuple[JobFolder, ImageTest]:
    return run_test(model, image)


def layers(folder: JobFolder) -> list[dict[str, Any]]:
    return list(read(folder.events, types=frozenset({"layer"})))


def computed(model: JobFolder, folder: JobFolder, layer: str) -> np.ndarray[Any, Any]:
    """Compute the output of a layer for the test's input, independently of `show_channel`."""
    _, restorer, _ = snapshots.load(model, "best")
    outputs = []
    image = as_tensor(np.asarray(Image.open(folder.path / "results" / "input.png")))[None] / 255
    with (
        torch.inference_mode(),
        watch_layers(
            restorer.net, lambda name, _, output: outputs.append((name, output[0].numpy()))
        ),
    ):
        restorer(image)
    return dict(outputs)[layer]


def test_a_channel_has_a_full_size_picture_and_statistics(
    model: JobFolder, test: tuple[JobFolder, ImageTest]
) -> None:
    folder, spec = test
    (number,) = (layer["index"] for layer in layers(folder) if layer["name"] == "down")
    answer = show_channel(folder, spec, number, 4)
    values = computed(model, folder, "down")[4]
    assert (answer["height"], answer["width"]) == values.shape == (32, 48)
    assert (answer["low"], answer["high"]) == (float(values.min()), float(values.max()))
    assert (answer["mean"], answer["std"]) == (
        pytest.approx(values.mean(), abs=1e-4),
        pytest.approx(values.std(), rel=1e-3),
    )
    path = folder.path / answer["picture"].split("/files/")[1]
    pixels = answer["low"] + np.asarray(Image.open(path)) / 255 * (answer["high"] - answer["low"])
    assert np.abs(pixels - values).max() <= (answer["high"] - answer["low"]) / 255 / 2 + 1e-3
    assert json.loads(path.with_suffix(".json").read_text()) == answer


def test_the_strongest_positions_have_their_receptive_fields(
    model: JobFolder, test: tuple[JobFolder, ImageTest]
) -> None:
    folder, spec = test
    (number,) = (layer["index"] for layer in layers(folder) if layer["name"] == "down")
    answer = show_channel(folder, spec, number, 2)
    values = computed(model, folder, "down")[2]
    places = answer["strongest"]
    assert answer["field"] == [4, 4]
    # The first and last places see the padding.
    assert places[0]["value"] == values[1:-1, 1:-1].max()
    assert 1 < len(places) <= 9
    assert [place["value"] for place in places] == sorted(
        (place["value"] for place in places), reverse=True
    )
    for place in places:
        assert values[place["y"], place["x"]] == place["value"]
        assert (place["sees"]["left"], place["sees"]["width"]) == (2 * place["x"] - 1, 4)
        assert (place["sees"]["top"], place["sees"]["height"]) == (2 * place["y"] - 1, 4)
    pixels = [
        {
            (x, y)
            for x in range(box["left"], box["left"] + box["width"])
            for y in range(box["top"], box["top"] + box["height"])
        }
        for box in (place["sees"] for place in places)
    ]
    assert len(set.union(*pixels)) == sum(map(len, pixels)), "receptive fields overlap"


def test_where_all_places_see_the_padding_all_of_them_count(
    model: JobFolder, tmp_path: Path
) -> None:
    path = tmp_path / "small.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (2, 2, 3), np.uint8)).save(path)
    folder, spec = run_test(model, path)
    (number,) = (layer["index"] for layer in layers(folder) if layer["name"] == "down")
    answers = [show_channel(folder, spec, number, channel) for channel in range(6)]
    assert any(answer["low"] < answer["high"] for answer in answers) == any(
        answer["strongest"] for answer in answers
    )


def test_a_channel_needs_the_model_but_not_the_image_file(
    model: JobFolder, test: tuple[JobFolder, ImageTest], image: Path
) -> None:
    folder, spec = test
    image.unlink()
    assert show_channel(folder, spec, 2, 0)["width"] == 48
    with pytest.raises(JobError, match="The model was deleted"):
        show_channel(folder, spec.model_copy(update={"model": "0" * 22}), 2, 0)


@pytest.mark.parametrize(
    ("layer", "channel", "message"),
    [
        (99, 0, "The network has no layer 99: it has "),
        (0, 0, "The network has no layer 0"),
        (2, 6, "has no channel 6: it has 6, counted"),
    ],
)
def test_a_missing_layer_or_channel_is_an_error(
    test: tuple[JobFolder, ImageTest], layer: int, channel: int, message: str
) -> None:
    with pytest.raises(JobError, match=message):
        show_channel(*test, layer, channel)


def test_only_the_middle_of_a_large_image_is_shown(
    model: JobFolder, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_test, "middle", lambda restorer, shape, _: middle(restorer, shape, 1))
    folder, spec = run_test(model, image)
    (facts,) = read(folder.events, types=frozenset({"facts"}))
    part = facts["layers_of"]
    assert (part["width"], part["height"], part["left"], part["top"]) == (64, 64, 16, 0)
    (down,) = (layer for layer in layers(folder) if layer["name"] == "down")
    assert down["shape"] == [6, 32, 32]
    answer = show_channel(folder, spec, down["index"], 1)
    assert (answer["width"], answer["height"]) == (32, 32)
    for place in answer["strongest"]:
        # Coordinates are those of the whole input, which the page shows.
        assert place["sees"]["left"] == 16 + max(0, 2 * place["x"] - 1)
    run_worker(str(folder.path))
    assert not list(folder.path.glob("layers/*.json")), "a test that ran again kept old answers"
