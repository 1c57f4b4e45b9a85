"""Real things, made small: clips, homes, servers, browsers."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from socketio.base_client import reconnecting_clients

from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.media.sample_clip import make_clip
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec, ModelSpec
from tests.support.server import Server
from tests.support.server import free_port as a_free_port

MEDIA = ROOT.parent / "shared" / "media"

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


@pytest.fixture(scope="session", autouse=True)
def no_worker_is_left() -> Iterator[None]:
    """Workers that tests started by themselves have ended when the tests have."""
    yield
    for child in launcher._children:
        child.wait(timeout=30)


@pytest.fixture(autouse=True)
def no_client_tries_again() -> Iterator[None]:
    """No thread of a client is left that looks for its server until all tests have ended, and draws random numbers meanwhile."""
    yield
    left = list(reconnecting_clients)
    for client in left:
        client.shutdown()
    assert not left


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real media."""
    if not MEDIA.is_dir():
        pytest.skip("the folder ../shared/media with real clips is not here")
    return MEDIA


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A stream of 24 frames of 96x64 and the folder of its originals."""
    return make_clip(tmp_path_factory.mktemp("clip"), frames=24, width=96, height=64)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def make_dataset(home: Path) -> Callable[..., JobFolder]:
    """Run a dataset job here and now; returns its folder."""

    def make(clip: Clip, **fields: object) -> JobFolder:
        source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
        spec = DatasetSpec.model_validate({"name": "clip", "source": source, **fields})
        folder = folders.create(home, "dataset", spec)
        run_worker(str(folder.path))
        return folder

    return make


@pytest.fixture
def make_model(home: Path) -> Callable[..., JobFolder]:
    """Run a training job here and now; returns its folder."""

    def make(dataset: JobFolder, **fields: object) -> JobFolder:
        small = {
            "name": "model",
            "dataset": dataset.id,
            "epochs": 2,
            "batch_size": 8,
            "patch_size": 32,
            "patches_per_frame": 2,
        }
        folder = folders.create(home, "model", ModelSpec.model_validate({**small, **fields}))
        run_worker(str(folder.path))
        return folder

    return make


@pytest.fixture
def free_port() -> int:
    return a_free_port()


@pytest.fixture
def server(home: Path, tmp_path: Path, clip: Clip, free_port: int) -> Iterator[Server]:
    """A server of its own process, that may read the clip and the test's folder."""
    roots = [clip[0].parent, tmp_path]
    with Server(home, roots, free_port) as running:
        yield running


@pytest.fixture
def python() -> Callable[[str], str]:
    """Run a piece of Python in a process of its own; returns what it prints."""

    def run(code: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        return done.stdout

    return run
