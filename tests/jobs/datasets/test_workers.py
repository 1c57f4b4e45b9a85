"""Worker processes make the same pairs as a single process, and the job reports their failures."""

import mmap
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.events import EventLog, last_state
from jobs.core.folder import JobFolder
from jobs.core.report import Report
from jobs.datasets import make, workers
from jobs.datasets.pairing import Item, PairSettings, Record
from jobs.datasets.store import PairReader
from jobs.media.images import ImageFile, Picture
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec
from tests.support.values import values

WHOLE_FRAMES = PairSettings("none", None, None, 0, "png", "none", 95, False)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 80 different images."""
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(80):
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(
            folder / f"{number:03d}.bmp"
        )
    return folder


def job(home: Path, images: Path, **fields: object) -> JobFolder:
    source = {"kind": "folders", "input": str(images), "target": str(images)}
    return folders.create(
        home, "dataset", DatasetSpec.model_validate({"name": "crew", "source": source, **fields})
    )


def reason(folder: JobFolder) -> str:
    state = last_state(folder.events)
    assert state is not None
    assert state["state"] == "error"
    return str(state["reason"])


def workers_of(parent: int) -> list[int]:
    """Return the worker processes of a job."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [
            int(pid)
            for pid in children
            if b"jobs.datasets.workers" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []  # A process exited during this call.


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"channels": "grayscale", "input_encoding": "none"},
        {"patches": {"size": 16, "stride": 8}, "target_encoding": "jpeg"},
    ],
    ids=["frames", "grayscale", "patches"],
)
def test_several_processes_make_the_same_pairs_as_a_single_process(
    fields: dict[str, object], images: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several, single = job(home, images, **fields), job(home, images, **fields)
    assert run_worker(str(several.path)) == 0
    monkeypatch.setattr(make, "MIN_ITEMS_FOR_PROCESSES", 1000)
    assert run_worker(str(single.path)) == 0
    assert values(several) == values(single)


def test_decoded_pictures_reach_the_processes_unchanged(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    pictures = [random.integers(0, 256, (30 + number, 40, 3), np.uint8) for number in range(40)]

    def items() -> Iterator[tuple[Item, ImageFile | Picture, ImageFile | Picture]]:
        for number, picture in enumerate(pictures):
            name = f"{number}.bmp"
            yield (
                Item(
                    number,
                    "train",
                    "",
                    0,
                    number,
                    name,
                    name,
                    None,
                    None,
                    "BT.601",
                    False,
                    None,
                    False,
                ),
                picture,
                picture,
            )

    with EventLog(tmp_path / "events.jsonl") as log:
        results = workers.make_in_processes(items(), WHOLE_FRAMES, Report(log))
        for number, result in enumerate(results):
            assert result.item.number == number
            assert bytes(result.records[0].target) == pictures[number].tobytes()
    assert number == 39
    assert workers_of(os.getpid()) == []


def test_few_large_pictures_are_queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BYTES_AT_WORK", 3 * 2 * 40 * 30 * 3)
    picture = np.zeros((30, 40, 3), np.uint8)
    submitted = 0

    def items() -> Iterator[tuple[Item, ImageFile | Picture, ImageFile | Picture]]:
        nonlocal submitted
        for number in range(50):
            submitted += 1
            yield (
                Item(
                    number,
                    "train",
                    "",
                    0,
                    number,
                    "a",
                    "a",
                    None,
                    None,
                    "BT.601",
                    False,
                    None,
                    False,
                ),
                picture,
                picture,
            )

    with EventLog(tmp_path / "events.jsonl") as log:
        for result in workers.make_in_processes(items(), WHOLE_FRAMES, Report(log)):
            assert submitted - result.item.number <= 4
    assert result.item.number == 49


def test_an_unreadable_file_is_named_and_the_pairs_before_it_are_kept(
    images: Path, home: Path
) -> None:
    folder = job(home, images)
    (images / "060.bmp").write_bytes(b"not a picture")
    assert run_worker(str(folder.path)) == 1
    assert reason(folder).startswith("060.bmp cannot be read as an image")
    reader = PairReader(folder.store("train"))
    assert reader.meta(len(reader) - 1)["original"] == "059.bmp"
    reader.close()


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_for_workers(parent: int, count: int) -> list[int]:
    """Wait until a job has `count` worker processes, before they finish; return their pids."""
    deadline = time.monotonic() + 10
    while len(pids := workers_of(parent)) < count:
        assert time.monotonic() < deadline
    return pids


def test_a_killed_process_is_reported_and_the_job_resumes(images: Path, home: Path) -> None:
    disturbed, undisturbed = job(home, images), job(home, images)

    def kill() -> None:
        for pid in wait_for_workers(os.getpid(), 1):
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    assert run_worker(str(disturbed.path)) == 1
    thread.join()
    assert "was killed (SIGKILL)" in reason(disturbed)
    assert (run_worker(str(disturbed.path)), run_worker(str(undisturbed.path))) == (0, 0)
    assert values(disturbed) == values(undisturbed)


def test_worker_processes_exit_if_the_job_is_killed(images: Path, home: Path) -> None:
    pid = launcher.start(job(home, images))
    assert pid is not None
    pids = wait_for_workers(pid, workers.PROCESSES)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(lives, pids))


def test_values_that_do_not_fit_into_shared_memory_use_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "SLOT", 100)
    memory = mmap.mmap(-1, 200)
    messages = workers._packed(
        [Record(b"a" * 60, b"b" * 60, {}), Record(b"c", b"d", {})], memory, 100
    )
    assert messages[0] == ((100, 60), b"b" * 60, {})
    assert memory[100:160] == b"a" * 60
    assert memory[:100] == bytes(100)
