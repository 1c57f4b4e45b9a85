"""Worker processes make the same pairs as a single process, and the job reports their failures."""

import mmap
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core.events import EventLog, last_state
from jobs.core.folder import JobFolder
from jobs.core.paths import ROOT
from jobs.core.report import Report
from jobs.datasets import make, pair_processes
from jobs.datasets.pairing import Item, ItemResult, PairSettings, Record
from jobs.datasets.store import PairReader
from jobs.media.images import ImageFile, Picture
from jobs.media.qp_maps import Coding
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec
from tests.support.values import values
from tests.support.waiting import next_line

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
                    Coding(),
                ),
                picture,
                picture,
            )

    with EventLog(tmp_path / "events.jsonl") as log:
        results = pair_processes.make_in_processes(items(), WHOLE_FRAMES, Report(log))
        for number, result in enumerate(results):
            assert result.item.number == number
            assert bytes(result.records[0].target) == pictures[number].tobytes()
    assert number == 39
    deadline = time.monotonic() + 60
    while running_workers():
        assert time.monotonic() < deadline, "worker processes are still running"
        time.sleep(0.01)


def running_workers() -> list[psutil.Process]:
    """The worker processes of this test run that have not ended."""
    running = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # Also of a zombie.
            if "jobs.datasets.pair_processes" in child.cmdline():
                running.append(child)
    return running


def test_few_large_pictures_are_queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_processes, "BYTES_AT_WORK", 3 * 2 * 40 * 30 * 3)
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
                    Coding(),
                ),
                picture,
                picture,
            )

    with EventLog(tmp_path / "events.jsonl") as log:
        for result in pair_processes.make_in_processes(items(), WHOLE_FRAMES, Report(log)):
            assert submitted - result.item.number <= 4
    assert result.item.number == 49


def test_an_unreadable_file_is_named_and_the_pairs_before_it_are_kept(
    images: Path, home: Path
) -> None:
    folder = job(home, images)
    with Image.open(images / "060.bmp") as image:
        image.save(images / "060.bmp", "JPEG")
    jpeg = (images / "060.bmp").read_bytes()
    (images / "060.bmp").write_bytes(jpeg[: len(jpeg) // 2])  # Only decoding shows the damage.
    assert run_worker(str(folder.path)) == 1
    assert reason(folder).startswith("060.bmp cannot be read as an image")
    reader = PairReader(folder.store("train"))
    assert reader.meta(len(reader) - 1)["original"] == "059.bmp"
    reader.close()


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_killed_process_is_reported_and_the_job_resumes(
    images: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturbed, undisturbed = job(home, images), job(home, images)
    receive = pair_processes.WorkerProcess.receive

    def kill_and_receive(self: pair_processes.WorkerProcess, report: Report) -> ItemResult:
        self._process.kill()
        return receive(self, report)

    with monkeypatch.context() as patched:
        patched.setattr(pair_processes.WorkerProcess, "receive", kill_and_receive)
        assert run_worker(str(disturbed.path)) == 1
    assert "was killed (SIGKILL)" in reason(disturbed)
    assert (run_worker(str(disturbed.path)), run_worker(str(undisturbed.path))) == (0, 0)
    assert values(disturbed) == values(undisturbed)


HOLD_WORKERS = """
import time
from jobs.datasets.pair_processes import WorkerProcess
workers = [WorkerProcess(), WorkerProcess()]
print(*[worker._process.pid for worker in workers], flush=True)
time.sleep(600)
"""


def test_worker_processes_exit_if_the_job_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_WORKERS], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        processes = [psutil.Process(int(pid)) for pid in next_line(owner, owner.stdout).split()]
        commands = [process.cmdline() for process in processes]
        owner.kill()
    assert len(processes) == 2
    assert all("jobs.datasets.pair_processes" in command for command in commands)
    assert not psutil.wait_procs(processes, timeout=60)[1]


def test_values_that_do_not_fit_into_shared_memory_use_the_socket() -> None:
    memory = mmap.mmap(-1, pair_processes.SLOTS * 100)
    messages = pair_processes._packed(
        [Record(b"a" * 60, b"b" * 60, {}, b"map"), Record(b"c", b"d", {})], memory, 100
    )
    assert messages[0] == ((100, 60), b"b" * 60, {}, b"map")
    assert memory[100:160] == b"a" * 60
    assert memory[:100] == bytes(100)
