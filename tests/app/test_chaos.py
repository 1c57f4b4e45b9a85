"""Everything goes wrong for a minute: then all is quiet, and what is told is true.

Twelve jobs, forty faults in an order that the seed gives: the server or a worker is killed, or stopped for a moment, the disk is
full for a moment, a browser's connection is cut. After it each job is done, or says truly why not; no log has lost a number, the
database is what the logs say, the browsers have seen each event once; and what failed ends well when it is resumed.
"""

import gc
import json
import os
import random
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import socketio

from jobs.core import launcher
from jobs.core.events import FINAL_STATES, Event, read
from jobs.core.folder import JobFolder
from jobs.core.view import empty, fold
from tests.support.disk import fill, small_disk
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]

SEED = 7
JOBS = 12
FAULTS = 40
CLIENTS = 3


class Browser:
    """A page that watches jobs, and asks for what it missed whenever its connection is there again."""

    def __init__(self, url: str) -> None:
        self.seen: dict[str, list[int]] = {}
        self._cut: list[Any] = []
        self._client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5)
        self._client.on("connect", self._watch_all, "/jobs")
        self._client.on("events", self._take_in, "/jobs")
        self._client.connect(url, namespaces=["/jobs"], transports=["websocket"])

    def watch(self, job: str) -> None:
        self.seen[job] = []
        with suppress(
            socketio.exceptions.BadNamespaceError
        ):  # It is just away: it asks when it is back.
            self._ask(job)

    def _watch_all(self) -> None:
        for job in list(self.seen):
            self._ask(job)

    def _ask(self, job: str) -> None:
        self._client.emit(
            "watch", {"job": job, "since": self.seen[job][-1] if self.seen[job] else 0}, "/jobs"
        )

    def _take_in(self, message: dict[str, Any]) -> None:
        seen = self.seen[message["job"]]
        # As static/js/base/live.js: what was sent twice over a new connection is no news.
        seen += [
            event["seq"] for event in message["events"] if event["seq"] > (seen[-1] if seen else 0)
        ]

    def cut(self) -> None:
        wire = self._client.eio.ws and self._client.eio.ws.sock
        if wire:  # It may be without one already.
            self._cut.append(wire)
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._client.reconnection = False  # Nor where it finds its server at this very moment.
        self._client.shutdown()
        for wire in self._cut:
            wire.close()


class Chaos:
    """What is done to a server and its jobs, and to whom: so that it is known which reasons are true."""

    def __init__(self, server: Server, disk: Path, browsers: list[Browser]) -> None:
        self.server, self.disk, self.browsers = server, disk, browsers
        self.random = random.Random(SEED)
        self.jobs: list[str] = []
        self.killed: set[str] = set()
        self.starved: set[str] = set()
        """Those that were not at their end while the disk was full."""

    def folder(self, id: str) -> JobFolder:
        return JobFolder(self.server.home / "jobs" / id)

    def faults(self) -> list[Callable[[], None]]:
        kinds = {
            self.kill_server: 8,
            self.kill_worker: 10,
            self.stop_server: 4,
            self.stop_worker: 4,
            self.fill_disk: 5,
            self.cut: 9,
        }
        faults = [fault for fault, times in kinds.items() for _ in range(times)]
        assert len(faults) == FAULTS
        self.random.shuffle(faults)
        return faults

    def kill_server(self) -> None:
        self.server.kill()
        time.sleep(self.random.uniform(0, 0.5))
        self.server.start()

    def kill_worker(self) -> None:
        for id, pid in self._workers():
            self.killed.add(id)
            with suppress(ProcessLookupError):  # It has just ended by itself.
                os.killpg(pid, signal.SIGKILL)

    def stop_server(self) -> None:
        self._stop_and_continue(lambda number: os.kill(self.server.process.pid, number))

    def stop_worker(self) -> None:
        for _, pid in self._workers():
            with suppress(ProcessLookupError):
                self._stop_and_continue(partial(os.killpg, pid))

    def fill_disk(self) -> None:
        # Asked before: one may have met the full disk, and have said so, by the time that all is filled.
        self.starved |= {
            id for id in self.jobs if self.events(id)[-1].get("state") not in FINAL_STATES
        }
        ballast = fill(self.disk)
        time.sleep(self.random.uniform(0.3, 1))
        ballast.unlink()

    def cut(self) -> None:
        self.random.choice(self.browsers).cut()

    def events(self, id: str) -> list[Event]:
        return list(read(self.folder(id).events))

    def _workers(self) -> list[tuple[str, int]]:
        """One job that is at work, with its process; none where none is."""
        at_work = [
            (id, pid) for id in self.jobs if (pid := self.folder(id).worker_pid()) is not None
        ]
        return [self.random.choice(at_work)] if at_work else []

    def _stop_and_continue(self, send: Callable[[signal.Signals], None]) -> None:
        send(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.1, 0.8))
        send(signal.SIGCONT)


@pytest.fixture
def chaos(tmp_path: Path, clip: Clip) -> Iterator[Chaos]:
    with (
        small_disk(tmp_path, 160) as disk,
        Server(disk / "home", [clip[0].parent], free_port()) as server,
    ):
        browsers = [Browser(server.url) for _ in range(CLIENTS)]
        yield Chaos(server, disk, browsers)
        for browser in browsers:
            browser.close()
        browsers.clear()
        gc.collect()  # Of those connections is heard here, not in other tests.


# python-socketio's client leaves connections unclosed that its server dropped.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
def test_after_forty_faults_all_that_is_told_is_true(chaos: Chaos, clip: Clip) -> None:
    server = chaos.server
    make = makers(chaos, clip)
    for number, fault in enumerate(chaos.faults()):
        if number % 4 == 0:
            new = make.pop(0)()
            chaos.jobs += new
            for browser in chaos.browsers:
                for id in new:
                    browser.watch(id)
        fault()
        time.sleep(chaos.random.uniform(0.1, 1.2))
    assert len(chaos.jobs) == JOBS

    all_have_ended(chaos)
    for id in chaos.jobs:
        reason_is_true(chaos, id)
    all_agree(chaos)

    for id in chaos.jobs:  # Datasets come before the models that wait for them.
        if server.job(id)["state"] != "done":
            assert server.call(f"/jobs/{id}/resume", {})[0] == 202
            server.wait(id, "done")
    all_agree(chaos)
    nobody_is_left(chaos)


def makers(chaos: Chaos, clip: Clip) -> list[Callable[[], list[str]]]:
    """Each makes a job or two: datasets with models on them, models on one that is there already, tests of one that is ready."""
    server = chaos.server
    ready = server.dataset(clip)
    server.wait(ready, "done")
    small = {"name": "m", "batch_size": 4, "patch_size": 16, "patches_per_frame": 2, "epochs": 60}
    model = server.create("/models", {**small, "dataset": ready, "epochs": 1})
    server.wait(model, "done")
    image = str(next(clip[1].glob("*.bmp*")))

    def test(**of: Any) -> str:
        return server.create(f"/models/{model}/tests", of)

    def train(dataset: str) -> str:
        return server.create("/models", {**small, "dataset": dataset})

    def both(name: str) -> list[str]:
        dataset = server.dataset(clip, name=name)
        return [dataset, train(dataset)]

    return [
        lambda: [train(ready)],
        lambda: both("first"),
        lambda: [test(image=image)],
        lambda: [test(kind="split", split="val")],
        lambda: both("second"),
        lambda: [test(image=image, target=image)],
        lambda: [test(kind="video", video=str(clip[0]))],
        lambda: [train(ready)],
        lambda: [test(kind="images", images=[str(clip[1])])],
        lambda: [test(image=image, layers=False)],
    ]


def all_have_ended(chaos: Chaos) -> None:
    deadline = time.monotonic() + 180
    while left := [id for id in chaos.jobs if chaos.server.job(id)["state"] not in FINAL_STATES]:
        assert time.monotonic() < deadline, [chaos.server.job(id) for id in left]
        time.sleep(0.2)


def reason_is_true(chaos: Chaos, id: str) -> None:
    job = chaos.server.job(id)
    if job["state"] == "done":
        return
    assert job["state"] == "error", job
    reason = job["reason"]
    if id in chaos.killed and reason.startswith("The worker ended without saying how."):
        return
    if id in chaos.starved and re.search(
        "disk is full|No space left|not enough room|only .* are free", reason
    ):
        return
    told = f"{job['kind']}, killed: {id in chaos.killed}, without room: {id in chaos.starved}: {reason}"
    assert job["kind"] == "model", told
    assert reason.startswith("Its dataset"), told
    assert chaos.server.job(job["spec"]["dataset"])["state"] == "error", told


def all_agree(chaos: Chaos) -> None:
    """Logs, database, API and browsers tell the same."""
    with sqlite3.connect(chaos.server.home / "clearframe.db") as database:
        rows = {
            row[0]: row[1:] for row in database.execute("SELECT id, state, view, offset FROM jobs")
        }
    for id in chaos.jobs:
        events = chaos.events(id)
        numbers = [event["seq"] for event in events]
        assert numbers == list(range(1, len(events) + 1)), id
        view = empty()
        for event in events:
            view = fold(view, event)
        state, row_view, offset = rows[id]
        assert (state, json.loads(row_view), offset) == (
            view["state"],
            view,
            chaos.folder(id).size(),
        )
        assert chaos.server.job(id)["seq"] == len(events)
        # Each run was asked for: no job ran twice.
        states = " ".join(event["state"] for event in events if event["type"] == "state")
        assert re.fullmatch(
            r"waiting( running)? (done|error)( waiting( running)? (done|error))*", states
        ), states
        for browser in chaos.browsers:
            saw_all(browser, id, numbers)


def saw_all(browser: Browser, id: str, numbers: list[int]) -> None:
    deadline = time.monotonic() + 20
    while len(browser.seen[id]) < len(numbers):
        assert time.monotonic() < deadline, (id, browser.seen[id], len(numbers))
        time.sleep(0.05)
    assert browser.seen[id] == numbers


def nobody_is_left(chaos: Chaos) -> None:
    """No process works on a job of this home any more."""
    deadline = time.monotonic() + 10  # Who has just said the last word is still leaving.
    while left := workers_of(chaos.server.home):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def workers_of(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # It has ended, or is somebody else's.
            if process.environ().get(launcher.JOB, "").startswith(str(home / "jobs")):
                found.append(" ".join(process.cmdline()))
    return found
