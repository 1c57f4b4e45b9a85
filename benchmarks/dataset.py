"""Benchmark: dataset creation against the recipe it replaces, and against decoder and disk limits.

    python benchmarks/dataset.py [--sizes 320x192,352x288,1280x720,1920x1080] [--frames N]
                                 [--folder FOLDER] [--memory]

For each size, the benchmark makes a clip of a real video (../shared/media; without it, of the
sample clip's scene), and creates the same dataset by

  recipe   the old example's method: the ffmpeg command decodes to BMP files, four Python threads
           read both BMPs and encode them as Pillow's default PNG, a writer commits and syncs
           every 32 pairs
  png      the dataset job, both sides PNG
  none     the dataset job, raw pairs

A fork server starts the worker and its processes, as that of the server does. `processor_ms` is
the processor time of a pair, in all processes, which other programs affect less.

It measures two limits in the same run: decoding only (PyAV, frames dropped), and writing the
bytes of the raw dataset to a file with a single sync. All methods use .bmp originals. Prints a
JSON object. Without the ffmpeg command there is no result of the recipe.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import av
import click
import psutil

from benchmarks.record import ROOT, print_progress, print_record
from jobs.media.sample_clip import scene

VIDEO = ROOT.parent / "shared" / "media" / "clips" / "VID_1280x720_cabac_temporal_direct.264"
FRAMES = {"320x192": 800, "352x288": 600, "1280x720": 80, "1920x1080": 40}
QP = 37
BLOCK = 2**20
MEMORY_INTERVAL = 0.1
"""Seconds between two measurements of memory."""


@click.command()
@click.option("--sizes", default=",".join(FRAMES), show_default=True)
@click.option("--frames", type=int, help="Frames per clip. The default is lower for larger sizes.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write files to this folder. The benchmark measures its disk.",
)
@click.option(
    "--memory/--no-memory",
    default=False,
    help="Also compare the peak memory of 1,000 and 10,000 frames.",
)
def main(sizes: str, frames: int | None, folder: Path | None, memory: bool) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as work:
        result: dict[str, Any] = {"clip": VIDEO.name if VIDEO.exists() else "sample", "sizes": []}
        for size in sizes.split(","):
            print_progress(size)
            count = frames or FRAMES.get(size, 40)
            result["sizes"].append(compare(size, count, Path(work) / size))
        if memory:
            result["memory"] = memory_of_many(Path(work) / "memory")
        print_record(**result)


def compare(size: str, frames: int, work: Path) -> dict[str, Any]:
    """Results of all methods and limits for a size, measured in sequence on an idle disk."""
    stream, originals = make_clip(size, frames, work)
    by_recipe = recipe(stream, originals, frames, work / "recipe")
    png, none = (
        job(stream, originals, encoding, work / encoding, frames) for encoding in ("png", "none")
    )
    decoded = timed(lambda: sum(1 for _ in decoded_frames(stream)))
    written = timed(lambda: raw_write(none["bytes"], work / "raw"))
    limits = {"decode": frames / decoded, "write": frames / written}
    shutil.rmtree(work)
    return {
        "size": size,
        "frames": frames,
        "recipe": by_recipe,
        "png": png,
        "none": none,
        "limits": limits,
        "ratio_to_recipe": by_recipe and png["pairs_per_second"] / by_recipe["pairs_per_second"],
        "ratio_to_limit": none["pairs_per_second"] / min(limits.values()),
    }


def make_clip(size: str, frames: int, work: Path) -> tuple[Path, Path]:
    """A stream and its .bmp originals: 100 scaled frames, played forward and backward."""
    from PIL import Image

    from jobs.media.h264 import encode
    from jobs.media.images import read_image

    width, height = map(int, size.split("x"))
    originals = work / "originals"
    originals.mkdir(parents=True)
    if VIDEO.exists():
        pictures = [
            frame.reformat(width, height, format="rgb24", interpolation="LANCZOS").to_ndarray()
            for frame in islice(decoded_frames(VIDEO), 100)
        ]
    else:
        pictures = list(scene(100, width, height, seed=1))
    cycle = pictures + pictures[-2:0:-1]
    for number in range(frames):
        Image.fromarray(cycle[number % len(cycle)]).save(originals / f"{number:06d}.bmp")
    paths = sorted(originals.iterdir())
    encode((read_image(path) for path in paths), work / "clip.h264", {"qp": str(QP)})
    return work / "clip.h264", originals


def decoded_frames(stream: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(stream), format="h264") as container:
        container.streams.video[0].thread_type = "AUTO"
        yield from container.decode(video=0)


def timed(work: Callable[[], Any]) -> float:
    """Wall-clock seconds of a function. Flushes pending writes of other programs first."""
    os.sync()
    began = time.monotonic()
    work()
    return time.monotonic() - began


def raw_write(size: int, path: Path) -> None:
    block = os.urandom(BLOCK)
    with path.open("wb", buffering=0) as file:
        for start in range(0, size, BLOCK):
            file.write(block[: min(BLOCK, size - start)])
        os.fsync(file.fileno())


def recipe(stream: Path, originals: Path, frames: int, work: Path) -> dict[str, Any] | None:
    """Pairs per second and bytes of the old recipe; None without the ffmpeg command.

    It has frames as files, threads, Pillow's default PNG, and a sync per 32 pairs.
    """
    if shutil.which("ffmpeg") is None:
        print_progress("Without the recipe: the command ffmpeg is not installed.")
        return None
    import io

    import lmdb
    from PIL import Image

    decoded = work / "decoded"
    decoded.mkdir(parents=True)

    def png(path: Path) -> bytes:
        buffer = io.BytesIO()
        with Image.open(path) as image:
            image.save(buffer, "PNG")
        return buffer.getvalue()

    def run() -> None:
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(stream),
            "-vsync",
            "passthrough",
            str(decoded / "%06d.bmp"),
        ]
        subprocess.run(command, check=True)
        pairs = zip(sorted(decoded.iterdir()), sorted(originals.iterdir()), strict=True)
        with (
            lmdb.open(str(work / "lmdb"), map_size=2**36, max_dbs=2) as env,
            ThreadPoolExecutor(4) as pool,
        ):
            databases = [env.open_db(name) for name in (b"input", b"target")]
            encoded = pool.map(lambda pair: (png(pair[0]), png(pair[1])), pairs)
            number = 0
            while batch := list(islice(encoded, 32)):
                with env.begin(write=True) as transaction:
                    for values in batch:
                        for database, value in zip(databases, values, strict=True):
                            transaction.put(b"%09d" % number, value, db=database)
                        number += 1

    before = sum(os.times()[:4])
    seconds = timed(run)
    processor = sum(os.times()[:4]) - before
    size = sum(path.stat().st_size for path in (work / "lmdb").iterdir())
    return {
        "pairs_per_second": frames / seconds,
        "processor_ms": 1000 * processor / frames,
        "bytes": size,
    }


def job(stream: Path, originals: Path, encoding: str, home: Path, frames: int) -> dict[str, Any]:
    """Run the dataset job as the server does, in a worker that a fork server starts.

    Returns pairs per second from its start to its last sync, milliseconds of processor time of a
    pair, bytes, peak memory, and the seconds from the click until its worker has ended.
    """
    from jobs.core import folder as folders
    from jobs.core import launcher
    from jobs.core.events import last_state
    from jobs.core.processes import FORK_SERVER
    from jobs.specs import DatasetSpec

    source = {"kind": "stream", "stream": str(stream), "originals": str(originals)}
    encodings = {"input_encoding": encoding, "target_encoding": encoding}
    spec = DatasetSpec.model_validate({"name": "benchmark", "source": source, **encodings})
    with fork_server() as (server, path):
        os.environ[FORK_SERVER] = str(path)
        os.sync()
        loaded = processor_time(server.pid)
        before = time.monotonic()
        folder = folders.create(home, "dataset", spec)
        launcher.start(folder)
        peak = peak_memory(server.pid)
        wall = time.monotonic() - before
        processor = processor_time(server.pid) - loaded
    assert peak, "the fork server did not start the job"
    state = last_state(folder.events)
    assert state is not None
    assert state["state"] == "done", state["reason"]
    return {
        **{key: state["summary"][key] for key in ("pairs_per_second", "seconds", "bytes")},
        "processor_ms": 1000 * processor / frames,
        "peak_memory_bytes": peak,
        "wall_seconds": wall,
    }


@contextmanager
def fork_server() -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """Yield a fork server that has loaded, and the path of its socket."""
    from app.runner.fork_server import start_fork_server

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        with start_fork_server(path, 0) as server:
            while not path.exists():
                assert server.poll() is None, "the fork server ended"
                time.sleep(0.05)
            yield server, path
            assert server.stdin is not None
            server.stdin.close()


def processor_time(fork_server: int) -> float:
    """Seconds of processor time of the processes of a fork server that have ended."""
    times = psutil.Process(fork_server).cpu_times()
    return float(times.children_user + times.children_system)


def peak_memory(fork_server: int) -> int:
    """Peak memory in bytes of the processes of a fork server, until the last of them has ended.

    Shared memory counts once.
    """
    peak = 0
    while processes := children(fork_server):
        peak = max(peak, sum(map(proportional_set_size, processes)))
        time.sleep(MEMORY_INTERVAL)
    return peak


def children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []


def proportional_set_size(pid: int) -> int:
    """Proportional set size of a process in bytes: private memory plus its part of shared memory.

    Mapped files do not count: they are the disk's cache.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # The process has ended.
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def memory_of_many(work: Path) -> dict[str, Any]:
    """Peak memory of the job for 1,000 and 10,000 frames."""
    peaks = {}
    for frames in (1000, 10_000):
        stream, originals = make_clip("320x192", frames, work / str(frames))
        peaks[frames] = job(stream, originals, "png", work / f"home{frames}", frames)[
            "peak_memory_bytes"
        ]
        shutil.rmtree(work / str(frames))
    return {
        "peak_memory_bytes": peaks,
        "ratio": peaks[10_000] / peaks[1000],
    }


if __name__ == "__main__":
    main()
