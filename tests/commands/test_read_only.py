"""Every command on folders without write permission: a sentence, and never a traceback."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands.main import COMMANDS
from tests.conftest import Clip
from tests.support.command_line import clearframe
from tests.support.permissions import skip_unless_permissions_hold
from tests.support.server import free_port

SMALL = ["--steps", "1", "--patch-size", "32", "--network-maps1", "2", "--network-maps2", "2"]


class Place:
    """A home with a dataset and a model, and inputs; everything is read-only."""

    def __init__(self, folder: Path, clip: Clip) -> None:
        self.folder, self.home, self.clip = folder, folder / "home", clip
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        self.image = self.pictures / "a.png"
        Image.fromarray(np.full((48, 48, 3), 90, np.uint8)).save(self.image)
        home = ("--home", str(self.home))
        source = ("--stream", str(clip[0]), "--originals", str(clip[1]))
        self.done("dataset", "create", *source, *home)
        (self.dataset,) = (path.name for path in (self.home / "jobs").iterdir())
        self.done("train", "--dataset", self.dataset, "--name", "m", *SMALL, *home)
        self.model = next(
            path.name for path in (self.home / "jobs").iterdir() if path.name != self.dataset
        )
        self.video = folder / "clip.mkv"
        self.done("restore", str(clip[0]), str(self.video), "--model", self.model, *home)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

    def run(self, *arguments: str) -> tuple[int, str]:
        """The status and the errors of a command in the read-only folder."""
        env = {"PYTHONDONTWRITEBYTECODE": "1"}
        done = clearframe(*arguments, folder=self.folder, env=env, held=True)
        return done.returncode, done.stdout + done.stderr

    def done(self, *arguments: str) -> None:
        status, output = self.run(*arguments)
        assert status == 0, output


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Place:
    folder = tmp_path_factory.mktemp("read-only")
    skip_unless_permissions_hold(tmp_path_factory.mktemp("permissions"))
    return Place(folder, clip)


LINES = {
    "dataset create": "dataset create --stream {stream} --originals {originals} --home {home}",
    "dataset create, new home": "dataset create --originals {pictures} --home {folder}/new",
    "train": "train --dataset {dataset} --name n --steps 1 --patch-size 32 --home {home}",
    "test image": "test image {model} --image {image} --home {home}",
    "test images": "test images {model} --images {pictures} --home {home}",
    "test split": "test split {model} --home {home}",
    "test video": "test video {model} --video {stream} --home {home}",
    "export": "export {model} --home {home}",
    "export --out": "export {model} --home {home} --format safetensors --out {folder}/m.st",
    "restore image": "restore {image} {folder}/out.png --model {model} --home {home}",
    "restore folder": "restore {pictures} {folder}/out --model {model} --home {home}",
    "restore into": "restore {pictures} {folder} --model {model} --home {home}",
    "restore video": "restore {stream} {folder}/out.mp4 --model {model} --home {home}",
    "restore over": "restore {stream} {video} --overwrite --model {model} --home {home}",
    "jobs resume": "jobs resume {model} --home {home}",
    "jobs delete": "jobs delete {model} --home {home}",
    "jobs extend": "jobs extend {model} --steps 2 --home {home}",
    "upload": "upload {image} --server http://127.0.0.1:9",
    "serve": "serve --home {home} --port {port}",
    "serve, new home": "serve --home {folder}/new --port {port}",
    "doctor": "doctor --home {home}",
    "doctor, new home": "doctor --home {folder}/new",
}


def test_all_commands_that_write_are_tried() -> None:
    assert {line.split()[0] for line in LINES.values()} | {"compare", "demo", "probe"} == set(
        COMMANDS
    )


@pytest.mark.parametrize("name", LINES)
def test_a_place_without_write_permission_is_named_in_a_sentence(name: str, place: Place) -> None:
    stream, originals = place.clip
    line = LINES[name].format(**vars(place), stream=stream, originals=originals, port=free_port())
    status, output = place.run(*line.split())
    assert "Traceback" not in output
    assert status in (1, 2)
    assert "enied" in output or "Read-only" in output or "cannot" in output, output
    if not name.startswith("doctor"):
        assert "Error: " in output


def test_restoring_needs_no_writable_home(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    place.done(
        "restore", str(place.image), str(out), f"--model={place.model}", f"--home={place.home}"
    )
    assert out.exists()


def test_the_demo_names_a_home_without_write_permission(place: Place) -> None:
    options = [f"--home={place.folder}/new", f"--port={free_port()}"]
    status, output = place.run("demo", *options)
    assert "Traceback" not in output
    assert (status, str(place.folder) in output) == (1, True), output
