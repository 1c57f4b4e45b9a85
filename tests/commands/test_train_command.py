"""Tests of `clearframe train` as a process, locally and on a server."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from app.forms.command_line import option_name
from app.forms.fields import fields_of
from commands.train import _requested_training, train
from jobs.core.folder import JobFolder
from jobs.specs import ModelSpec
from tests.conftest import Clip
from tests.support.command_line import clearframe
from tests.support.server import Server

SMALL = (
    "--epochs",
    "1",
    "--patch-size",
    "32",
    "--patches-per-frame",
    "1",
    "--network-maps1",
    "8",
    "--network-maps2",
    "4",
)


def test_dataset_and_sweep_locally(clip: Clip, home: Path) -> None:
    made = clearframe(
        "dataset", "create", "--stream", clip[0], "--originals", clip[1], "--home", home
    )
    assert made.returncode == 0, made.stderr
    (dataset,) = (path.name for path in (home / "jobs").iterdir())

    options = ("--home", home, "--dataset", dataset, "--name", "m", *SMALL)
    done = clearframe(
        "train",
        *options,
        "--learning-rate",
        "0.001,0.0003",
        "--solver",
        "adamw",
        *DYING,
    )
    assert WARNING in done.stderr
    assert done.returncode == 0, done.stderr
    models = [JobFolder(path) for path in sorted((home / "jobs").iterdir()) if path.name != dataset]
    specs = [model.spec() for model in models]
    assert [model.read()["name"] for model in models] == ["m · rate 0.001", "m · rate 0.0003"]
    assert [spec.solver.learning_rate for spec in specs] == [0.001, 0.0003]
    assert {
        (spec.solver.name, spec.lr_policy.name, spec.sweep == specs[0].sweep != "")
        for spec in specs
    } == {("adamw", "polynomial", True)}
    first, second = (model.id for model in models)
    lines = done.stdout.splitlines()
    assert [lines[0], lines[2]] == [first, second]
    assert all("validation PSNR" in line for line in lines[1::2])


DYING = ("--lr-policy", "polynomial", "--lr-policy-power", "20")
WARNING = "Warning: The rate falls under 1 % of its base after 21 % of the run."


def test_errors_name_the_options(home: Path) -> None:
    done = clearframe(
        "train", "--home", home, "--dataset", "abcdefgh", "--name", "m", "--learning-rate", "fast"
    )
    assert done.returncode == 2
    assert "--learning-rate: Must be a number." in done.stderr
    done = clearframe("train", "--home", home, "--dataset", "abcdefgh", "--name", "m")
    assert "--dataset: This dataset does not exist." in done.stderr


def test_on_a_server(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    done = clearframe(
        "train",
        "--server",
        server.url,
        "--dataset",
        dataset,
        "--name",
        "far",
        *SMALL,
        *DYING,
        "--json",
    )
    assert WARNING in done.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["best"]["snapshot"] == "epoch-0001"


def merged(from_file: dict[str, Any], **typed: str) -> dict[str, Any]:
    """The settings of a training from a file, overridden by options."""
    missing = {field.name.replace(".", "__"): None for field in fields_of(ModelSpec)}
    return _requested_training({**missing, **typed}, from_file)


def test_options_override_settings_of_a_file() -> None:
    from_file = {
        "name": "m",
        "dataset": "abcdefgh",
        "network": {"name": "vdsr", "depth": 30},
        "loss": {"name": "charbonnier"},
        "epochs": 5,
    }
    assert merged(from_file) == from_file
    assert merged(from_file, network__depth="12", minutes="5") == {
        **{key: value for key, value in from_file.items() if key != "epochs"},
        "network": {"name": "vdsr", "depth": "12"},
        "minutes": "5",
    }
    other = merged(from_file, network__name="edsr", loss__name="l1")
    assert (other["network"], other["loss"]) == ({"name": "edsr"}, {"name": "l1"})


def test_rejects_bad_settings_before_it_creates_a_job(
    clip: Clip, home: Path, tmp_path: Path
) -> None:
    made = clearframe(
        "dataset", "create", "--stream", clip[0], "--originals", clip[1], "--home", home
    )
    assert made.returncode == 0, made.stderr
    (dataset,) = (path.name for path in (home / "jobs").iterdir())
    options = ("train", "--home", home, "--dataset", dataset, "--name", "m")
    spec = tmp_path / "spec.json"
    spec.write_text('{"network": "vdsr"}')
    for more, message in (
        (
            ("--network", "custom", "--network-prototxt", "layer {", "--loss", "l1"),
            "--network-prototxt: Line 1: ",
        ),
        (("--network", "python", "--network-file", "net.py"), "--allow-user-code"),
        (("--start-from", "abcdefgh"), "--start-from: This model does not exist."),
        (("--patch-size", "512"), "--patch-size: The smallest frame side of “clip” is 64 px"),
        (("--spec", spec), "--network: "),
        (("--check", "--start-file", clip[0]), "--start-file: clip.h264 is not a file of weights."),
    ):
        done = clearframe(*options, *more)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    misfit = clearframe(*options, "--network-prototxt", "layer {}")
    assert misfit.returncode == 2
    assert "--network-prototxt needs --network custom. Here it is srcnn-9-1-5" in misfit.stderr
    assert [path.name for path in (home / "jobs").iterdir()] == [dataset]


def test_an_option_of_several_kinds_has_the_choices_of_all() -> None:
    help = CliRunner().invoke(train, ["--help"], terminal_width=400).output
    assert "--network-start [identity|paper|starter]" in help
    for field in fields_of(ModelSpec):
        for value, _ in field.choices:
            assert value in help.split(f"{option_name(field.name)} [")[1].split("]")[0].split("|")
