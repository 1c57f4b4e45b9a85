"""Rate-distortion curves of datasets with several rates: in trainings and in tests of a split."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.core import folder as folders
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.stored import metas
from jobs.core.view import empty, fold
from jobs.datasets.pair_sets import Stream
from jobs.datasets.rates import curves_of, scene_names
from jobs.media.rate_distortion import bd_rate
from jobs.run import main as run_worker
from jobs.specs import SplitTest
from tests.support.field_datasets import end_of, run_dataset

QPS = [22, 27, 32, 37]
MakeModel = Callable[..., JobFolder]


@pytest.fixture
def dataset(clip: tuple[Path, Path], home: Path) -> JobFolder:
    """The originals of the clip at four rates."""
    return run_dataset(home, {"kind": "compress", "originals": str(clip[1]), "qp": QPS})


def test_pairs_have_the_bits_of_their_stream(dataset: JobFolder) -> None:
    bits = {meta["sequence"]: meta["bits"] for meta in metas(dataset.store("val"))}
    sizes = {
        path.stem: 8 * path.stat().st_size / 24 for path in (dataset.path / "streams").iterdir()
    }
    assert bits == pytest.approx(sizes, rel=0.02)
    assert {meta["scene"] for meta in metas(dataset.store("train"))} == {"originals"}


def test_a_split_and_a_training_have_the_same_curves(
    dataset: JobFolder, make_model: MakeModel
) -> None:
    model = make_model(
        dataset,
        network={"name": "ecbnet", "start": "starter"},
        channels="y",
        epochs=1,
        # The first validation, of the starter, is better than that of the only snapshot.
        solver={"name": "adam", "learning_rate": 0.03},
    )
    scores = [event["scalars"] for event in read(model.events) if event["type"] == "scalars"]
    losses = [each["val/l1"] or 0 for each in scores if "val/l1" in each]
    assert losses[0] < losses[-1]
    summary = summary_of(model)
    rates = summary["rates"]
    assert rates["snapshot"] == summary["best"]["snapshot"]
    (curve,) = rates["curves"]
    assert (curve["scene"], rates["scenes"]) == ("originals", 1)
    assert [point["rate"] for point in curve["points"]] == ["QP 37", "QP 32", "QP 27", "QP 22"]
    columns = [
        [(point["bits"], point[f"psnr_{side}"]) for point in curve["points"]]
        for side in ("input", "output")
    ]
    assert rates["bd_rate"] == curve["bd_rate"] == bd_rate(*columns)

    test = run_split(model, home_of(dataset))
    tested = summary_of(test)["rates"]
    assert tested["bd_rate"] == pytest.approx(rates["bd_rate"], abs=1e-4)
    # A test that goes on after all rows are in the log has the same curves.
    lines = test.events.read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["type"] != "facts"]
    test.events.write_text("".join(kept[:-1]))
    assert run_worker(str(test.path)) == 0
    assert summary_of(test)["rates"] == tested


def run_split(model: JobFolder, home: Path) -> JobFolder:
    test = folders.create(home, "test", SplitTest(model=model.id))
    assert run_worker(str(test.path)) == 0
    return test


def home_of(job: JobFolder) -> Path:
    return job.path.parent.parent


def summary_of(job: JobFolder) -> Any:
    """The summary, with the facts of the log."""
    view = empty()
    for event in read(job.events):
        view = fold(view, event)
    return view["summary"]


def test_three_rates_and_images_have_no_curves(
    clip: tuple[Path, Path], home: Path, make_model: MakeModel
) -> None:
    source = {"kind": "compress", "originals": str(clip[1]), "qp": QPS[:3]}
    model = make_model(run_dataset(home, source), network={"name": "srcnn-9-1-5"}, epochs=4)
    assert "rates" not in summary_of(model)
    folder = run_dataset(home, {"kind": "folders", "input": str(clip[1]), "target": str(clip[1])})
    assert {meta["bits"] for meta in metas(folder.store("val"))} == {None}
    assert end_of(folder)["state"] == "done"


def test_curves_of_several_scenes_have_the_mean_bd_rate() -> None:
    streams = [Stream("store", scene, f"QP {qp}", 1e5 / qp) for scene in "ab" for qp in QPS]
    psnrs = np.tile(45 - np.array(QPS) / 3, 2)
    outputs = psnrs + np.repeat([0.2, 0.4], 4)
    curves = curves_of(streams, 2 * np.array([psnrs, outputs, np.ones(8)]).T)
    assert curves is not None
    each = [curve["bd_rate"] or 0 for curve in curves["curves"]]
    assert each[1] < each[0] < 0
    assert curves["bd_rate"] == pytest.approx(sum(each) / 2)


def test_scenes_have_different_names() -> None:
    names = scene_names(["/a/frames", "/b/frames", "/c/clip.y4m", "/a/frames"])
    assert names == {"/a/frames": "frames", "/b/frames": "frames (2)", "/c/clip.y4m": "clip.y4m"}
