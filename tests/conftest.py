"""Shared fixtures: small clips, homes, jobs and servers."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.core.processes import FORK_SERVER
from jobs.media.sample_clip import make_clip
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec, ModelSpec
from tests.support.fork_server import start as start_fork_server
from tests.support.server import Server
from tests.support.server import free_port as find_free_port
from tests.support.waiting import wait_until

gc.disable()  # What is made until all tests are found stays: `pytest_collection_finish` freezes it.

settings.register_profile("long", max_examples=2_000, deadline=None)

# Torch would start processes that compile, each with an import of torch: more than they compile.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
# It would compile a program for each instruction set, to see whether the compiler knows it.
os.environ.setdefault("TORCHINDUCTOR_VEC_ISA_OK", "1")

MEDIA = ROOT.parent / "shared" / "media"

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="more examples and faults: see `long` in conftest.py"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        settings.load_profile("long")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start one fork server for all servers and workers of this test run, while tests are found.

    The processes of pytest-xdist share it: their parent starts it, and they get its environment.
    """
    config = session.config
    if sys.platform != "linux" or hasattr(config, "workerinput") or config.option.collectonly:
        return
    path = Path(tempfile.mkdtemp(prefix="clearframe-tests-")) / "socket"
    process = start_fork_server(path)
    os.environ[FORK_SERVER] = str(path)

    def end() -> None:
        del os.environ[FORK_SERVER]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0, "the fork server failed"

    config.add_cleanup(end)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)  # Tests that trace networks were a tenth garbage collection.
    gc.enable()


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether tests by chance (fuzz, chaos, damage) try ten times as much or more: `--long`."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session", autouse=True)
def fork_server() -> None:
    """Wait for the fork server of `pytest_sessionstart`: workers then need not load torch."""
    if path := os.environ.get(FORK_SERVER):
        wait_until(Path(path).exists, "the fork server still loads, or has ended", seconds=240)


@pytest.fixture(scope="session", autouse=True)
def forked_servers() -> Iterator[None]:
    """Servers need not import all that they need for each test (macOS cannot fork safely)."""
    Server.forked = sys.platform == "linux"
    yield
    Server.forked = False


@pytest.fixture(scope="session", autouse=True)
def wait_for_workers(fork_server: None) -> Iterator[None]:
    """Wait for the workers that tests started, before the test run ends."""
    yield
    for child in launcher._started:
        child.wait(timeout=60)


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


@pytest.fixture(scope="session")
def finished_dataset(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """The dataset of `clip`. Tests use copies of it: see `dataset`."""
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    spec = DatasetSpec.model_validate({"name": "clip", "source": source})
    folder = folders.create(tmp_path_factory.mktemp("finished") / "home", "dataset", spec)
    run_worker(str(folder.path))
    return folder


@pytest.fixture
def dataset(finished_dataset: JobFolder, home: Path) -> JobFolder:
    """The dataset of `clip`, in the home of the test."""
    return JobFolder(shutil.copytree(finished_dataset.path, home / "jobs" / finished_dataset.id))


@pytest.fixture
def make_model(home: Path) -> Callable[..., JobFolder]:
    """Run a training job in this process; returns its folder."""

    def make(dataset: JobFolder, **fields: object) -> JobFolder:
        return train_small(home, dataset, **fields)

    return make


def train_small(home: Path, dataset: JobFolder, **fields: object) -> JobFolder:
    """Run a short training in this process; returns its folder."""
    small = {
        "name": "model",
        "dataset": dataset.id,
        "epochs": 2,
        "batch_size": 8,
        "patch_size": 32,
        "patches_per_frame": 2,
        # Without it, a slow machine would leave validations out.
        "validation_interval": None if "minutes" in fields else 1,
    }
    folder = folders.create(home, "model", ModelSpec.model_validate({**small, **fields}))
    run_worker(str(folder.path))
    return folder


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
            timeout=120,
        )
        return process.stdout

    return run
