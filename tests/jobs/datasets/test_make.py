"""Dataset jobs on real streams, valid and invalid."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core.events import last_state, read
from jobs.core.folder import JobFolder
from jobs.core.types.events import StateEvent
from jobs.datasets import sources
from jobs.datasets.store import PairReader
from jobs.media.images import read_image
from jobs.media.quality import psnr
from jobs.media.sample_clip import make_clip
from jobs.media.video import decode
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


@pytest.fixture
def copy(clip: Clip, tmp_path: Path) -> Clip:
    """A copy of the clip that a test can damage."""
    shutil.copytree(clip[1], tmp_path / "originals")
    return Path(shutil.copy(clip[0], tmp_path / "clip.h264")), tmp_path / "originals"


def end(folder: JobFolder) -> StateEvent:
    state = last_state(folder.events)
    assert state is not None
    return state


def reason(folder: JobFolder) -> str:
    assert end(folder)["state"] == "error"
    return str(end(folder)["reason"])


@pytest.mark.parametrize("encoding", ["none", "png"])
def test_pairs_are_the_frames_and_their_originals(
    encoding: str, clip: Clip, make_dataset: Make
) -> None:
    folder = make_dataset(clip, input_encoding=encoding, target_encoding=encoding)
    assert end(folder)["state"] == "done"
    frames = list(decode(clip[0]))
    numbers = set()
    for split in ("train", "val"):
        reader = PairReader(folder.store(split))
        for number in range(len(reader)):
            meta, (input, target) = reader.meta(number), reader[number]
            numbers.add(meta["frame"])
            assert np.array_equal(input, frames[meta["frame"]])
            assert np.array_equal(target, read_image(clip[1] / meta["original"]))
            assert meta["psnr_input"] == pytest.approx(psnr(input, target))
    assert numbers == set(range(24))
    assert end(folder)["summary"]["pairs"] == {"train": 22, "val": 2}


def test_jpeg_pairs_are_close_to_the_frames(clip: Clip, make_dataset: Make) -> None:
    folder = make_dataset(clip, input_encoding="jpeg", target_encoding="none")
    input, _ = PairReader(folder.store("train"))[0]
    assert 30 < psnr(input, next(decode(clip[0]))) < 60


def test_decoded_frames_are_kept_on_request(clip: Clip, make_dataset: Make) -> None:
    folder = make_dataset(clip, keep_decoded=True)
    kept = sorted((folder.path / "decoded").iterdir())
    assert [path.name for path in kept] == [f"{number:06d}.bmp" for number in range(24)]
    assert np.array_equal(read_image(kept[7]), list(decode(clip[0]))[7])


def test_an_interrupted_job_resumes_to_the_same_pairs(clip: Clip, make_dataset: Make) -> None:
    complete, interrupted = make_dataset(clip), make_dataset(clip)
    shutil.rmtree(interrupted.store("val"))
    run_worker(str(interrupted.path))
    for split in ("train", "val"):
        a, b = PairReader(complete.store(split)), PairReader(interrupted.store(split))
        assert len(a) == len(b)
        assert all(np.array_equal(a[n], b[n]) and a.meta(n) == b.meta(n) for n in range(len(a)))


def test_progress_is_reported_up_to_the_last_pair(clip: Clip, make_dataset: Make) -> None:
    progress = list(read(make_dataset(clip).events, types=frozenset({"progress"})))
    assert (progress[-1]["done"], progress[-1]["total"], progress[-1]["unit"]) == (24, 24, "pairs")
    assert progress[-1]["rate"] > 0


def test_memory_does_not_grow_with_the_number_of_frames(
    tmp_path: Path, python: Callable[[str], str]
) -> None:
    """Jobs of 300 and 60 frames differ by less than 40 MB in peak memory.

    A decoded frame takes 0.4 MB.
    """
    code = """
import resource
from pathlib import Path
from jobs.core import folder
from jobs.run import main
from jobs.specs import DatasetSpec
source = {{"kind": "stream", "stream": {clip[0]!r}, "originals": {clip[1]!r}}}
spec = DatasetSpec.model_validate({{"name": "m", "source": source}})
job = folder.create(Path({home!r}), "dataset", spec)
assert main(str(job.path)) == 0, job.events.read_text()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

    def peak(frames: int) -> int:
        clip = make_clip(tmp_path / str(frames), frames)
        return int(python(code.format(clip=[*map(str, clip)], home=f"{tmp_path}/{frames}/home")))

    small, large = peak(60), peak(300)
    # Pages of the LMDB map count as resident: allow for the written data (about 170 kB per pair).
    written = (
        sum(file.stat().st_size for file in (tmp_path / "300" / "home").rglob("data.mdb")) // 1024
    )
    assert large - small < 40_000 + written


# Invalid input: the job ends with a reason that says what is wrong, where, and what to do.


def test_a_text_file_cannot_be_read_as_a_video(copy: Clip, make_dataset: Make) -> None:
    copy[0].write_text("Not a video.\n" * 100)
    assert "clip.h264" in reason(make_dataset(copy))
    text = copy[0].with_suffix(".mp4")
    text.write_text("Not a video.\n" * 100)
    assert "clip.mp4 cannot be read as a video" in reason(make_dataset((text, copy[1])))


def test_a_stream_without_frames_is_an_error(copy: Clip, make_dataset: Make) -> None:
    copy[0].write_bytes(copy[0].read_bytes()[:40])
    assert reason(make_dataset(copy)).startswith("No frame of clip.h264 could be decoded")


@pytest.mark.parametrize("seconds", [60.0, 0.0])
def test_a_truncated_stream_reports_its_number_of_frames(
    seconds: float, copy: Clip, make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first pair, if there is time to count its frames."""
    monkeypatch.setattr(sources, "STREAM_SECONDS", seconds)
    data = copy[0].read_bytes()
    copy[0].write_bytes(data[: len(data) // 2])
    folder = make_dataset(copy)
    frames = len(list(decode(copy[0])))
    assert 0 < frames < 24
    assert f"clip.h264 has {frames} frames, but" in reason(folder)
    assert "24 originals" in reason(folder)
    assert folder.store("train").exists() == (not seconds)


def test_missing_originals_are_counted(copy: Clip, make_dataset: Make) -> None:
    (copy[1] / "000023.bmp.gz").unlink()
    assert "has 24 frames, but" in reason(make_dataset(copy))
    assert "only 23 originals" in reason(make_dataset(copy))


def test_a_folder_without_images_is_an_error(
    copy: Clip, tmp_path: Path, make_dataset: Make
) -> None:
    (tmp_path / "empty").mkdir()
    assert "contains no image" in reason(make_dataset((copy[0], tmp_path / "empty")))


def test_the_error_for_an_original_of_another_size_has_both_sizes(
    copy: Clip, make_dataset: Make
) -> None:
    (copy[1] / "000009.bmp.gz").unlink()
    Image.new("RGB", (96, 60)).save(copy[1] / "000009.png")
    (copy[1] / "000011.bmp.gz").write_bytes(b"not gzip data")
    folder = make_dataset(copy)
    assert f"{copy[1]}/000009.png is 96×60, but frame 9 of clip.h264 is 96×64" in reason(folder)
    assert f"{copy[1]}/000011.bmp.gz cannot be read as an image" in reason(folder)
    assert not folder.store("train").exists(), "all misfits are found before the first pair"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:200],
        lambda data: b"not gzip data",
        lambda data: gzip.compress(b"BM not a bitmap"),
    ],
)
def test_the_error_for_a_corrupt_original_has_its_name(
    damage: Callable[[bytes], bytes], copy: Clip, make_dataset: Make
) -> None:
    bad = copy[1] / "000005.bmp.gz"
    bad.write_bytes(damage(bad.read_bytes()))
    assert "000005.bmp.gz cannot be read as an image" in reason(make_dataset(copy))


# Real media.


def test_a_real_stream_without_frames_is_an_error(
    media: Path, clip: Clip, make_dataset: Make
) -> None:
    folder = make_dataset((media / "h264" / "sps_subsetsps_bothVUI.264", clip[1]))
    assert "sps_subsetsps_bothVUI.264" in reason(folder)


def test_the_error_for_a_real_stream_whose_size_changes_lists_the_originals(
    media: Path, tmp_path: Path, make_dataset: Make
) -> None:
    stream = media / "h264" / "Error_I_P.264"
    for number, frame in enumerate(decode(stream)):
        Image.new("RGB", (640, 480)).save(tmp_path / f"{number}.png")
        last = frame
    assert last.shape != (480, 640, 3)
    assert "in Error_I_P.264 are 352×288" in reason(make_dataset((stream, tmp_path)))


def test_near_duplicates_and_kept_files_are_separate_for_each_sequence(
    clip: Clip, home: Path
) -> None:
    """Encode the same originals at two rates.

    Frames of the second stream are not duplicates of the first, and both streams keep their frames.
    """
    source = {"kind": "compress", "originals": str(clip[1]), "qp": [30, 40]}
    frames = {"near_duplicates": 64, "last": 11}
    spec = {
        "name": "two",
        "source": source,
        "frames": frames,
        "keep_decoded": True,
        "validation": {"method": "frames", "percent": 50},
    }
    folder = folders.create(home, "dataset", DatasetSpec.model_validate(spec))
    run_worker(str(folder.path))
    skipped = {event["name"] for event in read(folder.events, types=frozenset({"skipped"}))}
    assert len(skipped) == 22
    kept = sorted(
        str(path.relative_to(folder.path / "decoded"))
        for path in (folder.path / "decoded").rglob("*.bmp")
    )
    assert (len(kept), kept[0], kept[-1]) == (24, "000-qp30/000000.bmp", "001-qp40/000011.bmp")
