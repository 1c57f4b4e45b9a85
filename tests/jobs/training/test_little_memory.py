"""Tests of trainings whose memory is too small: in each part of the run, each ends with advice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.core import folder as folders
from jobs.core import limits
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.run import main as run_worker
from jobs.specs import ImageTest
from jobs.training import train
from models import memory, tiles
from models.restorer import Restorer

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]

SETTINGS: dict[str, Any] = {"precision": "float32", "device": "cpu"}


def last_scores(model: JobFolder) -> dict[str, float]:
    events = read(model.events, types=frozenset({"scalars"}))
    scores = [dict(event["scalars"]) for event in events if "val/l1" in event["scalars"]]
    return scores[-1]


def reason(model: JobFolder) -> str:
    state = last_state(model.events)
    assert state is not None
    assert state["state"] == "error", state
    return state["reason"]


def run_image_test(model: JobFolder) -> JobFolder:
    spec = ImageTest.model_validate({"model": model.id, "pair": 0})
    test = folders.create(model.path.parent.parent, "test", spec)
    run_worker(str(test.path))
    return test


def full(*_: object, **__: object) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.50 GiB.")


def test_frames_are_validated_in_tiles_where_the_memory_is_small(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = last_scores(make_model(dataset, epochs=1, **SETTINGS))
    shapes: set[tuple[int, ...]] = set()
    forward = Restorer.forward

    def watched(self: Restorer, image: torch.Tensor) -> torch.Tensor:
        shapes.add(tuple(image.shape))
        return forward(self, image)

    monkeypatch.setattr(Restorer, "forward", watched)
    monkeypatch.setattr(memory, "free_memory", lambda device: 2**22)
    in_tiles = last_scores(make_model(dataset, epochs=1, **SETTINGS))
    assert max(height * width for _, _, height, width in shapes) < 96 * 64
    assert in_tiles == pytest.approx(whole, abs=1e-4)


def test_a_frame_that_does_not_fit_even_in_tiles_ends_the_run_with_advice(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "in_tiles", full)
    text = reason(make_model(dataset, epochs=1, **SETTINGS))
    assert text.startswith("The memory is too small to validate a frame of ")
    assert "Wait for them to finish" in text


@pytest.mark.parametrize("part", ["place", "snapshot", "test"])
def test_a_full_gpu_ends_the_run_with_advice_wherever_it_is(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(train, part, full)
    assert "Choose a smaller batch size" in reason(make_model(dataset, epochs=1, **SETTINGS))


@pytest.mark.parametrize(
    ("error", "gigabytes", "advice"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "0", "wait until the GPU is free"),
        (torch.OutOfMemoryError("CUDA out of memory."), "4", "wait until the GPU is free"),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED"), "0", "wait until the GPU is free"),
        (RuntimeError("CUDA error: out of memory"), "0", "wait until the GPU is free"),
        (MemoryError(), "0", "end other programs"),
        (MemoryError(), "4", "raise the limit"),
    ],
)
def test_each_kind_of_memory_has_its_own_advice(
    monkeypatch: pytest.MonkeyPatch, error: Exception, gigabytes: str, advice: str
) -> None:
    monkeypatch.setenv("CLEARFRAME_MAX_WORKER_GB", gigabytes)
    assert limits.is_out_of_memory(error)
    assert advice in limits.out_of_memory_reason(error)


def test_other_errors_of_a_gpu_are_none_of_its_memory() -> None:
    assert not limits.is_out_of_memory(RuntimeError("CUDA error: an illegal memory access"))


def test_a_test_on_a_full_gpu_ends_with_advice(
    dataset: JobFolder, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(dataset, epochs=1, **SETTINGS)
    monkeypatch.setattr("jobs.inference.image.show_layers", full)
    assert "wait until the GPU is free" in reason(run_image_test(model))
    monkeypatch.setattr(tiles, "run", full)
    assert "other programs or jobs use it" in reason(run_image_test(model))
