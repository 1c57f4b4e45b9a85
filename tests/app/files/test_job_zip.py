"""Job folders as ZIP downloads, of finished, running, changing and large jobs; records of jobs."""

import io
import itertools
import json
import os
import shlex
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.files import job_zip
from jobs.core.folder import JobFolder
from tests.conftest import Clip
from tests.support.server import Server

SMALL = {
    "batch_size": 8,
    "patch_size": 32,
    "patches_per_frame": 1,
    "network": {"maps1": 8, "maps2": 4},
}
GIGABYTE = 10**9


def download(server: Server, id: str) -> tuple[str, zipfile.ZipFile]:
    """The Content-Disposition header and the ZIP."""
    with urllib.request.urlopen(f"{server.url}/jobs/{id}.zip", timeout=120) as response:
        archive = zipfile.ZipFile(io.BytesIO(response.read()))
        assert response.headers["Content-Type"] == "application/zip"
        disposition: str = response.headers["Content-Disposition"]
    assert archive.testzip() is None
    return disposition, archive


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_zip_has_all_files_of_a_model_a_dataset_and_a_test(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    model = server.create(
        "/models", {"name": "My first: ½", "dataset": dataset, "epochs": 2, **SMALL}
    )
    server.wait(model, "done")
    test = server.create(f"/models/{model}/tests", {"pair": 0})
    server.wait(test, "done")
    for id, name in ((model, "My_first_12"), (dataset, "clip"), (test, "validation_pair_0")):
        disposition, archive = download(server, id)
        assert disposition == f'attachment; filename="{name}.zip"'
        files = files_of(server.home / "jobs" / id)
        assert files.pop("worker.lock") is not None
        archived = {
            path.removeprefix(f"{name}/"): archive.read(path) for path in archive.namelist()
        }
        record = json.loads(archived.pop("record.json"))
        assert record == server.call(f"/jobs/{id}/record")[1]
        assert archived.pop("command.txt", b"").decode().strip() == record["command"]
        assert archived == files
    methods = {Path(info.filename).suffix: info.compress_type for info in archive.infolist()}
    assert (methods[".jsonl"], methods[".png"]) == (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)


def test_a_record_has_all_that_is_needed_to_reproduce_a_run(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    model = server.create(
        "/models", {"name": "m", "dataset": dataset, "epochs": 1, "seed": 7, **SMALL}
    )
    job = server.wait(model, "done")
    status, record = server.call(f"/jobs/{model}/record")
    assert status == 200
    assert {
        key: record[key]
        for key in ("id", "kind", "name", "state", "seed", "spec", "created", "started", "finished")
    } == {
        **{
            key: job[key]
            for key in ("id", "kind", "name", "state", "spec", "created", "started", "finished")
        },
        "seed": 7,
    }
    facts = record["facts"]
    assert set(facts) >= {
        "parameters",
        "device",
        "precision",
        "hardware",
        "packages",
        "dataset_hash",
    }
    assert (len(facts["dataset_hash"]), "torch" in facts["packages"]) == (64, True)
    assert record["summary"]["best"]["snapshot"] == "epoch-0001"
    assert not {"samples", "layers", *facts} & set(record["summary"])
    assert shlex.split(record["command"])[:6] == [
        "clearframe",
        "train",
        "--name",
        "m",
        "--dataset",
        dataset,
    ]
    (source,) = record["made_from"]
    assert (source["id"], source["kind"], source["name"]) == (dataset, "dataset", "clip")
    assert (
        source["command"]
        == server.call(f"/jobs/{dataset}/record")[1]["command"]
        == (f"clearframe dataset create --stream {clip[0]} --originals {clip[1]} --name clip")
    )


def test_an_unknown_job_is_not_found(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(f"{server.url}/jobs/abcdefgh.zip", timeout=120)
    with failure.value as error:
        assert error.code == 404
    assert server.call("/jobs/abcdefgh/record")[0] == 404


def test_a_running_job_is_archived_in_its_current_state(server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    values = {
        "name": "long",
        "dataset": dataset,
        "epochs": 5000,
        "keep": 1,
        "snapshot_interval": 0.34,
        **SMALL,
    }
    model = server.create("/models", values)
    server.wait_for(model, lambda job: "last" in job["summary"])
    for _ in range(5):
        _, archive = download(server, model)
        assert json.loads(archive.read("long/record.json"))["state"] == "running"
        lines = archive.read("long/events.jsonl")
        assert lines.endswith(b"\n")
        assert [json.loads(line)["seq"] for line in lines.splitlines()] == list(
            range(1, lines.count(b"\n") + 1)
        )
        assert not [name for name in archive.namelist() if "/." in name or "lock" in name]
        time.sleep(0.2)
    assert server.job(model)["state"] == "running"
    server.call(f"/jobs/{model}/abort", {})
    server.wait(model, "aborted")


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """A job's folder, with hidden files and a lock that must not be archived."""
    root = tmp_path / "job"
    (root / "snapshots").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "a.txt").write_text("a draft")
    (root / "job.json").write_text("{}")
    (root / "events.jsonl").write_bytes(b'{"seq":1}\n{"seq":2}\n{"se')
    (root / "worker.log").write_text("text\n")
    (root / "worker.lock").write_text("123")
    (root / ".job.json").write_text("a draft")
    for number in range(3):
        (root / "snapshots" / f"epoch-{number}.safetensors").write_bytes(bytes([number]) * 1000)
    (tmp_path / "secret.txt").write_text("outside of the folder")
    return JobFolder(root)


def archive_of(parts: Iterator[bytes]) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(parts)))
    assert archive.testzip() is None
    return archive


def names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removeprefix("top/") for name in archive.namelist()]


def until(parts: Iterator[bytes], name: bytes) -> list[bytes]:
    """The parts up to and including the part in which a file begins."""
    taken = []
    for part in parts:
        taken.append(part)
        if name in part:
            return taken
    raise AssertionError(f"no part contains {name!r}")


def test_locks_drafts_and_links_out_of_the_folder_are_left_out(
    folder: JobFolder, tmp_path: Path
) -> None:
    links = {
        "out.txt": tmp_path / "secret.txt",
        "all": tmp_path,
        "lock.txt": folder.path / "worker.lock",
        "draft.txt": folder.path / ".job.json",
        "nowhere.txt": tmp_path / "nowhere",
        "loop.txt": folder.path / "loop.txt",
        "inside.txt": folder.path / "worker.log",
    }
    for name, target in links.items():
        (folder.path / name).symlink_to(target)
    os.mkfifo(folder.path / "pipe.log")
    archive = archive_of(job_zip.stream(folder.path, "top", {"command.txt": "clearframe\n"}))
    assert names(archive) == [
        "command.txt",
        "events.jsonl",
        "inside.txt",
        "job.json",
        "worker.log",
        *(f"snapshots/epoch-{number}.safetensors" for number in range(3)),
    ]
    assert archive.read("top/inside.txt") == b"text\n"
    assert archive.read("top/command.txt") == b"clearframe\n"


def test_a_growing_log_is_archived_up_to_its_last_complete_line(folder: JobFolder) -> None:
    (folder.path / "worker.log").write_bytes(b"a" * 3 * job_zip.BLOCK)
    parts = job_zip.stream(folder.path, "top", {})
    taken = until(parts, b"top/worker.log")
    with folder.worker_log.open("ab") as log, folder.events.open("ab") as events:
        log.write(b"b" * job_zip.BLOCK)
        events.write(b'q":3}\n')
    archive = archive_of(itertools.chain(taken, parts))
    assert archive.read("top/events.jsonl") == b'{"seq":1}\n{"seq":2}\n'
    assert archive.read("top/worker.log") == b"a" * 3 * job_zip.BLOCK


def test_a_long_incomplete_line_is_left_out(folder: JobFolder) -> None:
    folder.events.write_bytes(b'{"seq":1}\n' + b"a" * 2 * job_zip.BLOCK)
    assert (
        archive_of(job_zip.stream(folder.path, "top", {})).read("top/events.jsonl")
        == b'{"seq":1}\n'
    )
    folder.events.write_bytes(b"a" * 2 * job_zip.BLOCK)
    assert archive_of(job_zip.stream(folder.path, "top", {})).read("top/events.jsonl") == b""


def test_files_removed_or_truncated_during_the_download(folder: JobFolder) -> None:
    first = folder.snapshots / "epoch-0.safetensors"
    first.write_bytes(bytes(3 * job_zip.BLOCK))
    parts = job_zip.stream(folder.path, "top", {})
    taken = until(parts, b"snapshots/epoch-0.safetensors")
    (folder.snapshots / "epoch-1.safetensors").unlink()
    os.truncate(first, job_zip.BLOCK)
    archive = archive_of(itertools.chain(taken, parts))
    assert names(archive)[-2:] == ["snapshots/epoch-0.safetensors", "snapshots/epoch-2.safetensors"]
    assert len(archive.read("top/snapshots/epoch-0.safetensors")) == job_zip.BLOCK


def test_a_file_removed_between_listing_and_opening(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def belongs(path: Path, root: Path) -> bool:
        path.unlink()
        return True

    monkeypatch.setattr(job_zip, "_belongs", belongs)
    assert names(archive_of(job_zip.stream(folder.path, "top", {}))) == []


def test_a_job_deleted_during_the_download_ends_the_zip(folder: JobFolder) -> None:
    import shutil

    parts = job_zip.stream(folder.path, "top", {})
    taken = until(parts, b"top/job.json")
    shutil.rmtree(folder.path)
    assert names(archive_of(itertools.chain(taken, parts))) == ["events.jsonl", "job.json"]


def test_a_cancelled_download_leaves_no_file_open(folder: JobFolder) -> None:
    folder.worker_log.write_bytes(bytes(3 * job_zip.BLOCK))
    before = psutil.Process().num_fds()
    parts = job_zip.stream(folder.path, "top", {})
    until(parts, b"top/worker.log")
    assert psutil.Process().num_fds() == before + 1
    parts.close()  # type: ignore[attr-defined]
    assert psutil.Process().num_fds() == before


def test_times_before_1980_and_names_that_are_not_utf_8(folder: JobFolder) -> None:
    os.utime(folder.path / "job.json", (0, 0))
    with open(os.fsencode(folder.path) + b"/clip\xff.txt", "wb") as file:
        file.write(b"a")
    archive = archive_of(job_zip.stream(folder.path, "top", {}))
    assert archive.read("top/clip\ufffd.txt") == b"a"
    assert archive.getinfo("top/job.json").date_time[0] == 1980


def test_files_larger_than_four_gigabytes(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a lower limit, because files above the real one take half a minute."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 900)
    archive = archive_of(job_zip.stream(folder.path, "top", {}))
    assert archive.read("top/snapshots/epoch-2.safetensors") == b"\2" * 1000


def test_a_gigabyte_takes_no_memory_and_does_not_block_other_requests(
    server: Server, clip: Clip
) -> None:
    id = server.dataset(clip)
    server.wait(id, "done")
    with (server.home / "jobs" / id / "train.lmdb" / "large.mdb").open("wb") as sparse:
        sparse.truncate(GIGABYTE)
    process = psutil.Process(server.process.pid)
    with urllib.request.urlopen(f"{server.url}/jobs/{id}.zip", timeout=60) as response:
        response.read(10_000_000)
        before, length, highest = process.memory_info().rss, 10_000_000, 0
        answers: list[int] = []
        done = threading.Event()

        def poll() -> None:
            while not done.is_set():
                answers.append(server.call("/healthz")[0])
                time.sleep(0.05)

        poller = threading.Thread(target=poll)
        poller.start()
        while part := response.read(1_000_000):
            length += len(part)
            highest = max(highest, process.memory_info().rss)
        done.set()
        poller.join(60)
    assert length > GIGABYTE
    assert highest - before < 16_000_000
    assert len(answers) > 3


def test_openapi_describes_the_record_and_the_log(server: Server) -> None:
    paths: dict[str, Any] = server.call("/openapi.json")[1]["paths"]
    assert {"/jobs/{id}/record", "/jobs/{id}/log"} <= set(paths)
