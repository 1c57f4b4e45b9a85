"""What may happen to a dataset job: killed workers, full disks, broken streams. Nothing finished is lost, nothing hangs."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core import launcher
from jobs.core.errors import JobError
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.media.images import read_image
from jobs.media.sample_clip import make_clip
from jobs.media.video import decode
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec
from tests.support import disk
from tests.support.values import values

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]

SECONDS_A_STREAM = 20


def state(folder: JobFolder) -> dict[str, Any]:
    found = last_state(folder.events)
    assert found is not None
    return found


def folder_for(home: Path, **spec: object) -> JobFolder:
    return folders.create(home, "dataset", DatasetSpec.model_validate({"name": "fault", **spec}))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A stream of 240 frames of 192x128: long enough to be killed in many places."""
    return make_clip(tmp_path_factory.mktemp("long"), frames=240, width=192, height=128)


@pytest.mark.parametrize("duplicates", [0, 12], ids=["all frames", "near-duplicates dropped"])
def test_a_job_killed_at_ten_moments_ends_with_the_same_values(
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
    whole = time.monotonic() - began
    moments = random.Random(3)
    for _ in range(10):
        pid = launcher.start(disturbed)
        assert pid is not None
        deadline = time.monotonic() + moments.uniform(0.3, 0.5 + whole)
        while time.monotonic() < deadline and disturbed.worker_lives():
            pass
        if disturbed.worker_lives():
            os.killpg(pid, signal.SIGKILL)
        while disturbed.worker_lives():
            pass
    assert run_worker(str(disturbed.path)) == 0
    assert values(disturbed) == values(undisturbed)
    assert state(disturbed)["summary"]["skipped"] == state(undisturbed)["summary"]["skipped"]
    if duplicates:
        assert state(undisturbed)["summary"]["skipped"] > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB, of which 20 are taken by the file `ballast`."""
    with disk.small_disk(tmp_path, 40) as mounted:
        (mounted / "ballast").write_bytes(bytes(20 * 2**20))
        yield mounted


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    """A folder of images of which the first pack to almost nothing: the room they need is underestimated."""
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


def test_a_full_disk_is_said_plainly_and_resume_works_when_there_is_room(
    small_disk: Path, growing: Path, home: Path
) -> None:
    source = {"kind": "folders", "input": str(growing), "target": str(growing)}
    full = folder_for(small_disk / "home", source=source)
    launcher.start(full)
    while full.worker_lives():
        pass
    assert state(full)["state"] == "error"
    assert (
        state(full)["reason"]
        == "The disk is full. Make room, then Resume: what was finished is kept."
    )
    (small_disk / "ballast").unlink()
    undisturbed = folder_for(home, source=source)
    assert (run_worker(str(full.path)), run_worker(str(undisturbed.path))) == (0, 0)
    assert values(full) == values(undisturbed)


def test_a_disk_without_room_is_refused_at_the_first_pair(small_disk: Path, growing: Path) -> None:
    for number in range(21):
        (growing / f"{number:03d}.bmp").unlink()
    folder = folder_for(
        small_disk / "home",
        source={"kind": "folders", "input": str(growing), "target": str(growing)},
    )
    assert run_worker(str(folder.path)) == 1
    assert state(folder)["reason"].startswith("The pairs need about 25.")


@pytest.mark.parametrize("free", [0, 4096, 8192, 16384])
def test_a_store_that_is_begun_on_a_full_disk_says_so(free: int, tmp_path: Path) -> None:
    """In a process of its own: what is mapped without blocks behind it ends a process by SIGBUS."""
    with disk.small_disk(tmp_path, 8) as place:
        store = place / "train.lmdb"
        store.mkdir()
        ballast = disk.fill(place)
        os.truncate(ballast, ballast.stat().st_size - free)
        begin = "import sys; from pathlib import Path; from jobs.datasets.store import PairWriter; PairWriter(Path(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-c", begin, str(store)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, "OSError: [Errno 28]" in done.stderr) == (1, True), (
            done.returncode,
            done.stderr,
        )
        ballast.unlink()
        subprocess.run([sys.executable, "-c", begin, str(store)], check=True)


def ends(folder: JobFolder, seconds: float = SECONDS_A_STREAM) -> str:
    """The state in which the job's own process ends; it must not take longer."""
    launcher.start(folder)
    deadline = time.monotonic() + seconds
    while folder.worker_lives():
        assert time.monotonic() < deadline, f"{folder.spec()} hangs"
        time.sleep(0.005)
    return str(state(folder)["state"])


def originals_like(stream: Path, folder: Path) -> int:
    """Flat originals of the sizes of a stream's frames."""
    folder.mkdir()
    count = 0
    for picture in decode(stream):
        Image.fromarray(np.zeros_like(picture)).save(folder / f"{count}.png", compress_level=1)
        count += 1
    return count


def test_every_real_stream_makes_a_dataset_or_a_sentence(
    media: Path, tmp_path: Path, home: Path
) -> None:
    said = {}
    for stream in sorted((media / "h264").iterdir()):
        originals = tmp_path / stream.name
        count = originals_like(stream, originals)
        if not count:
            Image.new("RGB", (16, 16)).save(originals / "0.png")
        folder = folder_for(home, source={"stream": str(stream), "originals": str(originals)})
        if ends(folder) == "error":
            said[stream.name] = state(folder)["reason"]
        else:
            assert state(folder)["summary"]["pairs"]["train"] > 0
        shutil.rmtree(originals)
    assert set(said) == {"sps_subsetsps_bothVUI.264"}, said
    assert all(name in reason for name, reason in said.items())


def test_every_real_bmp_makes_a_pair_or_is_named(media: Path, tmp_path: Path, home: Path) -> None:
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
    """A stream with a few to many bytes changed, removed or doubled."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 3, 10, 100))):
        place = chance.randrange(len(damaged))
        match chance.randrange(4):
            case 0 | 1:
                damaged[place] = chance.randrange(256)
            case 2:
                del damaged[place : place + chance.randrange(64)]
            case _:
                damaged[place:place] = damaged[place : place + chance.randrange(64)]
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(0, 200, 25))
def test_mutated_streams_end(seed: int, clip: Clip, tmp_path: Path, home: Path) -> None:
    """200 in all. Each runs as jobs do, in a process of its own: one that crashed would take the tests with it."""
    data = clip[0].read_bytes()
    ended = []
    for number in range(seed, seed + 25):
        stream = tmp_path / f"{number}.h264"
        stream.write_bytes(mutated(data, number))
        folder = folder_for(home, source={"stream": str(stream), "originals": str(clip[1])})
        ended.append(ends(folder))
        if ended[-1] == "error":
            assert stream.name in state(folder)["reason"]
    assert set(ended) <= {"done", "error"}
