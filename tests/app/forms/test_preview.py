"""What a training would be, told while its form is filled in."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from app.forms.preview import preview
from jobs.core.paths import ROOT
from tests.conftest import Clip
from tests.support.server import Server

SR_MODEL = (ROOT / "examples" / "sr-model.prototxt").read_text()


class NoJobs:
    """A home in which nothing was made yet."""

    def get(self, id: str) -> None:
        return None

    def find(self, *_: Any, **__: Any) -> list[Any]:
        return []


def ask(**values: Any) -> dict[str, Any]:
    return preview(values, NoJobs())  # type: ignore[arg-type]


def test_the_facts_of_the_default_network() -> None:
    told = ask()
    network = told["network"]
    assert (told["problems"], told["jobs"], told["steps"], told["seconds"]) == ({}, 1, None, None)
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
        "words": "Conv 9x9",
        "inputs": ["input"],
        "shape": "64×64×64",
        "parameters": 81 * 64 + 64,
        "line": None,
    }
    assert network["layers"][-1]["inputs"] == ["input", "conv3"]


def test_channels_change_the_network() -> None:
    assert ask(channels="rgb")["network"]["multiply_adds"] == 3 * 81 * 64 + 64 * 32 + 3 * 25 * 32


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
def test_the_rate_over_the_run_and_where_it_dies(
    policy: dict[str, Any], dead_at: float | None, warned: bool
) -> None:
    rate = ask(lr_policy=policy, solver={"learning_rate": "0.01"})["rate"]
    assert len(rate["points"]) == 101
    assert (rate["base"], rate["dead_at"]) == (0.01, dead_at)
    assert ("under 1 % of its base" in rate["warning"]) is warned
    if policy.get("per") == "run":
        assert rate["points"][-1] == pytest.approx(0.01 * 0.098)


def test_a_pasted_network_is_drawn_or_its_line_named() -> None:
    told = ask(network={"name": "custom", "prototxt": SR_MODEL})
    assert [layer["name"] for layer in told["network"]["layers"]] == [
        "conv1",
        "relu1",
        "conv2",
        "relu2",
        "conv3",
    ]
    assert SR_MODEL.splitlines()[told["network"]["layers"][0]["line"] - 1] == "layer {"
    told = ask(network={"name": "custom", "prototxt": SR_MODEL.replace('"ReLU"', '"Relu"', 1)})
    assert told["network"] is None
    assert told["problems"]["network.prototxt"].startswith(
        f"Line {told['lines']['network.prototxt']}: “relu1” is a layer of type Relu"
    )
    told = ask(network={"name": "custom", "prototxt": SR_MODEL}, loss={"name": "l2"})
    assert told["notes"] == ["The text names the loss L1; this training takes the form's, L2."]


def test_wrong_values_are_said_and_the_rest_is_told_all_the_same() -> None:
    told = ask(
        network={"name": "vdsr", "depth": "deep"}, solver={"learning_rate": "0.01"}, batch_size="0"
    )
    assert told["problems"] == {
        "network.depth": "Must be a whole number.",
        "batch_size": "Must be at least 1.",
    }
    assert told["network"] is None
    assert told["rate"]["base"] == 0.01


def test_what_is_still_to_be_typed_is_no_problem() -> None:
    told = ask(network={"name": "custom"}, solver={"learning_rate": "0.01, 0.02"})
    assert (told["network"], told["problems"], told["jobs"]) == (None, {}, 2)


def test_a_sweep_is_counted() -> None:
    assert ask(solver={"learning_rate": "0.001, 0.0003"}, batch_size="8, 16, 32")["jobs"] == 6


def test_steps_and_time_come_from_the_dataset_and_from_the_last_training(
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
    told = server.call("/models/preview", values)[1]
    assert (told["patches_an_epoch"], told["steps_an_epoch"]) == (
        2 * pairs,
        math.ceil(2 * pairs / 8),
    )
    assert (told["steps"], told["seconds"]) == (3 * told["steps_an_epoch"], None)
    server.wait(server.create("/models", {"name": "m", **values}), "done")
    assert server.call("/models/preview", values)[1]["seconds"] > 0
    assert (
        server.call("/models/preview", {**values, "epochs": None, "minutes": 2})[1]["seconds"]
        == 120
    )


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
def test_odd_values_are_told_as_problems(values: dict[str, Any]) -> None:
    told = ask(**values)
    json.dumps(told, allow_nan=False)
    assert told["problems"]


def test_a_network_that_shrinks_the_image_without_end_is_told() -> None:
    shrinking = "".join(
        f'layer {{ name: "c{n}" type: "Convolution" bottom: "{f"c{n - 1}" if n else "data"}" top: "c{n}" '
        "convolution_param { num_output: 1 kernel_size: 1 stride: 16 } }\n"
        for n in range(300)
    )
    grown = 'layer { name: "up" type: "Deconvolution" bottom: "c299" top: "up" convolution_param { num_output: 1 kernel_size: 101 } }'
    cut = 'layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop" }'
    told = ask(network={"name": "custom", "prototxt": shrinking + grown + cut})
    assert "network.prototxt" in told["problems"]


def test_advice_is_that_of_the_policy() -> None:
    told = ask(lr_policy={"name": "sigmoid", "step": 2, "gamma": 5})
    assert told["rate"]["warning"].endswith("Put the step later, or choose a smaller gamma.")


def test_a_curve_that_is_drawn_for_a_guessed_length_says_so() -> None:
    told = ask(minutes=5, lr_policy={"name": "exponential", "gamma": 0.9, "per": "epoch"})
    assert (
        told["rate"]["note"]
        == "How long the run will be is not known yet: drawn for 30 epochs of 100 steps."
    )
    assert ask(minutes=5)["rate"]["note"] == ""
