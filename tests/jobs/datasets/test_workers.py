"""Pairs made by several processes are those that one would make; what happens to a process is told."""

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
from jobs.datasets.pairing import Item, Making, Record
from jobs.datasets.store import PairReader
from jobs.media.images import ImageFile, Picture
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec
from tests.support.values import values

WHOLE = Making("none", None, None, 0, "png", "none", 95, False)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 80 images; each differs from all others."""
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


def crew_of(parent: int) -> list[int]:
    """The processes that a job has started."""
    try:
        started = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [
            int(pid)
            for pid in started
            if b"jobs.datasets.workers" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []  # One ended meanwhile.


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"channels": "grayscale", "input_encoding": "none"},
        {"patches": {"size": 16, "stride": 8}, "target_encoding": "jpeg"},
    ],
    ids=["frames", "grayscale", "patches"],
)
def test_processes_make_what_one_makes(
    fields: dict[str, object], images: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_several, by_one = job(home, images, **fields), job(home, images, **fields)
    assert run_worker(str(by_several.path)) == 0
    monkeypatch.setattr(make, "FEW", 1000)
    assert run_worker(str(by_one.path)) == 0
    assert values(by_several) == values(by_one)


def test_pictures_that_were_decoded_by_the_job_arrive_whole(tmp_path: Path) -> None:
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
        for number, made in enumerate(workers.by_processes(items(), WHOLE, Report(log))):
            assert made.item.number == number
            assert bytes(made.records[0].target) == pictures[number].tobytes()
    assert number == 39
    assert crew_of(os.getpid()) == []


def test_large_pictures_are_few_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BYTES_AT_WORK", 3 * 2 * 40 * 30 * 3)
    picture = np.zeros((30, 40, 3), np.uint8)
    given = 0

    def items() -> Iterator[tuple[Item, ImageFile | Picture, ImageFile | Picture]]:
        nonlocal given
        for number in range(50):
            given += 1
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
        for made in workers.by_processes(items(), WHOLE, Report(log)):
            assert given - made.item.number <= 4
    assert made.item.number == 49


def test_a_file_that_does_not_fit_is_named_and_what_came_before_is_kept(
    images: Path, home: Path
) -> None:
    folder = job(home, images)
    (images / "060.bmp").write_bytes(b"no picture")
    assert run_worker(str(folder.path)) == 1
    assert reason(folder).startswith("060.bmp is no image that can be read")
    reader = PairReader(folder.store("train"))
    assert reader.meta(len(reader) - 1)["original"] == "059.bmp"
    reader.close()


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def appeared(parent: int, count: int) -> list[int]:
    """The processes of a job as soon as there are `count`: they cannot have made all pairs by then."""
    deadline = time.monotonic() + 10
    while len(found := crew_of(parent)) < count:
        assert time.monotonic() < deadline
    return found


def test_a_process_that_is_killed_is_told_and_resume_goes_on(images: Path, home: Path) -> None:
    disturbed, undisturbed = job(home, images), job(home, images)

    def kill() -> None:
        for pid in appeared(os.getpid(), 1):
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    assert run_worker(str(disturbed.path)) == 1
    thread.join()
    assert "was killed (SIGKILL)" in reason(disturbed)
    assert (run_worker(str(disturbed.path)), run_worker(str(undisturbed.path))) == (0, 0)
    assert values(disturbed) == values(undisturbed)


def test_processes_end_with_a_job_that_is_killed(images: Path, home: Path) -> None:
    pid = launcher.start(job(home, images))
    assert pid is not None
    alive = appeared(pid, workers.PROCESSES)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(lives, alive)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(lives, alive))


def test_values_for_which_there_is_no_room_travel_by_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "SLOT", 100)
    memory = mmap.mmap(-1, 200)
    sent = workers._shipped([Record(b"a" * 60, b"b" * 60, {}), Record(b"c", b"d", {})], memory, 100)
    assert sent[0] == ((100, 60), b"b" * 60, {})
    assert memory[100:160] == b"a" * 60
    assert memory[:100] == bytes(100)
