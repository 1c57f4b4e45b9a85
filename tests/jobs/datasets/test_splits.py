"""Splits do not leak and are reproducible."""

from itertools import pairwise

import pytest

from jobs.datasets.splits import split_scenes
from jobs.specs import DatasetSpec


def split(
    counts: list[int],
    validation: dict[str, object],
    test: dict[str, object] | None = None,
    fixed: list[str] | None = None,
    seed: int = 0,
) -> list[list[str]]:
    source = {"stream": "a", "originals": "b"}
    spec = DatasetSpec.model_validate(
        {
            "name": "a",
            "source": source,
            "validation": validation,
            "test": test or {"method": "none"},
            "seed": seed,
        }
    )
    return split_scenes(counts, fixed or [""] * len(counts), spec)


@pytest.mark.parametrize(
    ("count", "percent", "kept"),
    [(2, 10, 1), (24, 10, 2), (96, 10, 10), (1000, 10, 100), (10, 50, 5)],
)
def test_validation_frames_are_in_few_blocks(count: int, percent: float, kept: int) -> None:
    (splits,) = split([count], {"percent": percent})
    assert (len(splits), splits.count("val")) == (count, kept)
    assert sum(a != "val" and b == "val" for a, b in pairwise(["train", *splits])) <= 4


def test_the_seed_selects_the_sequences_held_out() -> None:
    splits = split([5] * 20, {"method": "sequences", "percent": 20})
    assert all(len(set(sequence)) == 1 for sequence in splits)
    assert sum(sequence[0] == "val" for sequence in splits) == 4
    assert splits == split([5] * 20, {"method": "sequences", "percent": 20})
    assert splits != split([5] * 20, {"method": "sequences", "percent": 20}, seed=1)


def test_random_frames_are_spread() -> None:
    (splits,) = split([200], {"method": "frames", "percent": 10})
    assert splits.count("val") == 20
    assert sum(a != b for a, b in pairwise(splits)) > 20


@pytest.mark.parametrize("method", ["blocks", "frames"])
def test_the_test_split_does_not_depend_on_the_validation_split(method: str) -> None:
    (splits,) = split([100], {"method": method, "percent": 20}, {"method": method, "percent": 10})
    assert {name: splits.count(name) for name in ("train", "val", "test")} == {
        "train": 70,
        "val": 20,
        "test": 10,
    }
    (others,) = split([100], {"method": method, "percent": 5}, {"method": method, "percent": 10})
    assert [name == "test" for name in splits] == [name == "test" for name in others], (
        "the test split changed"
    )


def test_the_splits_of_a_manifest_apply() -> None:
    splits = split([10, 10, 10], {"percent": 10}, fixed=["train", "val", ""])
    assert splits[0] == ["train"] * 10
    assert splits[1] == ["val"] * 10
    assert splits[2].count("val") == 1


def test_the_training_split_is_never_empty() -> None:
    assert split([1], {"percent": 50}) == [["train"]]
    assert split([1], {"method": "sequences", "percent": 50}) == [["train"]]
    (splits,) = split([2], {"percent": 50}, {"percent": 50})
    assert "train" in splits
