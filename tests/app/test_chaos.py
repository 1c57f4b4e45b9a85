"""Chaos test: after many random faults, all recorded states and reasons are correct.

Twelve jobs run during twenty faults (with --long: two hundred), in an order that the seed
determines. The server or a worker is killed or suspended, the disk is full for a moment, or a
browser's connection is cut. Afterwards each job is done or has the true reason of its failure, no
log has lost an event, the database agrees with the logs, and the browsers have received each event
once. Failed jobs succeed when resumed.
"""

import json
import os
import random
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest

from jobs.core import launcher
from jobs.core.events import FINAL_STATES, read
from jobs.core.folder import JobFolder
from jobs.core.types.events import JobEvent
from jobs.core.view import empty, fold
from tests.support.disk import fill, small_disk
from tests.support.live import LiveClient
from tests.support.server import Server, free_port
from tests.support.waiting import LIMIT

Clip = tuple[Path, Path]

SEED = 7
JOBS = 12
ROUNDS, ROUNDS_LONG = 1, 10
CLIENTS = 3


class Browser:
    """A page that watches jobs and requests missed events after each reconnect."""

    def __init__(self, url: str) -> None:
        self.seen: dict[str, list[int]] = {}
        self._url = url
        self._client: LiveClient | None = None
        self._closed = Event()
        self._thread = Thread(target=self._stay_connected)
        self._thread.start()

    def watch(self, job: str) -> None:
        self.seen[job] = []
        # After a lost connection, the next one requests all jobs that were seen.
        with suppress(*LiveClient.LOST):
            if self._client is not None:
                self._client.watch(job)

    def _stay_connected(self) -> None:
        while not self._closed.wait(0.1):
            with suppress(*LiveClient.LOST), LiveClient(self._url) as self._client:
                for job, seen in list(self.seen.items()):
                    self._client.watch(job, seen[-1] if seen else 0)
                while True:
                    self._receive(self._client.receive())

    def _receive(self, message: dict[str, Any]) -> None:
        seen = self.seen[message["job"]]
        # As in static/js/base/live.js: ignore events that a new connection sends again.
        seen += [
            event["seq"] for event in message["events"] if event["seq"] > (seen[-1] if seen else 0)
        ]

    def cut(self) -> None:
        # It has been lost already.
        with suppress(*LiveClient.LOST):
            if self._client is not None:
                self._client.cut()

    def close(self) -> None:
        self._closed.set()
        began = time.monotonic()
        while self._thread.is_alive():  # It may be making its next connection.
            assert time.monotonic() - began < LIMIT, "the connection does not end"
            self.cut()
            self._thread.join(0.1)


class Chaos:
    """Injects faults into a server and its jobs, and records the victims to check their reasons."""

    def __init__(self, server: Server, disk: Path, browsers: list[Browser]) -> None:
        self.server, self.disk, self.browsers = server, disk, browsers
        self.random = random.Random(SEED)
        self.jobs: list[str] = []
        self.killed: set[str] = set()
        self.without_space: set[str] = set()
        """Jobs that had not ended when the disk was full."""

    def folder(self, id: str) -> JobFolder:
        return JobFolder(self.server.home / "jobs" / id)

    def faults(self, rounds: int) -> list[Callable[[], None]]:
        """Twenty faults a round."""
        kinds = {
            self.kill_server: 4,
            self.kill_worker: 5,
            self.suspend_server: 2,
            self.suspend_worker: 2,
            self.fill_disk: 3,
            self.cut: 4,
        }
        faults = [fault for fault, times in kinds.items() for _ in range(rounds * times)]
        self.random.shuffle(faults)
        return faults

    def kill_server(self) -> None:
        self.server.kill()
        time.sleep(self.random.uniform(0, 0.5))
        self.server.start()

    def kill_worker(self) -> None:
        for id, pid in self._workers():
            self.killed.add(id)
            with suppress(ProcessLookupError):  # The worker has just ended.
                os.killpg(pid, signal.SIGKILL)

    def suspend_server(self) -> None:
        self._suspend(lambda number: os.kill(self.server.process.pid, number))

    def suspend_worker(self) -> None:
        for _, pid in self._workers():
            with suppress(ProcessLookupError):
                self._suspend(partial(os.killpg, pid))

    def fill_disk(self) -> None:
        # Before the disk is full, because a job may fail while it fills up.
        self.without_space |= {
            id for id in self.jobs if self.events(id)[-1].get("state") not in FINAL_STATES
        }
        ballast = fill(self.disk)
        time.sleep(self.random.uniform(0.3, 1))
        ballast.unlink()

    def cut(self) -> None:
        self.random.choice(self.browsers).cut()

    def events(self, id: str) -> list[JobEvent]:
        return list(read(self.folder(id).events))

    def _workers(self) -> list[tuple[str, int]]:
        """A random running job with its worker's pid, in a list that is empty if no job runs."""
        running = [
            (id, pid) for id in self.jobs if (pid := self.folder(id).worker_pid()) is not None
        ]
        return [self.random.choice(running)] if running else []

    def _suspend(self, send: Callable[[signal.Signals], None]) -> None:
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


def test_after_many_faults_all_states_and_reasons_are_true(
    chaos: Chaos, clip: Clip, long: bool
) -> None:
    server = chaos.server
    make = job_makers(chaos, clip)
    faults = chaos.faults(ROUNDS_LONG if long else ROUNDS)
    faults_a_job = len(faults) // len(make)
    for number, fault in enumerate(faults):
        if number % faults_a_job == 0:
            new = make.pop(0)()
            chaos.jobs += new
            for browser in chaos.browsers:
                for id in new:
                    browser.watch(id)
        fault()
        time.sleep(chaos.random.uniform(0.1, 1.2))
    assert len(chaos.jobs) == JOBS

    wait_until_all_have_ended(chaos)
    for id in chaos.jobs:
        check_reason(chaos, id)
    check_agreement(chaos)

    for id in chaos.jobs:  # Datasets come before the models that wait for them.
        if server.job(id)["state"] != "done":
            assert server.call(f"/jobs/{id}/resume", {})[0] == 202
            server.wait(id, "done")
    check_agreement(chaos)
    check_no_worker_is_left(chaos)


def job_makers(chaos: Chaos, clip: Clip) -> list[Callable[[], list[str]]]:
    """Functions that create one or two jobs each.

    They create datasets with models, models of a finished dataset, and tests of a finished model.
    """
    server = chaos.server
    ready = server.dataset(clip)
    server.wait(ready, "done")
    small = {"name": "m", "batch_size": 4, "patch_size": 16, "patches_per_frame": 2, "epochs": 40}
    model = server.create("/models", {**small, "dataset": ready, "epochs": 1})
    server.wait(model, "done")
    image = str(next(clip[1].glob("*.bmp*")))

    def test(**fields: Any) -> str:
        return server.create(f"/models/{model}/tests", fields)

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


def wait_until_all_have_ended(chaos: Chaos) -> None:
    deadline = time.monotonic() + 180
    while unfinished := [
        id for id in chaos.jobs if chaos.server.job(id)["state"] not in FINAL_STATES
    ]:
        assert time.monotonic() < deadline, [chaos.server.job(id) for id in unfinished]
        time.sleep(0.2)


def check_reason(chaos: Chaos, id: str) -> None:
    job = chaos.server.job(id)
    if job["state"] == "done":
        return
    assert job["state"] == "error", job
    reason = job["reason"]
    if id in chaos.killed and reason.startswith("The worker exited unexpectedly."):
        return
    if id in chaos.without_space and re.search("disk is full|only .* free", reason):
        return
    faults = f"killed: {id in chaos.killed}, disk full: {id in chaos.without_space}"
    details = f"{job['kind']}, {faults}: {reason}"
    assert job["kind"] == "model", details
    assert reason.startswith("Its dataset"), details
    assert chaos.server.job(job["spec"]["dataset"])["state"] == "error", details


def check_agreement(chaos: Chaos) -> None:
    """Logs, database, API and browsers agree."""
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
        # Each run follows a request: no job ran twice.
        states = " ".join(event["state"] for event in events if event["type"] == "state")
        assert re.fullmatch(
            r"waiting( running)? (done|error)( waiting( running)? (done|error))*", states
        ), states
        for browser in chaos.browsers:
            check_received(browser, id, numbers)


def check_received(browser: Browser, id: str, numbers: list[int]) -> None:
    deadline = time.monotonic() + 60
    while len(browser.seen[id]) < len(numbers):
        assert time.monotonic() < deadline, (id, len(browser.seen[id]), len(numbers))
        time.sleep(0.05)
    assert browser.seen[id] == numbers


def check_no_worker_is_left(chaos: Chaos) -> None:
    """No process of a job of this home is alive."""
    deadline = time.monotonic() + 60  # A worker lives on for a moment after its last event.
    while workers := workers_of(chaos.server.home):
        assert time.monotonic() < deadline, workers
        time.sleep(0.1)


def workers_of(home: Path) -> list[str]:
    """The command lines of all processes of jobs of a home."""
    commands = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # It has ended, or belongs to another user.
            if process.environ().get(launcher.JOB, "").startswith(str(home / "jobs")):
                commands.append(" ".join(process.cmdline()))
    return commands
