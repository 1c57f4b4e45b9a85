"""Tests of `clearframe jobs` and `clearframe compare` as processes, locally and on a server."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from clearframe import Client
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from tests.commands.test_train_command import SMALL
from tests.conftest import Clip, Make
from tests.support.command_line import clearframe
from tests.support.server import Server
from tests.support.waiting import next_line


def lines(*arguments: str | Path) -> list[str]:
    """The lines that a command prints to stdout when it succeeds."""
    done = clearframe(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_jobs_of_a_home(clip: Clip, home: Path, make_dataset: Make, make_model: Make) -> None:
    dataset: JobFolder = make_dataset(clip)
    model: JobFolder = make_model(dataset, epochs=1)
    here = ("--home", home)
    listed = json.loads("\n".join(lines("jobs", "list", *here, "--json")))
    assert [job["id"] for job in listed] == [model.id, dataset.id]
    (line,) = lines("jobs", "list", "--kind", "dataset", "--state", "done", *here)
    assert line.split()[:3] == [dataset.id, "dataset", "done"]
    name = dataset.read()["name"]
    assert json.loads("\n".join(lines("jobs", "show", name, *here, "--json")))["id"] == dataset.id
    assert any("best: epoch-0001" in line for line in lines("jobs", "show", model.id, *here))

    train = ("train", "--dataset", name, *here, *SMALL)
    second = lines(*train, "--name", "second", "--learning-rate", "0.0005")[0]
    assert JobFolder(home / "jobs" / second).spec().dataset == dataset.id
    extended = lines("jobs", "extend", "second", "--epochs", "2", *here)
    assert (extended[0], "best: epoch-000" in extended[1]) == (second, True)
    assert (home / "jobs" / second / "snapshots" / "epoch-0002.safetensors").exists()
    table = lines("compare", model.id, "second", *here)
    assert any(line.split()[-2:] == ["0.001", "0.0005"] for line in table)
    assert lines("jobs", "pin", "second", "--pair", "1", "--region", "0,16,32,16", *here) == ["100"]
    assert lines("jobs", "pins", "second", *here) == ["100  pair 1  32x16 at 0,16"]
    for arguments, status, message in (
        (("jobs", "unpin", "second", "101"), 1, "No sample 101 is pinned."),
        (("jobs", "resume", "second"), 1, "Only a job that failed or was aborted can be resumed."),
        (("jobs", "delete", dataset.id), 1, "is used by the models"),
        (("jobs", "extend", "second", "--epochs", "1"), 2, "--epochs: The training was planned"),
        (("jobs", "abort", "second"), 1, "The job has already ended."),
        (("jobs", "show", "nobody"), 2, "has the name or the id nobody"),
        (("compare", dataset.id, model.id), 1, "is a dataset, not a model"),
    ):
        refused = clearframe(*arguments, *here)
        assert (refused.returncode, message in refused.stderr) == (status, True), refused.stderr
    assert lines("jobs", "delete", "second", model.id, *here) == [second, model.id]
    assert lines("jobs", "delete", dataset.id, *here) == [dataset.id]
    assert lines("jobs", "list", *here) == []
    refused = clearframe("probe", *here)
    assert (refused.returncode, refused.stderr) == (
        2,
        "Error: --stream: This field is required.\n--originals: This field is required.\n",
    )


def test_two_jobs_of_a_name_need_an_id(clip: Clip, home: Path, make_dataset: Make) -> None:
    ids = [make_dataset(clip).id, make_dataset(clip).id]
    name = JobFolder(home / "jobs" / ids[0]).read()["name"]
    refused = clearframe("train", "--dataset", name, "--name", "m", "--home", home)
    assert refused.returncode == 2
    assert f"--dataset: 2 datasets have the name {name}: " in refused.stderr
    assert all(id in refused.stderr for id in ids)


def test_jobs_of_a_server(clip: Clip, server: Server) -> None:
    there = ("--server", server.url)
    dataset = server.dataset(clip)
    train = ("train", "--dataset", "clip", "--patch-size", "32", *there, "--no-wait")
    (id,) = lines(*train, "--name", "long", "--minutes", "10")
    server.wait(id, "running")
    watching = subprocess.Popen(
        [sys.executable, "-m", "commands.main", "jobs", "wait", "long", *there],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert next_line(watching, watching.stderr).startswith(id)
    server.restart()
    watching.send_signal(signal.SIGINT)
    _, stderr = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert f"clearframe jobs abort {id} --server {server.url}" in stderr
    assert server.job(id)["state"] == "running"
    training = Client(server.url).jobs.get(id)
    assert training.pin(0) == {"index": 100, "pair": 0, "region": None}
    assert lines("jobs", "pins", "long", *there) == ["100  pair 0  whole frame"]
    training.unpin(100)
    assert training.pinned() == []
    assert lines("jobs", "abort", "long", *there) == [id]
    ended = clearframe("jobs", "wait", id, "--json", *there)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["state"] == "aborted"
    assert "Aborted by the user." in ended.stderr
    both = json.loads("\n".join(lines(*train, "--name", "two", "--batch-size", "8,16", "--json")))
    assert [job["name"] for job in both] == ["two · batch 8", "two · batch 16"]
    for job in both:
        lines("jobs", "delete", job["id"], *there)
    assert lines("jobs", "log", dataset, *there) == []
    found = json.loads("\n".join(lines("jobs", "list", "--text", "long", "--json", *there)))
    assert [job["id"] for job in found] == [id]
