"""Tests of snapshots: damaged files are reported, never used."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.core.errors import JobError
from jobs.core.folder import JobFolder
from jobs.networks import snapshots
from jobs.networks.snapshots import Kind
from jobs.specs.networks import Srcnn915

KIND = Kind(Srcnn915(maps1=2, maps2=2), "y", 1)
NAME = "epoch-0001"


@pytest.fixture
def model(tmp_path: Path) -> JobFolder:
    restorer = KIND.restorer()
    optimizer = torch.optim.Adam(restorer.parameters())
    state = {"step": 3, "optimizer": optimizer.state_dict(), "weights": restorer.state_dict()}
    folder = JobFolder(tmp_path)
    snapshots.save(folder, NAME, KIND, restorer, {**state, "random": torch.get_rng_state()})
    return folder


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The content cut off, or with a byte or eight of it changed."""
    place, length = dice.randrange(len(content)), dice.choice((0, 1, 8))
    return content[:place] + (dice.randbytes(length) + content[place + length :] if length else b"")


def attempt(read: Callable[[], Any]) -> tuple[Any, str]:
    """What was read, or the sentence of the error."""
    try:
        return read(), ""
    except JobError as error:
        return None, str(error)


def test_a_damaged_state_is_an_error_with_a_sentence_or_reads_as_before(model: JobFolder) -> None:
    path = model.snapshots / f"{NAME}.state.pt"
    content, dice, refused = path.read_bytes(), random.Random(0), 0
    expected = snapshots.to_resume(model, NAME)
    assert expected is not None
    for _ in range(300):
        path.write_bytes(damaged(content, dice))
        state, problem = attempt(lambda: snapshots.to_resume(model, NAME))
        if state is None:
            assert f"Snapshot {NAME} cannot be resumed from" in problem
            refused += 1
        else:
            assert torch.equal(state["random"], expected["random"])
            assert state["optimizer"] == expected["optimizer"]
    assert refused > 150


def test_a_missing_state_is_an_error_with_a_sentence(model: JobFolder) -> None:
    (model.snapshots / f"{NAME}.state.pt").unlink()
    with pytest.raises(JobError, match="damaged or missing"):
        snapshots.to_resume(model, NAME)


def test_damaged_weights_are_an_error_with_a_sentence_or_can_be_read(model: JobFolder) -> None:
    path = snapshots.weights_of(model, NAME)
    content, dice = path.read_bytes(), random.Random(0)
    for _ in range(300):
        path.write_bytes(damaged(content, dice))
        weights, problem = attempt(lambda: snapshots.read_weights(model, NAME))
        assert weights or f"Snapshot {NAME} cannot be read" in problem


def test_weights_of_another_program_are_an_error(model: JobFolder) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, snapshots.weights_of(model, NAME))
    with pytest.raises(JobError, match="cannot be read"):
        snapshots.read_weights(model, NAME)
