"""Tests that the command line offered on a job's page recreates the job.

The line is parsed with the options and checks of the commands themselves.
"""

import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import ValidationError

from app.checks import sweeps
from app.checks.training import with_network_loss
from app.forms.command_line import as_command, option_name
from app.forms.fields import Field, fields_of, values_of
from app.validation_errors import validate
from commands.dataset import _name, _with_kinds
from commands.main import main
from commands.options import typed_values
from commands.running.here import Here
from commands.spec_file import overlaid
from commands.train import _requested_training, _trainings
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.paths import EXAMPLES
from jobs.specs import TESTS, DatasetSpec, ModelSpec, Spec
from jobs.specs.base import members

Values = dict[str, Any]

MODEL = {"name": "m", "dataset": "abcdefgh"}
STREAM = {"stream": "/s.h264", "originals": "/o"}
SOURCES = {
    "stream": STREAM,
    "folders": {"input": "/in", "target": "/out"},
    "compress": {"originals": "/o"},
    "sequences": {"manifest": "/m.csv"},
}
NEEDED = {"prototxt": "layer {\n  name: 'a'\n}\n", "entry": "some.entry", "file": "/net's file.py"}
"""Values for the required fields of some networks and losses."""


def options_of(line: str, *commands: str) -> Values:
    """The option values of a command line, as the command receives them."""
    command: click.Command | None = main
    for name in commands:
        assert isinstance(command, click.Group)
        _, command, _ = command.resolve_command(click.Context(command), [name])
    assert command
    arguments = shlex.split(line)
    assert arguments[: len(commands) + 1] == ["clearframe", *commands]
    params = command.make_context("clearframe", arguments[len(commands) + 1 :]).params
    assert params.pop("spec_file", None) is None
    return {
        key: value
        for key, value in params.items()
        if key not in ("home", "server", "wait", "as_json", "allow_user_code", "check")
    }


def model_spec(line: str) -> ModelSpec:
    (values,) = sweeps.expand(_requested_training(options_of(line, "train"), {}))
    return validate(ModelSpec, with_network_loss(values, lambda id: None))


def dataset_spec(line: str) -> DatasetSpec:
    given = options_of(line, "dataset", "create")
    return validate(
        DatasetSpec,
        overlaid(typed_values(DatasetSpec, _with_kinds(given, {})), {"name": _name(given)}),
    )


def dumped(spec: Spec) -> Values:
    return spec.model_dump(mode="json")


def round_trip(kind: str, **values: Any) -> str:
    """The command line of a spec; asserts that the line gives the same spec."""
    if kind == "model":
        spec: Spec = ModelSpec.model_validate({**MODEL, **values})
        line = as_command(kind, dumped(spec))
        assert dumped(model_spec(line)) == dumped(spec), line
    else:
        spec = DatasetSpec.model_validate({"name": "d", "source": STREAM, **values})
        line = as_command(kind, dumped(spec))
        assert dumped(dataset_spec(line)) == dumped(spec), line
    return line


def sections() -> list[tuple[str, str]]:
    """All sections of a training spec with each of their kinds, such as ("network", "dncnn")."""
    parts = {name: members(info) for name, info in ModelSpec.model_fields.items()}
    return [(part, kind) for part, kinds in parts.items() for kind in kinds]


def needed(spec: type[Spec]) -> Values:
    return {name: NEEDED[name] for name, info in spec.model_fields.items() if info.is_required()}


@pytest.mark.parametrize(("part", "kind"), sections())
def test_every_network_loss_solver_and_rate_policy_round_trips(part: str, kind: str) -> None:
    line = round_trip(
        "model", **{part: {"name": kind, **needed(members(ModelSpec.model_fields[part])[kind])}}
    )
    first = next(field.default for field in fields_of(ModelSpec) if field.name == f"{part}.name")
    assert (f"{option_name(part)} {kind}" in line) == (kind != first)


def other_values(field: Field) -> list[Any]:
    """Values other than the default of a field; its spec accepts at least one of them."""
    if field.widget == "checkbox":
        return [not field.default]
    if field.choices:
        return [choice for choice, _ in field.choices if choice != field.default]
    if field.widget in ("dataset", "datasets", "model"):
        return ["bbbbbbbb"]
    low, high = field.minimum or 0, field.maximum or 99
    numbers = [
        low + (high - low) / 3,
        low + (high - low) // 3,
        low + 4 * ((high - low) // 8),
        0.0123,
    ]
    special = {"device": ["cuda:0,1"], "start_snapshot": ["epoch-0012"]}
    return special.get(field.name) or [number for number in numbers if number != field.default] + [
        "30, 40",
        "some text",
    ]


def with_value(values: Values, field: str, value: Any) -> Values:
    """The values with a nested field set."""
    first, *rest = field.split(".", 1)
    return {**values, first: with_value(values.get(first, {}), rest[0], value) if rest else value}


def changed(spec: type[Spec], base: Values, field: Field) -> Spec:
    for value in other_values(field):
        try:
            return spec.model_validate(with_value(base, field.name, value))
        except ValidationError:
            continue
    raise AssertionError(f"{field.name}: the spec accepts none of {other_values(field)}")


@pytest.mark.parametrize(("part", "kind"), sections())
def test_every_setting_of_a_training_round_trips(part: str, kind: str) -> None:
    base = {**MODEL, part: {"name": kind, **needed(members(ModelSpec.model_fields[part])[kind])}}
    for field in fields_of(ModelSpec, base):
        if field.active and not field.kinds:
            spec = changed(ModelSpec, base, field)
            line = as_command("model", dumped(spec))
            assert dumped(model_spec(line)) == dumped(spec), line
            assert option_name(field.name).removeprefix("--") in line


DATASETS: list[Values] = [
    {"source": {"kind": "stream", **STREAM}},
    {"source": {"kind": "folders", **SOURCES["folders"]}},
    {"source": {"kind": "compress", **SOURCES["compress"]}},
    {"source": {"kind": "sequences", **SOURCES["sequences"]}},
    *(
        {"source": STREAM, "validation": {"method": method}}
        for method in ("blocks", "sequences", "frames")
    ),
    *(
        {"source": STREAM, "test": {"method": method}}
        for method in ("none", "blocks", "sequences", "frames")
    ),
    *(
        {
            "source": STREAM,
            "validation": {"method": "separate", "source": {"kind": kind, **SOURCES[kind]}},
        }
        for kind in SOURCES
    ),
    *(
        {
            "source": STREAM,
            "test": {"method": "separate", "source": {"kind": kind, **SOURCES[kind]}},
        }
        for kind in SOURCES
    ),
]


@pytest.mark.parametrize("values", DATASETS, ids=str)
def test_every_setting_of_a_dataset_round_trips(values: Values) -> None:
    round_trip("dataset", **values)
    base = {"name": "d", **values}
    for field in fields_of(DatasetSpec, base):
        if field.active and not field.kinds:
            spec = changed(DatasetSpec, base, field)
            line = as_command("dataset", dumped(spec))
            assert dumped(dataset_spec(line)) == dumped(spec), line


@pytest.mark.parametrize(
    "values",
    [
        {"solver": {"learning_rate": 3e-05}},
        {"solver": {"learning_rate": 0.1 + 0.2, "epsilon": 1e-12}},
        {"solver": {"name": "adadelta"}},
        {"solver": {"name": "adamw", "weight_decay": 0}},
        {"solver": {"name": "adamw", "weight_decay": 0.01}},
        {"solver": {"name": "adam", "weight_decay": 0.01}},
        {"solver": {"name": "rmsprop", "momentum": 0.9}},
        {"network": {"name": "ar-cnn", "skip": True}},
        {"network": {"name": "edsr", "skip": False, "blocks": 1}},
        {"network": {"maps1": 8}},
        {"lr_policy": {"name": "multistep", "steps": [33.3, 50, 1e-3]}},
        {"epochs": 30},
        {"epochs": 7},
        {"minutes": 0.5},
        {"minutes": 99999.99999},
        {"steps": 1_000_000_000},
        {"more_datasets": ["bbbbbbbb", "cccccccc"]},
        {"ema": 0.999, "gradient_clip": None, "early_stopping": None},
        {"device": "cuda:0,1", "validation_interval": 1 / 3},
        {"name": "--name", "group": "-g", "notes": "--help"},
        {"notes": 'it\'s "quoted", $HOME `ls` \\ !\n\n\ttabs, ünïcödé 🎞 and a, b\r\nof Windows'},
        {"name": "a · rate 0.001, batch 16", "batch_size": 8, "sweep": ""},
        {"flips": False, "quarter_turns": True, "compile": True},
    ],
    ids=str,
)
def test_odd_values_of_a_training_round_trip(values: Values) -> None:
    round_trip("model", **values)


@pytest.mark.parametrize(
    "values",
    [
        {"source": {**STREAM, "offset": -8}},
        {"source": {**STREAM, "raw": {"width": 352, "height": 288, "pixel_format": "nv12"}}},
        {"source": {"kind": "compress", "originals": "/o", "qp": [27, 32, 37]}},
        {"source": {"kind": "compress", "originals": "/o", "crf": [18, 23.5], "bitrate": [100]}},
        {"source": {"kind": "compress", "originals": "/o", "qp": [37], "crf": [20]}},
        {
            "source": {
                "kind": "compress",
                "originals": "/o",
                "frame_rate": 23.976,
                "b_frames": 0,
                "gop": None,
            }
        },
        {"source": {"stream": "/a b/it's, $x.h264", "originals": "/-o\n"}},
        {
            "keep_decoded": True,
            "patches": {"size": 64, "stride": 8},
            "frames": {"first": 2, "last": 9},
        },
        {"name": "--stream", "notes": "a\r\nb"},
    ],
    ids=str,
)
def test_odd_values_of_a_dataset_round_trip(values: Values) -> None:
    round_trip("dataset", **values)


@pytest.mark.parametrize(
    "text", [" layer {}", "a\r\nb\r\n", "\n\n", "'\"$(rm -rf /)\\\n", "x" * 100_000]
)
def test_a_pasted_network_round_trips_unchanged(text: str) -> None:
    network = {"name": "custom", "prototxt": text}
    spec = ModelSpec.model_validate({**MODEL, "network": network})
    line = as_command("model", dumped(spec))
    assert _requested_training(options_of(line, "train"), {})["network"] == network


def test_only_non_default_options_are_in_the_command() -> None:
    assert (
        round_trip("dataset")
        == "clearframe dataset create --stream /s.h264 --originals /o --name d"
    )
    spec = {**dumped(ModelSpec.model_validate(MODEL)), "sweep": "abc"}
    assert as_command("model", spec) == "clearframe train --name m --dataset abcdefgh --epochs 30"
    values = {
        "network": {"name": "dncnn", "depth": 9},
        "loss": {"name": "l2"},
        "flips": False,
        "minutes": 5,
    }
    assert round_trip("model", **values) == (
        "clearframe train --name m --dataset abcdefgh --network dncnn --network-depth 9 --loss l2 "
        "--minutes 5 --no-flips"
    )


def test_missing_fields_of_an_older_spec_count_as_defaults() -> None:
    assert as_command("model", MODEL) == "clearframe train --name m --dataset abcdefgh"


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "image", "pair": 3, "layers": False, "name": "the third"},
        {
            "kind": "image",
            "stream": "/a b.h264",
            "frame": 0,
            "target": "/t.png",
            "snapshot": "epoch-0003",
        },
        {"kind": "images", "images": ["/a, b/1.png", "/c's"], "targets": "/t"},
        {"kind": "split", "split": "test", "filters": True},
        {"kind": "video", "video": "/v.mp4", "originals": "/o", "codec": "ffv1", "qp": 27},
    ],
    ids=str,
)
def test_every_setting_of_a_test_round_trips(values: Values) -> None:
    kind = TESTS[values["kind"]]
    spec = validate(kind, {**values, "model": "abcdefgh"})
    options = options_of(as_command("test", spec.model_dump(mode="json")), "test", values["kind"])
    typed = typed_values(kind, {key: value for key, value in options.items() if key != "model"})
    assert validate(kind, {**typed, "kind": values["kind"], "model": options["model"]}) == spec


def test_a_command_recreates_the_training_in_a_home(tmp_path: Path) -> None:
    """Covers a pasted network that names a loss, and Python files; uses the command's checks."""
    dataset = folders.create(
        tmp_path, "dataset", DatasetSpec.model_validate({"name": "d", "source": STREAM})
    )
    with EventLog(dataset.events) as log:
        log.append(
            "state",
            state="done",
            reason="",
            summary={"pairs": {"train": 9}, "channels": 3, "smallest_side": 64},
        )
    (tmp_path / "it's.py").write_text("def network(channels): ...")
    text = (EXAMPLES / "sr-model.prototxt").read_text()
    variants: list[Values] = [
        {"network": {"name": "custom", "prototxt": text}},
        {"network": {"name": "custom", "prototxt": text}, "loss": {"name": "charbonnier"}},
        {"network": {"name": "python", "file": str(tmp_path / "it's.py")}},
        {"loss": {"name": "python", "file": str(tmp_path / "it's.py")}},
    ]
    for values in variants:
        spec = ModelSpec.model_validate({"name": "m", "dataset": dataset.id, **values})
        line = as_command("model", dumped(spec))
        assert ("--allow-user-code" in line) == ("prototxt" not in str(values))
        (recreated,) = _trainings(
            _requested_training(options_of(line, "train"), {}), Here(tmp_path), True
        )
        assert dumped(recreated) == dumped(spec)


def test_crlf_line_ends_of_browsers_become_lf() -> None:
    from werkzeug.datastructures import MultiDict

    typed = MultiDict({"network.name": "custom", "network.prototxt": "a\r\nb", "name": " m "})
    values = values_of(ModelSpec, typed)
    assert (values["network"]["prototxt"], values["name"]) == ("a\nb", "m")
