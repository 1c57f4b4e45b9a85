"""A server and a worker whose folders become read-only: each request and job gets a sentence."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.core import folder as folders
from jobs.core.events import last_state
from jobs.core.paths import ROOT
from jobs.specs import DatasetSpec
from tests.conftest import Clip
from tests.support.permissions import (
    hold_to_permissions,
    run_as_ordinary_user,
    skip_unless_permissions_hold,
)
from tests.support.server import Server, free_port


@pytest.fixture
def locked(clip: Clip, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server with a finished dataset; the folders in its home are read-only."""
    skip_unless_permissions_hold(tmp_path)
    home = tmp_path / "home"
    server = Server(home, [clip[0].parent], free_port())
    server.options = ["--preload-minutes=0"]
    server.before_start = hold_to_permissions
    with server:
        dataset = server.dataset(clip)
        server.wait(dataset, "done")
        folders = [path for path in (home, *home.rglob("*")) if path.is_dir()]
        for path in folders:
            path.chmod(0o555)
        yield server, dataset
        for path in folders:
            path.chmod(0o755)


def test_requests_that_write_get_a_sentence(locked: tuple[Server, str], clip: Clip) -> None:
    server, dataset = locked
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    requests = {
        "dataset": ("/datasets", {"name": "again", "source": source}, None),
        "model": ("/models", {"name": "m", "dataset": dataset, "steps": 1}, None),
        "rename": (f"/jobs/{dataset}", {"name": "other"}, "PATCH"),
        "delete": (f"/jobs/{dataset}", None, "DELETE"),
    }
    answers = {name: server.call(*request) for name, request in requests.items()}
    for name, (status, answer) in answers.items():
        assert status == 500, name
        assert "Permission denied. Check the permissions" in answer["error"]["message"], name
    assert server.job(dataset)["state"] == "done", "the server still responds"


def test_a_worker_whose_folder_is_read_only_says_so_in_its_log(clip: Clip, tmp_path: Path) -> None:
    skip_unless_permissions_hold(tmp_path)
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    spec = DatasetSpec.model_validate({"name": "d", "source": source})
    folder = folders.create(tmp_path / "home", "dataset", spec)
    folder.worker_lives()  # Makes the file of the lock.
    folder.path.chmod(0o555)
    done = run_as_ordinary_user([sys.executable, "-m", "jobs.run", str(folder.path)], ROOT)
    folder.path.chmod(0o755)
    assert "Traceback" not in done.stderr
    last = last_state(folder.events)
    assert last is not None
    assert last["state"] == "error"
    assert last["reason"].endswith(
        "Permission denied. Check the permissions and the disk, or choose another folder."
    )
