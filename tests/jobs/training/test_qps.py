"""The plane with the QPs in trainings: patches, validation and samples."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.datasets.pair_sets import PairSet
from jobs.datasets.store import PairReader
from jobs.media.images import read_image
from jobs.training.patches import BLIND, Plan, cut, pixel_indices
from jobs.training.placement import place
from jobs.training.ranks import Ranks
from tests.support.field_datasets import run_dataset
from tests.support.qp_network import UNTRAINED, python_file

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]
CPU = torch.device("cpu")


@pytest.fixture
def dataset(clip: Clip, home: Path) -> JobFolder:
    """The originals of the clip at a CRF, so that the QPs vary within each frame."""
    return run_dataset(home, {"kind": "compress", "originals": str(clip[1]), "crf": [30]})


def test_inputs_have_the_plane_on_request(dataset: JobFolder) -> None:
    reader = PairReader(dataset.store("train"))
    stored = [(reader[number][0], reader.qp_plane(number)) for number in range(len(reader))]
    reader.close()
    with PairSet.of(dataset, [dataset.id], "train", qps=True) as pairs:
        for (input, target), (picture, plane) in zip(pairs, stored, strict=True):
            assert (input.shape, target.shape) == ((64, 96, 4), (64, 96, 3))
            assert np.array_equal(input[:, :, :3].numpy(), picture)
            assert np.array_equal(input[:, :, 3:].numpy(), plane)
        assert pairs.bytes() == len(pairs) * 64 * 96 * 7
    assert any(len(np.unique(plane)) > 1 for _, plane in stored)


def test_the_typical_qp_is_that_of_the_mean_quantiser_step(clip: Clip, home: Path) -> None:
    source = {"kind": "compress", "originals": str(clip[1]), "qp": [20, 38]}
    dataset = run_dataset(home, source)
    unknown = run_dataset(home, {"kind": "folders", "input": str(clip[1]), "target": str(clip[1])})
    with PairSet.of(dataset, [dataset.id], "train") as pairs:
        means = np.array([pairs.meta(number)["qp_mean"] for number in range(len(pairs))])
        assert means.max() - means.min() > 15
        assert 2 ** (pairs.typical_qp() / 6) == pytest.approx((2 ** (means / 6)).mean())
    with PairSet.of(unknown, [unknown.id], "train") as pairs:
        assert pairs.typical_qp() == 0


def test_all_placements_give_the_same_patches_a_third_of_them_blind(dataset: JobFolder) -> None:
    with PairSet.of(dataset, [dataset.id], "train", qps=True) as pairs:
        # Two windows per epoch.
        plan = Plan(pairs.sizes, 32, 6, 8, 0, True, True, bytes_per_pixel=1200, qps=True)
        near, far = (
            list(islice(place(pairs, plan, CPU, Ranks(), where).batches(0), 3 * plan.steps))
            for where in ("device", "disk")
        )
        steps = (
            cuts for window, before in plan.windows(0) for cuts in plan.batches(window, before)
        )
        blind = []
        for (input, target), (other_input, other_target), cuts in zip(
            near, far, steps, strict=False
        ):
            assert torch.equal(input, other_input)
            assert torch.equal(target, other_target)
            for patch, turn, pair, at in zip(
                input, cuts.turn.tolist(), cuts.pair.tolist(), range(len(cuts)), strict=True
            ):
                indices = pixel_indices(cuts[at : at + 1], 32, torch.full((len(pairs),), 96))
                expected = cut(pairs[pair][0].flatten(0, 1), indices)[0]
                assert torch.equal(patch[:3], expected[:3])
                assert torch.equal(patch[3], expected[3] * (not turn & BLIND))
                blind.append(bool(turn & BLIND))
    assert len(near) == len(far) == 3 * plan.steps
    assert 0.25 < sum(blind) / len(blind) < 0.42


def test_the_plane_changes_neither_the_places_of_patches_nor_their_order() -> None:
    plans = [Plan([(64, 96)] * 9, 32, 6, 8, 3, bytes_per_pixel=6, qps=qps) for qps in (False, True)]
    for (window, _), (other, _) in islice(
        zip(*(plan.windows(0) for plan in plans), strict=True), 3
    ):
        assert torch.equal(window.order, other.order)
        for name in ("pair", "top", "left"):
            assert torch.equal(getattr(window.cuts, name), getattr(other.cuts, name))
        assert torch.equal(window.cuts.turn, other.cuts.turn & ~BLIND)
        assert not (window.cuts.turn & BLIND).any()


def test_validation_and_samples_use_the_known_qps(
    dataset: JobFolder, make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network returns the plane, so its outputs show what it got."""
    monkeypatch.setenv("CLEARFRAME_USER_CODE", "1")
    # bfloat16, which some processors have, would round the plane.
    model = make_model(
        dataset, network=python_file(tmp_path), **{**UNTRAINED, "precision": "float32"}
    )
    assert last_state(model.events)["state"] == "done", last_state(model.events)
    reader = PairReader(dataset.store("val"))
    samples = [event for event in read(model.events) if event["type"] == "sample"]
    assert samples
    for sample in samples:
        output = read_image(model.path / sample["output"].split("/files/")[1])
        plane = reader.qp_plane(sample["pair"])
        parts = [plane[:, left : left + output.shape[1]] for left in range(0, 33, 4)]
        assert any(np.array_equal(output, np.repeat(part, 3, 2)) for part in parts)
    expected = [
        np.abs(reader.qp_plane(number).astype(float) - reader[number][1]).mean() / 255
        for number in range(len(reader))
    ]
    reader.close()
    scalars = [event["scalars"] for event in read(model.events) if event["type"] == "scalars"]
    (first, *_) = [scores for scores in scalars if "val/l1" in scores]
    assert first["val/l1"] == pytest.approx(np.mean(expected), abs=1e-5)
    assert (first["val/l1_input"] or 1) < 0.1


def test_the_network_of_the_registry_trains_with_and_without_the_plane(
    dataset: JobFolder, make_model: Make
) -> None:
    for qp in (True, False):
        model = make_model(dataset, network={"name": "ecbnet", "qp": qp, "depth": 3}, epochs=1)
        assert last_state(model.events)["state"] == "done", last_state(model.events)


def test_a_dataset_without_maps_trains_a_network_with_the_plane(
    clip: Clip, home: Path, make_model: Make
) -> None:
    source = {"kind": "folders", "input": str(clip[1]), "target": str(clip[1])}
    model = make_model(run_dataset(home, source), network={"name": "ecbnet"}, epochs=1)
    assert last_state(model.events)["state"] == "done", last_state(model.events)
