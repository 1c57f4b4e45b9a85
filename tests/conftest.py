"""Shared fixtures: small clips, homes, jobs and servers."""

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
from tests.support.server import free_port as find_free_port

MEDIA = ROOT.parent / "shared" / "media"

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


@pytest.fixture(scope="session", autouse=True)
def wait_for_workers() -> Iterator[None]:
    """Wait for the workers that tests started, before the test run ends."""
    yield
    for child in launcher._children:
        child.wait(timeout=30)


@pytest.fixture(autouse=True)
def no_reconnecting_clients() -> Iterator[None]:
    """Fail a test that leaves a Socket.IO client reconnecting.

    Its thread would draw random numbers during all later tests.
    """
    yield
    leftover = list(reconnecting_clients)
    for client in leftover:
        client.shutdown()
    assert not leftover


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real media."""
    if not MEDIA.is_dir():
        pytest.skip("the folder ../shared/media with real clips does not exist")
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
    """Run a dataset job in this process; returns its folder."""

    def make(clip: Clip, **fields: object) -> JobFolder:
        source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
        spec = DatasetSpec.model_validate({"name": "clip", "source": source, **fields})
        folder = folders.create(home, "dataset", spec)
        run_worker(str(folder.path))
        return folder

    return make


@pytest.fixture
def make_model(home: Path) -> Callable[..., JobFolder]:
    """Run a training job in this process; returns its folder."""

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
    return find_free_port()


@pytest.fixture
def server(home: Path, tmp_path: Path, clip: Clip, free_port: int) -> Iterator[Server]:
    """A server in its own process that may read the clip and the test's folder."""
    roots = [clip[0].parent, tmp_path]
    with Server(home, roots, free_port) as running:
        yield running


@pytest.fixture
def python() -> Callable[[str], str]:
    """Run Python code in a new process; returns its output."""

    def run(code: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        return process.stdout

    return run
