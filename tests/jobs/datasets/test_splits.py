"""Splits that do not leak, and stay the same."""

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
def test_validation_frames_lie_in_few_blocks(count: int, percent: float, kept: int) -> None:
    (splits,) = split([count], {"percent": percent})
    assert (len(splits), splits.count("val")) == (count, kept)
    assert sum(a != "val" and b == "val" for a, b in pairwise(["train", *splits])) <= 4


def test_whole_sequences_are_kept_back_by_the_seed() -> None:
    splits = split([5] * 20, {"method": "sequences", "percent": 20})
    assert all(len(set(one)) == 1 for one in splits)
    assert sum(one[0] == "val" for one in splits) == 4
    assert splits == split([5] * 20, {"method": "sequences", "percent": 20})
    assert splits != split([5] * 20, {"method": "sequences", "percent": 20}, seed=1)


def test_random_frames_are_spread() -> None:
    (splits,) = split([200], {"method": "frames", "percent": 10})
    assert splits.count("val") == 20
    assert sum(a != b for a, b in pairwise(splits)) > 20


@pytest.mark.parametrize("method", ["blocks", "frames"])
def test_the_test_split_is_drawn_beside_the_validation(method: str) -> None:
    (splits,) = split([100], {"method": method, "percent": 20}, {"method": method, "percent": 10})
    assert {name: splits.count(name) for name in ("train", "val", "test")} == {
        "train": 70,
        "val": 20,
        "test": 10,
    }
    (alone,) = split([100], {"method": method, "percent": 5}, {"method": method, "percent": 10})
    assert [name == "test" for name in splits] == [name == "test" for name in alone], (
        "the test split does not move"
    )


def test_what_a_manifest_says_counts() -> None:
    splits = split([10, 10, 10], {"percent": 10}, fixed=["train", "val", ""])
    assert splits[0] == ["train"] * 10
    assert splits[1] == ["val"] * 10
    assert splits[2].count("val") == 1


def test_something_is_always_left_to_train_on() -> None:
    assert split([1], {"percent": 50}) == [["train"]]
    assert split([1], {"method": "sequences", "percent": 50}) == [["train"]]
    (two,) = split([2], {"percent": 50}, {"percent": 50})
    assert "train" in two
