"""Tests of the preview of a training."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.forms.preview import preview
from jobs.core.paths import ROOT
from jobs.specs import ModelSpec
from models.definitions.graph import Graph
from tests.conftest import Clip
from tests.support.server import Server

SR_MODEL = (ROOT / "examples" / "sr-model.prototxt").read_text()


class NoJobs:
    """A catalog without jobs."""

    def get(self, id: str) -> None:
        return None

    def find(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def names(self, kind: str, start: str) -> list[str]:
        return []


def preview_of(**values: Any) -> Any:
    return preview(values, NoJobs())  # type: ignore[arg-type]


def test_facts_of_the_default_network() -> None:
    result = preview_of()
    network = result["network"]
    assert (result["problems"], result["jobs"], result["steps"], result["seconds"]) == (
        {},
        1,
        None,
        None,
    )
    assert network["title"] == "SRCNN 9-1-5"
    assert "ECCV 2014" in network["paper"]
    assert (network["parameters"], network["receptive_field"], network["identity"]) == (
        8129,
        [13, 13],
        True,
    )
    assert network["multiply_adds"] == 81 * 64 + 64 * 32 + 25 * 32
    assert network["layers"][0] == {
        "name": "conv1",
        "words": "Conv 9×9",
        "inputs": ["input"],
        "shape": "64×64×64",
        "parameters": 81 * 64 + 64,
        "line": None,
    }
    assert network["layers"][-1]["inputs"] == ["input", "conv3"]


def test_channels_change_the_network() -> None:
    assert (
        preview_of(channels="rgb")["network"]["multiply_adds"]
        == 3 * 81 * 64 + 64 * 32 + 3 * 25 * 32
    )


@pytest.mark.parametrize(
    ("policy", "dead_at", "warned"),
    [
        ({"name": "exponential", "gamma": 0.098, "per": "percent"}, 0.02, True),
        ({"name": "exponential", "gamma": 0.098, "per": "run"}, None, False),
        ({"name": "exponential", "gamma": 0.5, "per": "epoch"}, 0.23, True),
        ({"name": "fixed"}, None, False),
        ({"name": "one-cycle"}, 0.96, False),
        ({"name": "cosine", "warm_up": 30}, 0.96, False),
    ],
)
def test_learning_rate_over_the_run_and_the_share_where_it_dies(
    policy: dict[str, Any], dead_at: float | None, warned: bool
) -> None:
    rate = preview_of(lr_policy=policy, solver={"learning_rate": "0.01"})["rate"]
    assert len(rate["points"]) == 101
    assert (rate["base"], rate["dead_at"]) == (0.01, dead_at)
    assert ("under 1 % of its base" in rate["warning"]) is warned
    if policy.get("per") == "run":
        assert rate["points"][-1] == pytest.approx(0.01 * 0.098)


def test_a_pasted_network_is_drawn_or_its_wrong_line_is_reported() -> None:
    result = preview_of(network={"name": "custom", "prototxt": SR_MODEL})
    assert [layer["name"] for layer in result["network"]["layers"]] == [
        "conv1",
        "relu1",
        "conv2",
        "relu2",
        "conv3",
    ]
    assert SR_MODEL.splitlines()[result["network"]["layers"][0]["line"] - 1] == "layer {"
    result = preview_of(
        network={"name": "custom", "prototxt": SR_MODEL.replace('"ReLU"', '"Relu"', 1)}
    )
    assert result["network"] is None
    assert result["problems"]["network.prototxt"].startswith(
        f"Line {result['lines']['network.prototxt']}: “relu1” is a layer of type Relu"
    )
    result = preview_of(network={"name": "custom", "prototxt": SR_MODEL}, loss={"name": "l2"})
    assert result["notes"] == [
        "The definition names the loss L1; this training uses the loss of its settings, L2."
    ]


def test_wrong_values_are_reported_and_the_others_still_previewed() -> None:
    result = preview_of(
        network={"name": "vdsr", "depth": "deep"}, solver={"learning_rate": "0.01"}, batch_size="0"
    )
    assert result["problems"] == {
        "network.depth": "Must be a whole number.",
        "batch_size": "Must be at least 1.",
    }
    assert result["network"] is None
    assert result["rate"]["base"] == 0.01


def test_missing_values_are_no_errors() -> None:
    result = preview_of(network={"name": "custom"}, solver={"learning_rate": "0.01, 0.02"})
    assert (result["network"], result["problems"], result["jobs"]) == (None, {}, 2)


def test_the_trainings_of_a_sweep_are_counted() -> None:
    assert (
        preview_of(solver={"learning_rate": "0.001, 0.0003"}, batch_size="8, 16, 32")["jobs"] == 6
    )


def test_steps_and_time_come_from_the_dataset_and_from_past_trainings(
    server: Server, clip: Clip, tmp_path: Path
) -> None:
    dataset = server.dataset(clip)
    pairs = server.wait(dataset, "done")["summary"]["pairs"]["train"]
    values = {
        "dataset": dataset,
        "epochs": 3,
        "batch_size": 8,
        "patches_per_frame": 2,
        "patch_size": 32,
    }
    result = server.call("/models/preview", values)[1]
    assert (result["patches_an_epoch"], result["steps_an_epoch"]) == (
        2 * pairs,
        math.ceil(2 * pairs / 8),
    )
    assert (result["steps"], result["seconds"]) == (3 * result["steps_an_epoch"], None)
    server.wait(server.create("/models", {"name": "m", **values}), "done")
    assert server.call("/models/preview", values)[1]["seconds"] is None  # One run is no measure.
    assert (
        server.call("/models/preview", {**values, "epochs": None, "minutes": 2})[1]["seconds"]
        == 120
    )


class Runs(NoJobs):
    """A catalog of finished trainings of the default network, with the given speeds."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        spec = ModelSpec(name="m", dataset="00000000").model_dump(mode="json")
        network = preview_of()["network"]
        facts = {"multiply_adds": network["multiply_adds"], "placement": "memory"}
        self._rows = [
            SimpleNamespace(
                spec={**spec, **run.get("spec", {})},
                view={"summary": {**facts, **run.get("summary", {})}},
            )
            for run in runs
        ]

    def find(self, *_: Any, **__: Any) -> list[Any]:
        return self._rows


def run_at(speed: float, placement: str = "memory", **spec: Any) -> dict[str, Any]:
    facts = {"multiply_adds_per_second": speed, "placement": placement}
    return {"summary": facts, "spec": spec}


@pytest.mark.parametrize(
    ("runs", "is_known"),
    [
        ([run_at(1e9)], False),
        ([run_at(1e9), run_at(1.2e9)], True),
        ([run_at(1e9), run_at(9e9)], False),
        ([run_at(1e9), run_at(1e9, placement="disk")], False),
        ([run_at(1e9), run_at(1e9, batch_size=1)], False),
        ([run_at(1e9), run_at(1e9, precision="float32")], False),
        ([run_at(1e9), run_at(5e9, placement="disk"), run_at(1e9)], True),
    ],
)
def test_time_is_estimated_from_several_comparable_runs(
    runs: list[dict[str, Any]], is_known: bool
) -> None:
    values = {"epochs": None, "steps": 100}
    seconds = preview(values, Runs(*runs))["seconds"]  # type: ignore[arg-type]
    assert (seconds is not None) == is_known
    if seconds is not None:
        multiply_adds = preview_of()["network"]["multiply_adds"]
        spec = ModelSpec(name="m", dataset="00000000")
        total = 100 * 3 * multiply_adds * spec.patch_size**2 * spec.batch_size
        assert total / 1.3e9 < seconds <= total / 1e9


@pytest.mark.parametrize("key", ["accumulation", "batch_size", "patch_size", "device"])
def test_past_runs_may_lack_settings(key: str) -> None:
    runs = Runs(*[run_at(1e9)] * 3)
    del runs._rows[0].spec[key]
    assert preview({"epochs": None, "steps": 100}, runs)["seconds"] is not None  # type: ignore[arg-type]


def test_the_cost_of_a_network_is_counted_once_for_all_past_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[Graph] = []
    multiply_adds = Graph.multiply_adds

    def recorded(graph: Graph) -> float:
        counted.append(graph)
        return multiply_adds(graph)

    def times(runs: int) -> int:
        past = Runs(*[run_at(1e9)] * runs)
        counted.clear()
        preview({"epochs": None, "steps": 100}, past)  # type: ignore[arg-type]
        return len(counted)

    monkeypatch.setattr(Graph, "multiply_adds", recorded)
    assert times(2) == times(10)


ODD: list[dict[str, Any]] = [
    {"batch_size": [[1]]},
    {"batch_size": [{}], "solver": {"learning_rate": [None]}},
    {"solver": "adam"},
    {"solver": 3},
    {"solver": {"learning_rate": 10**400}},
    {"solver": {"learning_rate": "NaN"}},
    {"solver": {"learning_rate": "1e400"}},
    {"network": "vdsr"},
    {"network": []},
    {"lr_policy": 7},
    {"dataset": {"a": 1}, "more_datasets": 5},
]


@pytest.mark.parametrize("values", ODD, ids=str)
def test_odd_values_are_reported_as_problems(values: dict[str, Any]) -> None:
    result = preview_of(**values)
    json.dumps(result, allow_nan=False)
    assert result["problems"]


def test_a_network_that_shrinks_the_image_too_far_is_reported() -> None:
    shrinking = "".join(
        f'layer {{ name: "c{n}" type: "Convolution" '
        f'bottom: "{f"c{n - 1}" if n else "data"}" top: "c{n}" '
        "convolution_param { num_output: 1 kernel_size: 1 stride: 16 } }\n"
        for n in range(300)
    )
    growing = (
        'layer { name: "up" type: "Deconvolution" bottom: "c299" top: "up" '
        "convolution_param { num_output: 1 kernel_size: 101 } }"
    )
    cropping = 'layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop" }'
    result = preview_of(network={"name": "custom", "prototxt": shrinking + growing + cropping})
    assert "network.prototxt" in result["problems"]


def test_the_advice_fits_the_policy() -> None:
    result = preview_of(lr_policy={"name": "sigmoid", "step": 2, "gamma": 5})
    assert result["rate"]["warning"].endswith("Put the step later, or choose a smaller gamma.")


def test_a_curve_drawn_for_a_guessed_length_has_a_note() -> None:
    result = preview_of(minutes=5, lr_policy={"name": "exponential", "gamma": 0.9, "per": "epoch"})
    assert (
        result["rate"]["note"]
        == "Run length not known yet: curve drawn for 30 epochs of 100 steps."
    )
    assert preview_of(minutes=5)["rate"]["note"] == ""
