"""Fault tests for dataset jobs: killed workers, full disks, broken streams.

No finished pair is lost, and no job hangs.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core import launcher, processes
from jobs.core.errors import JobError
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.core.types.events import StateEvent
from jobs.media.images import read_image
from jobs.media.sample_clip import make_clip
from jobs.media.video import decode
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec
from tests.support import disk
from tests.support.values import values
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]

SECONDS_A_STREAM = 20


def state(folder: JobFolder) -> StateEvent:
    event = last_state(folder.events)
    assert event is not None
    return event


def folder_for(home: Path, **spec: object) -> JobFolder:
    return folders.create(home, "dataset", DatasetSpec.model_validate({"name": "fault", **spec}))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A stream of 240 frames of 192x128: long enough to kill its job at many moments."""
    return make_clip(tmp_path_factory.mktemp("long"), frames=240, width=192, height=128)


@pytest.mark.parametrize("duplicates", [0, 12], ids=["all frames", "near-duplicates dropped"])
def test_a_job_killed_ten_times_ends_with_the_same_values(
    duplicates: float, long_clip: Clip, home: Path
) -> None:
    spec = {
        "source": {"kind": "stream", "stream": str(long_clip[0]), "originals": str(long_clip[1])},
        "frames": {"near_duplicates": duplicates},
        "input_encoding": "none",
    }
    undisturbed, disturbed = folder_for(home, **spec), folder_for(home, **spec)
    began = time.monotonic()
    assert run_worker(str(undisturbed.path)) == 0
    duration = time.monotonic() - began
    moments = random.Random(3)
    for _ in range(10):
        pid = launcher.start(disturbed)
        assert pid is not None
        deadline = time.monotonic() + moments.uniform(0.3, 0.5 + duration)
        while time.monotonic() < deadline and disturbed.worker_lives():
            time.sleep(0.001)
        if disturbed.worker_lives():
            os.killpg(pid, signal.SIGKILL)
        wait_until(lambda: not disturbed.worker_lives(), "the worker still runs")
    assert run_worker(str(disturbed.path)) == 0
    assert values(disturbed) == values(undisturbed)
    assert state(disturbed)["summary"]["skipped"] == state(undisturbed)["summary"]["skipped"]
    if duplicates:
        assert state(undisturbed)["summary"]["skipped"] > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB; the file `ballast` takes 20 MB of it."""
    with disk.small_disk(tmp_path, 40) as mounted:
        (mounted / "ballast").write_bytes(bytes(20 * 2**20))
        yield mounted


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    """A folder of images. The first compress to almost nothing, so the size estimate is too low."""
    folder = tmp_path / "growing"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(120):
        picture = (
            random.integers(0, 256, (160, 240, 3), np.uint8)
            if number > 20
            else np.zeros((160, 240, 3), np.uint8)
        )
        Image.fromarray(picture).save(folder / f"{number:03d}.bmp")
    return folder


def test_a_full_disk_is_reported_and_the_job_resumes_after_space_is_freed(
    small_disk: Path, growing: Path, home: Path
) -> None:
    source = {"kind": "folders", "input": str(growing), "target": str(growing)}
    full = folder_for(small_disk / "home", source=source)
    launcher.start(full)
    wait_until(lambda: not full.worker_lives(), "the worker still runs")
    assert state(full)["state"] == "error"
    assert (
        state(full)["reason"]
        == "The disk is full. Free some space, then resume the job: finished work is kept."
    )
    (small_disk / "ballast").unlink()
    undisturbed = folder_for(home, source=source)
    assert (run_worker(str(full.path)), run_worker(str(undisturbed.path))) == (0, 0)
    assert values(full) == values(undisturbed)


def test_a_job_that_needs_too_much_space_fails_at_the_first_pair(
    small_disk: Path, growing: Path
) -> None:
    for number in range(21):
        (growing / f"{number:03d}.bmp").unlink()
    folder = folder_for(
        small_disk / "home",
        source={"kind": "folders", "input": str(growing), "target": str(growing)},
    )
    assert run_worker(str(folder.path)) == 1
    assert state(folder)["reason"].startswith("The pairs need about 25.")


@pytest.mark.parametrize("free", [0, 4096, 8192, 16384])
def test_creating_a_store_on_a_full_disk_raises_an_os_error(free: int, tmp_path: Path) -> None:
    """In a subprocess: touching a mapped page without disk blocks raises SIGBUS."""
    with disk.small_disk(tmp_path, 8) as place:
        store = place / "train.lmdb"
        store.mkdir()
        ballast = disk.fill(place)
        os.truncate(ballast, ballast.stat().st_size - free)
        done = processes.run("tests.support.new_store", [str(store)], timeout=60)
        assert (done.returncode, "OSError: [Errno 28]" in done.stderr) == (1, True), (
            done.returncode,
            done.stderr,
        )
        ballast.unlink()
        assert processes.run("tests.support.new_store", [str(store)], timeout=60).returncode == 0


def run_to_end(folder: JobFolder, seconds: float = SECONDS_A_STREAM) -> str:
    """Run the job in its worker process; return its last state. Fails after `seconds`."""
    launcher.start(folder)
    deadline = time.monotonic() + seconds
    while folder.worker_lives():
        assert time.monotonic() < deadline, f"{folder.spec()} hangs"
        time.sleep(0.005)
    return str(state(folder)["state"])


def originals_like(stream: Path, folder: Path) -> int:
    """Write black originals with the sizes of a stream's frames; return their count."""
    folder.mkdir()
    count = 0
    for picture in decode(stream):
        Image.fromarray(np.zeros_like(picture)).save(folder / f"{count}.png", compress_level=1)
        count += 1
    return count


def test_every_real_stream_makes_a_dataset_or_an_error_with_its_name(
    media: Path, tmp_path: Path, home: Path
) -> None:
    reasons = {}
    for stream in sorted((media / "h264").iterdir()):
        originals = tmp_path / stream.name
        count = originals_like(stream, originals)
        if not count:
            Image.new("RGB", (16, 16)).save(originals / "0.png")
        folder = folder_for(home, source={"stream": str(stream), "originals": str(originals)})
        if run_to_end(folder) == "error":
            reasons[stream.name] = state(folder)["reason"]
        else:
            assert state(folder)["summary"]["pairs"]["train"] > 0
        shutil.rmtree(originals)
    assert set(reasons) == {"sps_subsetsps_bothVUI.264"}, reasons
    assert all(name in reason for name, reason in reasons.items())


def test_every_real_bmp_makes_a_pair_or_an_error_with_its_name(
    media: Path, tmp_path: Path, home: Path
) -> None:
    good, bad = 0, 0
    for bmp in sorted((media / "bmp").rglob("*.bmp")):
        folder = tmp_path / "bmp"
        folder.mkdir()
        for copy in ("a.bmp", "b.bmp"):
            shutil.copy(bmp, folder / copy)
        job = folder_for(
            home, source={"kind": "folders", "input": str(folder), "target": str(folder)}
        )
        if run_worker(str(job.path)) == 0:
            good += 1
            read_image(bmp)
        else:
            bad += 1
            assert "a.bmp" in state(job)["reason"]
            with pytest.raises(JobError):
                read_image(bmp)
        shutil.rmtree(folder)
    assert good > 30
    assert bad > 5


def mutated(data: bytes, seed: int) -> bytes:
    """Return the stream with 1 to 100 changes: bytes replaced, removed or duplicated."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 3, 10, 100))):
        position = chance.randrange(len(damaged))
        match chance.randrange(4):
            case 0 | 1:
                damaged[position] = chance.randrange(256)
            case 2:
                del damaged[position : position + chance.randrange(64)]
            case _:
                damaged[position:position] = damaged[position : position + chance.randrange(64)]
    return bytes(damaged)


@pytest.mark.parametrize("part", range(4))
def test_mutated_streams_end(part: int, clip: Clip, tmp_path: Path, home: Path, long: bool) -> None:
    """48 streams in all. Each job runs in a subprocess, because a crash would end the tests."""
    data = clip[0].read_bytes()
    states = []
    for number in range(part, 1000 if long else 48, 4):
        stream = tmp_path / f"{number}.h264"
        stream.write_bytes(mutated(data, number))
        folder = folder_for(home, source={"stream": str(stream), "originals": str(clip[1])})
        states.append(run_to_end(folder))
        if states[-1] == "error":
            assert stream.name in state(folder)["reason"]
    assert set(states) <= {"done", "error"}
