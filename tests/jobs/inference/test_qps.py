"""The QPs that networks get in tests, shown by a network that returns them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.datasets.store import PairReader
from jobs.media.images import Picture, read_image
from jobs.media.qp_maps import QpMap
from jobs.media.quality import psnr
from jobs.media.video import frames
from jobs.networks.channel import show_channel
from jobs.run import main as run_worker
from jobs.specs import ImagesTest, ImageTest, SplitTest
from tests.support.field_datasets import run_dataset
from tests.support.qp_network import UNTRAINED, python_file

Clip = tuple[Path, Path]
QP_OF_QUALITY_50 = 28
"""The QP with the steps of JPEG's tables at quality 50."""


@pytest.fixture
def dataset(clip: Clip, home: Path) -> JobFolder:
    """The originals of the clip at a CRF, so that the QPs vary within each frame."""
    return run_dataset(home, {"kind": "compress", "originals": str(clip[1]), "crf": [30]})


@pytest.fixture
def model(
    dataset: JobFolder,
    make_model: Callable[..., JobFolder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> JobFolder:
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    return make_model(dataset, network=python_file(tmp_path), **UNTRAINED)


def run(model: JobFolder, spec: ImageTest | ImagesTest | SplitTest) -> JobFolder:
    test = folders.create(model.path.parent.parent, "test", spec)
    assert run_worker(str(test.path)) == 0, last_state(test.events)
    return test


def image_test(model: JobFolder, **fields: Any) -> JobFolder:
    return run(model, ImageTest.model_validate({"model": model.id, **fields}))


def output_of(test: JobFolder) -> Picture:
    return read_image(test.path / "results" / "output.png")


def rows_of(test: JobFolder) -> list[Any]:
    return [
        row for event in read(test.events) if event["type"] == "results" for row in event["rows"]
    ]


def shown(map: QpMap) -> Picture:
    """What the network makes of a map of a frame of 96x64."""
    plane = np.repeat(np.repeat(5 * map, 16, 0), 16, 1)
    return np.repeat(plane[:, :, None], 3, 2)


def map_of(stream: Path, number: int) -> QpMap:
    map = [frame.coding.qp for frame in frames(stream, qps=True)][number]
    assert map is not None
    return map


def test_a_pair_has_the_qps_of_the_dataset(model: JobFolder, dataset: JobFolder) -> None:
    test = image_test(model, pair=1)
    reader = PairReader(dataset.store("val"))
    plane, (input, target) = reader.qp_plane(1), reader[1]
    reader.close()
    output = np.repeat(plane, 3, 2)
    assert len(np.unique(plane)) > 1
    assert np.array_equal(output_of(test), output)
    assert np.array_equal(read_image(test.path / "results" / "input.png"), input)
    (sample,) = [event for event in read(test.events) if event["type"] == "sample"]
    assert sample["psnr_output"] == pytest.approx(psnr(output, target), abs=1e-3)
    assert sample["psnr_input"] == pytest.approx(psnr(input, target), abs=1e-3)
    spec = ImageTest(model=model.id, pair=1)
    channel = show_channel(test, spec, layer=1, channel=0)
    assert channel["high"] == pytest.approx(plane.max() / 255, abs=1e-4)


def test_a_frame_of_a_stream_has_its_qps(model: JobFolder, dataset: JobFolder) -> None:
    stream = dataset.path / "streams" / "crf30.h264"
    test = image_test(model, stream=str(stream), frame=5, layers=False)
    assert np.array_equal(output_of(test), shown(map_of(stream, 5)))


def test_the_qps_of_an_image_are_unknown(model: JobFolder, clip: Clip) -> None:
    test = image_test(model, image=str(clip[1] / "000003.bmp.gz"))
    assert not output_of(test).any()


def messages(test: JobFolder) -> list[str]:
    return [event["text"] for event in read(test.events) if event["type"] == "message"]


def test_an_assumed_qp_stands_for_unknown_ones_only(
    model: JobFolder, dataset: JobFolder, clip: Clip
) -> None:
    image, stream = str(clip[1] / "000003.bmp.gz"), dataset.path / "streams" / "crf30.h264"
    unknown, assumed = image_test(model, image=image), image_test(model, image=image, qp=27)
    assert ["is unknown" in text for text in messages(unknown)] == [True]
    assert messages(assumed) == []
    assert (output_of(assumed) == 5 * 27).all()
    test = image_test(model, stream=str(stream), frame=5, layers=False, qp=27)
    assert np.array_equal(output_of(test), shown(map_of(stream, 5)))
    test = run(model, ImagesTest(model=model.id, images=[image], targets=str(clip[1]), qp=27))
    (row,) = rows_of(test)
    assert row["psnr_output"] == pytest.approx(
        psnr(np.full_like(read_image(Path(image)), 5 * 27), read_image(Path(image))), abs=1e-3
    )
    assert "notes" not in row


def test_a_qp_for_a_network_that_takes_none_is_refused(
    dataset: JobFolder, make_model: Callable[..., JobFolder], clip: Clip
) -> None:
    model = make_model(dataset, network={"name": "srcnn-9-1-5"}, epochs=1)
    spec = ImageTest(model=model.id, image=str(clip[1] / "000003.bmp.gz"), qp=27)
    test = folders.create(model.path.parent.parent, "test", spec)
    assert run_worker(str(test.path)) == 1
    state = last_state(test.events)
    assert state is not None
    assert state["reason"] == "This model does not take the QP. Leave the QP to assume out."


def test_a_jpeg_has_the_qp_of_its_tables(model: JobFolder, clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(read_image(clip[1] / "000003.bmp.gz")).save(path, quality=50)
    assert (output_of(image_test(model, image=str(path))) == 5 * QP_OF_QUALITY_50).all()
    test = run(model, ImagesTest.model_validate({"model": model.id, "images": [str(path)]}))
    (row,) = rows_of(test)
    assert "why" not in row


def test_a_split_has_the_qps_of_its_pairs(model: JobFolder, dataset: JobFolder) -> None:
    test = run(model, SplitTest(model=model.id, split="val"))
    rows = rows_of(test)
    reader = PairReader(dataset.store("val"))
    expected = [
        psnr(np.repeat(reader.qp_plane(number), 3, 2), reader[number][1])
        for number in range(len(reader))
    ]
    reader.close()
    assert [row["psnr_output"] for row in rows] == pytest.approx(expected, abs=1e-3)


def test_many_images_have_unknown_qps(model: JobFolder, clip: Clip) -> None:
    paths = [str(clip[1])]
    test = run(model, ImagesTest.model_validate({"model": model.id, "images": paths}))
    rows = rows_of(test)
    assert len(rows) == 24
    assert not [row for row in rows if "why" in row]
    assert all("QP is unknown" in note for row in rows for note in row["notes"])
