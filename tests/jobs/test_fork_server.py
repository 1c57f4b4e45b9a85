"""Forked workers are like started ones, and need the fork server only to start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from jobs.core import folder as folders
from jobs.core import launcher, processes
from jobs.core.events import last_state
from jobs.core.paths import ROOT
from jobs.core.processes import FORK_SERVER, ForkedProcess, Process
from jobs.specs import DatasetSpec
from tests.support.server import Server
from tests.support.waiting import has_ended, wait_until

MODULE = "tests.support.forked"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks workers")

Clip = tuple[Path, Path]


@contextmanager
def another_fork_server(path: Path, minutes: float) -> Iterator[tuple[Process, int]]:
    """A fork server that the one of all tests has forked, which so need not load; and its owner.

    The owner is a descriptor, which the test closes.
    """
    stdin, owner = os.pipe()
    process = processes.start("jobs.fork_server", [str(path), str(minutes)], stdin=stdin)
    os.close(stdin)
    yield process, owner
    process.kill()
    process.wait(timeout=60)


@pytest.fixture
def own_fork_server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Process]:
    """A fork server that the test may end."""
    path = tmp_path_factory.mktemp("fork") / "socket"
    with another_fork_server(path, 0) as (process, owner):
        wait_until(path.exists, "the fork server still loads")
        monkeypatch.setenv(FORK_SERVER, str(path))
        yield process
        os.close(owner)


def report(**options: object) -> dict[str, object]:
    done = processes.run(MODULE, ["report", "a b", "ü"], timeout=60, **options)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_forked_process_has_its_own_arguments_session_environment_and_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARFRAME_TEST", "from the caller")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    answer = report(env={"CUDA_VISIBLE_DEVICES": "1,3"})
    assert answer["arguments"] == ["a b", "ü"]
    assert answer["argv"] == [MODULE, "report", "a b", "ü"]
    assert answer["session"] == answer["pid"]
    assert answer["folder"] == str(ROOT)
    assert answer["temporary"] == str(tmp_path)
    assert answer["descriptors"] == [0, 1, 2]
    environment = answer["environment"]
    assert isinstance(environment, dict)
    assert environment == {
        **os.environ,
        **processes.PERFORMANCE,
        **processes.GPU_ORDER,
        "CUDA_VISIBLE_DEVICES": "1,3",
    }


def test_forked_processes_share_no_random_numbers_and_compute_as_others() -> None:
    first, second = report(), report()
    assert first["random"] != second["random"]
    assert first["python_random"] != second["python_random"]
    assert first["seed"] != second["seed"]
    assert first["product"] == 64.0**3
    threads = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    assert first["threads"] == int(subprocess.check_output(threads, timeout=120))


def test_input_output_errors_and_exit_status_are_those_of_a_started_process() -> None:
    text = "text ü" * 100_000
    assert processes.run(MODULE, ["read"], text, timeout=60).stdout == text + "\n"
    assert processes.run(MODULE, ["return", "7"], timeout=60).returncode == 7
    failed = processes.run(MODULE, ["raise", "the reason"], timeout=60)
    assert failed.returncode == 1
    assert "in main" in failed.stderr
    assert processes.last_line(failed) == "ValueError: the reason"
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(MODULE, ["sleep"], timeout=0.5)


def test_descriptors_are_passed_under_their_numbers() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            os.dup2(theirs.fileno(), 300)
            process = processes.start(MODULE, ["write", "300"], pass_fds=[300])
            os.close(300)
        assert ours.recv(100) == b"written"
        assert process.wait(timeout=60) == 0


def test_a_process_shows_its_command_and_its_job(tmp_path: Path) -> None:
    process = processes.start(MODULE, ["sleep"], {launcher.JOB: str(tmp_path / "job")})
    assert isinstance(process, ForkedProcess)
    shown = psutil.Process(process.pid)
    assert [word for word in shown.cmdline() if word] == [sys.executable, "-m", MODULE, "sleep"]
    assert shown.environ() == {launcher.JOB: str(tmp_path / "job")}
    assert process.poll() is None
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL


def test_several_threads_may_wait_for_the_same_process(python: Callable[[str], str]) -> None:
    """As greenlets do in the server: one of them reads the exit status, the others know it."""
    code = f"""
from gevent import monkey
monkey.patch_all()
import gevent
from jobs.core import processes
process = processes.start({MODULE!r}, ["return", "3"])
waiting = [gevent.spawn(process.wait) for _ in range(4)]
print([greenlet.get() for greenlet in waiting], process.poll(), type(process).__name__)
"""
    assert python(code) == "[3, 3, 3, 3] 3 ForkedProcess\n"


def test_a_client_that_gives_up_leaves_no_process(tmp_path: Path) -> None:
    """It starts the process in another way: the same job must not run twice."""
    with socket.socket(socket.AF_UNIX) as connection, open(os.devnull, "r+b") as null:
        connection.connect(os.environ[FORK_SERVER])
        connection.shutdown(socket.SHUT_RD)
        request = {
            "module": MODULE,
            "arguments": ["touch", str(tmp_path / "started")],
            "environment": dict(os.environ),
            "descriptors": [0, 1, 2],
        }
        processes.send(connection, request, [null.fileno()] * 3)
        connection.shutdown(socket.SHUT_WR)
    assert processes.run(MODULE, ["touch", str(tmp_path / "next")], timeout=60).returncode == 0
    assert (tmp_path / "next").exists()
    assert not (tmp_path / "started").exists()


def test_without_a_fork_server_a_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FORK_SERVER, str(tmp_path / "none"))
    process = processes.start(MODULE, ["return", "7"])
    assert isinstance(process, subprocess.Popen)
    assert process.wait(timeout=60) == 7


def test_a_job_goes_on_when_the_fork_server_is_killed(
    own_fork_server: Process, home: Path, clip: Clip
) -> None:
    process = processes.start(MODULE, ["sleep"])
    own_fork_server.kill()
    own_fork_server.wait(60)
    assert process.poll() is None
    process.kill()
    assert process.wait(timeout=60) == processes.UNKNOWN_STATUS
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    spec = DatasetSpec.model_validate({"name": "clip", "source": source})
    folder = folders.create(home, "dataset", spec)
    assert launcher.start(folder) is not None
    deadline = time.monotonic() + 60
    while (state := last_state(folder.events)) is None or state["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_ends_with_its_owner_and_after_a_time_without_work(tmp_path: Path) -> None:
    for minutes in (0.0, 0.001):
        path = Path("/tmp") / f"clearframe-test-{os.getpid()}" / "socket"
        path.parent.mkdir()
        with another_fork_server(path, minutes) as (process, owner):
            if not minutes:
                os.close(owner)
            assert process.wait(timeout=60) == 0
            assert not path.parent.exists()
            if minutes:
                os.close(owner)


def wait_for_fork_server(server: Server, unlike: int = 0) -> psutil.Process:
    """Wait until the server has a fork server that accepts requests."""
    deadline = time.monotonic() + 60
    while True:
        for child in psutil.Process(server.process.pid).children():
            command = [] if child.status() == psutil.STATUS_ZOMBIE else child.cmdline()
            if "jobs.fork_server" in command and child.pid != unlike and Path(command[3]).exists():
                return child
        assert time.monotonic() < deadline, "the server has no fork server"
        time.sleep(0.05)


def test_a_server_starts_a_new_fork_server_when_one_is_killed(
    home: Path, clip: Clip, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FORK_SERVER)
    with Server(home, [clip[0].parent], free_port) as server:
        first = wait_for_fork_server(server)
        first.kill()
        server.wait(server.dataset(clip), "done")
        second = wait_for_fork_server(server, first.pid)
        path = Path(second.cmdline()[3])
        server.wait(server.dataset(clip), "done")
    # The server was killed.
    wait_until(lambda: has_ended(second.pid), "the fork server goes on without its server")
    assert not path.parent.exists()


def test_after_an_idle_end_the_next_worker_makes_it_load_once(python: Callable[[str], str]) -> None:
    code = """
from gevent import monkey
monkey.patch_all()
import os, subprocess
import gevent
from gevent.queue import Queue
from app.runner import fork_server
os.environ.pop(fork_server.FORK_SERVER, None)
started = Queue()

def end_at_once(path, minutes):
    process = subprocess.Popen(["true"])
    started.put(process)
    return process

fork_server.start_fork_server = end_at_once
server = fork_server.ForkServer(1.0)
server.wake()  # A worker that it starts itself.
gevent.spawn(server.run)
started.get(timeout=60).wait(60)
gevent.sleep(0.2)
again = started.qsize()
server.wake()
print(again, started.get(timeout=60).wait(60))
"""
    assert python(code) == "0 0\n"
