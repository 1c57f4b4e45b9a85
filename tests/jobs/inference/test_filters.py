"""Tests of the filters that networks are compared with."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.core import folder as folders
from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.inference import filters
from jobs.inference.filters import Baselines, Filter, missing
from jobs.media.images import Picture
from jobs.media.quality import psnr
from jobs.run import main as run_worker
from jobs.specs import ImagesTest, SplitTest

Clip = tuple[Path, Path]
AVAILABLE = [name for name in filters.SETTINGS if name not in missing()]


def noisy(sigma: float, channels: int = 3, seed: int = 0) -> tuple[Picture, Picture]:
    """A smooth picture with noise in Y, and without."""
    rows, columns = np.mgrid[:48, :64]
    plane = 120 + 60 * np.sin(rows / 9) * np.cos(columns / 7)
    target = np.repeat(plane.astype(np.uint8)[:, :, None], channels, 2)
    noise = np.random.default_rng(seed).normal(0, sigma, (48, 64, 1))
    return (target + noise).round().clip(0, 255).astype(np.uint8), target


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", AVAILABLE)
def test_a_filter_removes_noise_from_y_and_keeps_colour(name: str, channels: int) -> None:
    input, target = noisy(5, channels)
    output = Filter(name, filters.SETTINGS[name][-1])(input)
    assert output.shape == input.shape
    assert psnr(output, target) > psnr(input, target) + 2
    if channels == 3:
        coloured = input + np.array([20, 0, 10], np.uint8)
        change = Filter(name, filters.SETTINGS[name][-1])(coloured).astype(int) - coloured
        assert (change == change[:, :, :1]).all()


def test_the_best_setting_depends_on_the_pairs() -> None:
    settings = []
    for sigma in (1, 8):
        baselines = Baselines([noisy(sigma), noisy(sigma, seed=1)], lambda: None)
        (facts,) = [row for row in baselines.facts() if row["name"] == "nlmeans"]
        settings.append(facts["setting"])
    places = [filters.SETTINGS["nlmeans"].index(setting) for setting in settings]
    assert places[0] < places[1]


def test_missing_filters_are_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "filters_available", {"nlmeans"})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    facts = {row["name"]: row for row in Baselines([noisy(3)], lambda: None).facts()}
    assert facts["spp"]["why"] == "the FFmpeg of PyAV has no spp: it needs a build under the GPL"
    assert "clearframe[baselines]" in facts["bm3d"]["why"]
    assert (facts["nlmeans"]["why"], facts["bm3d"]["gain"]) == ("", None)


def events(test: JobFolder, type: str) -> list[Any]:
    return [event for event in read(test.events) if event["type"] == type]


@pytest.mark.parametrize("kind", ["split", "images"])
def test_a_test_of_many_compares_with_filters(
    kind: str,
    clip: Clip,
    make_dataset: Callable[..., JobFolder],
    make_model: Callable[..., JobFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(filters.SETTINGS, "bm3d", ("5",))
    model = make_model(make_dataset(clip), network={"name": "srcnn-9-1-5"}, epochs=1)
    images = [str(path) for path in sorted(clip[1].iterdir())[:2]]
    spec = (
        SplitTest(model=model.id, filters=True)
        if kind == "split"
        else ImagesTest(model=model.id, images=images, targets=str(clip[1]), filters=True)
    )
    test = folders.create(model.path.parent.parent, "test", spec)
    assert run_worker(str(test.path)) == 0
    rows = [row for event in events(test, "results") for row in event["rows"]]
    assert all(list(row["filters"]) == AVAILABLE for row in rows)
    facts = [event["filters"] for event in events(test, "facts") if "filters" in event][-1]
    assert [row["name"] for row in facts] == [*AVAILABLE, *missing()]
    if kind == "split":
        gains = [row["filters"]["nlmeans"] for row in rows]
        mean = next(row["gain"] for row in facts if row["name"] == "nlmeans")
        assert mean == pytest.approx(sum(gains) / len(gains))
    plain = folders.create(
        model.path.parent.parent, "test", spec.model_copy(update={"filters": False})
    )
    assert run_worker(str(plain.path)) == 0
    assert all("filters" not in event for event in events(plain, "facts"))
