"""Tests of the plan of patches (counts, positions, resume) and of cutting them."""

from collections import Counter
from itertools import islice

import pytest
import torch
from torch import Tensor

from jobs.core.errors import JobError
from jobs.training.patches import Cuts, Plan, cut, pixel_indices

SIZES = [(40, 60), (50, 44), (33, 71)] * 7
SIDE = 32


def steps(plan: Plan, first: int, count: int) -> list[Cuts]:
    """The patches of `count` steps."""
    all_steps = (
        cuts for window, before in plan.windows(first) for cuts in plan.batches(window, before)
    )
    return list(islice(all_steps, count))


def rows(cuts: Cuts) -> list[tuple[int, ...]]:
    return [
        tuple(row) for row in torch.stack((cuts.pair, cuts.top, cuts.left, cuts.turn), 1).tolist()
    ]


def test_epoch_has_equal_numbers_of_patches_per_pair_all_within_their_frames() -> None:
    plan = Plan(SIZES, SIDE, per_pair=5, per_step=8, seed=0)
    assert (plan.patches, plan.steps) == (105, 14)
    epoch = steps(plan, 0, plan.steps)
    assert (
        [len(cuts) for cuts in epoch]
        == [plan.patches_in(step) for step in range(plan.steps)]
        == [8] * 13 + [1]
    )
    assert Counter(pair for cuts in epoch for pair in cuts.pair.tolist()) == dict.fromkeys(
        range(len(SIZES)), 5
    )
    for cuts in epoch:
        for pair, top, left, _ in rows(cuts):
            height, width = SIZES[pair]
            assert 0 <= top <= height - SIDE
            assert 0 <= left <= width - SIDE


@pytest.mark.parametrize("bytes_per_pixel", [6, 20_000])
def test_resumed_plan_equals_the_rest_of_an_uninterrupted_plan(bytes_per_pixel: int) -> None:
    """With one window per epoch, and with many."""
    plan = Plan(SIZES, SIDE, 5, 8, seed=1, bytes_per_pixel=bytes_per_pixel)
    uninterrupted = [rows(cuts) for cuts in steps(plan, 0, 40)]
    for first in (1, 5, 13, 14, 27):
        assert [rows(cuts) for cuts in steps(plan, first, 40 - first)] == uninterrupted[first:]


def test_windows_do_not_change_the_pairs_of_an_epoch() -> None:
    many = Plan(SIZES, SIDE, 4, 8, seed=1, bytes_per_pixel=20_000)
    assert sum(1 for window, _ in islice(many.windows(0), 3)) == 3
    pairs = Counter(pair for cuts in steps(many, 0, many.steps) for pair in cuts.pair.tolist())
    assert pairs == dict.fromkeys(range(len(SIZES)), 4)


def test_epochs_and_seeds_have_different_patches() -> None:
    plan, other = Plan(SIZES, SIDE, 5, 8, seed=0), Plan(SIZES, SIDE, 5, 8, seed=1)
    first = [rows(cuts) for cuts in steps(plan, 0, 2 * plan.steps)]
    assert first[: plan.steps] != first[plan.steps :]
    assert first[: plan.steps] != [rows(cuts) for cuts in steps(other, 0, plan.steps)]


@pytest.mark.parametrize(
    ("flips", "quarter_turns", "turns"),
    [(False, False, 1), (True, False, 4), (False, True, 4), (True, True, 8)],
)
def test_patches_have_the_requested_orientations(
    flips: bool, quarter_turns: bool, turns: int
) -> None:
    plan = Plan([(64, 64)], SIDE, 200, 200, 0, flips, quarter_turns)
    (cuts,) = steps(plan, 0, 1)
    picture = torch.arange(64 * 64).view(1, 64, 64)
    patches = cut(
        picture.permute(1, 2, 0).reshape(-1, 1), pixel_indices(cuts, SIDE, torch.tensor([64]))
    )
    seen = set()
    for patch, top, left in zip(patches, cuts.top.tolist(), cuts.left.tolist(), strict=True):
        upright = picture[:, top : top + SIDE, left : left + SIDE]
        seen.add(
            next(
                name for name, turned in orientations(upright).items() if torch.equal(turned, patch)
            )
        )
    assert len(seen) == turns
    if quarter_turns and not flips:
        assert seen == {"0", "90", "180", "270"}, "quarter turns only, no mirrored patches"


def orientations(square: Tensor) -> dict[str, Tensor]:
    turned = {str(90 * quarter): square.rot90(quarter, (1, 2)) for quarter in range(4)}
    return turned | {f"mirrored {name}": picture.flip(2) for name, picture in turned.items()}


def test_patches_larger_than_the_smallest_frame_are_rejected() -> None:
    with pytest.raises(JobError, match="Patches of 34×34 do not fit into frames of 71×33"):
        Plan(SIZES, 34, 1, 8, 0)
