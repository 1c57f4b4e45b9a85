"""Frame types and QPs of the inputs in a dataset."""

import shutil
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from jobs.core import pair_index
from jobs.core.folder import JobFolder
from jobs.core.stored import PICTURES_AND_META
from jobs.datasets.store import PairReader
from jobs.media.images import images_in, read_image, stem
from jobs.media.video import frames
from jobs.run import main as run_worker
from jobs.training.dataset_hash import hash_of
from tests.support.field_datasets import end_of, run_dataset

Clip = tuple[Path, Path]
Make = Callable[..., JobFolder]


def maps_of(stream: Path) -> list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """The map of each frame of a stream of H.264."""
    maps = [frame.coding.qp for frame in frames(stream, qps=True)]
    return [map for map in maps if map is not None]


@pytest.mark.parametrize("frames_of_clip", [10, 40], ids=["in this process", "in processes"])
def test_pairs_have_the_type_and_the_qps_of_their_frame(
    frames_of_clip: int, make_originals: Callable[[int], Path], home: Path
) -> None:
    source = {"kind": "compress", "originals": str(make_originals(frames_of_clip)), "crf": [30]}
    folder = run_dataset(home, source)
    maps, types = maps_of(folder.path / "streams" / "crf30.h264"), set()
    assert len({int(qp) for map in maps for qp in map.flat}) > 3
    for split in ("train", "val"):
        reader = PairReader(folder.store(split))
        for number in range(len(reader)):
            meta, map = reader.meta(number), maps[reader.meta(number)["frame"]]
            stored = reader.qp(number)
            assert stored is not None
            assert np.array_equal(stored, map)
            assert meta["qp_mean"] == round(float(map.mean()), 2)
            plane = reader.qp_plane(number)
            assert plane.shape == (meta["height"], meta["width"], 1)
            assert (plane[0, 0], plane[-1, -1]) == (5 * map[0, 0], 5 * map[-1, -1])
            types.add(meta["frame_type"])
        reader.close()
    assert types >= {"I", "P"}
    summary = end_of(folder)["summary"]
    assert sum(summary["frame_types"].values()) == frames_of_clip
    means = [round(float(map.mean()), 2) for map in maps]
    assert summary["qp_range"] == [min(means), max(means)]


@pytest.fixture
def make_originals(tmp_path: Path) -> Callable[[int], Path]:
    """Originals of 101x67, which is odd: even on the left, noise on the right."""

    def make(count: int) -> Path:
        folder, random = tmp_path / "originals", np.random.default_rng(0)
        folder.mkdir()
        for number in range(count):
            picture = np.full((67, 101, 3), 100 + number, np.uint8)
            picture[:, 50:] += random.integers(0, 90, (67, 51, 3), np.uint8)
            Image.fromarray(picture).save(folder / f"{number:03d}.png")
        return folder

    return make


def test_patches_have_the_part_of_the_map_that_belongs_to_them(
    make_originals: Callable[[int], Path], home: Path
) -> None:
    """Their places are not multiples of 16."""
    source = {"kind": "compress", "originals": str(make_originals(6)), "crf": [30]}
    folder = run_dataset(home, source, patches={"size": 24, "stride": 13})
    maps = maps_of(folder.path / "streams" / "crf30.h264")
    reader = PairReader(folder.store("train"))
    places = set()
    for number in range(len(reader)):
        meta, (top, left) = reader.meta(number), reader.meta(number)["patch"]
        map = maps[meta["frame"]]
        whole = np.repeat(np.repeat(map, 16, 0), 16, 1)[top : top + 24, left : left + 24]
        assert np.array_equal(reader.qp_plane(number)[:, :, 0], 5 * whole)
        places.add((top % 16, left % 16))
    reader.close()
    assert len(places) > 4


def test_pairs_of_images_have_no_qps(clip: Clip, home: Path) -> None:
    source = {"kind": "folders", "input": str(clip[1]), "target": str(clip[1])}
    folder = run_dataset(home, source)
    reader = PairReader(folder.store("train"))
    meta = reader.meta(0)
    assert (meta["frame_type"], meta["qp_mean"], reader.qp(0)) == (None, None, None)
    assert not reader.qp_plane(0).any()
    reader.close()
    assert pair_index.sortable_keys(folder.store("train")) == ["number", "frame", "psnr", "ssim"]
    assert (end_of(folder)["summary"]["frame_types"], end_of(folder)["summary"]["qp_range"]) == (
        {},
        None,
    )


def test_pairs_of_jpegs_have_the_qps_of_their_tables(
    clip: Clip, home: Path, tmp_path: Path
) -> None:
    for path in images_in(clip[1]):
        Image.fromarray(read_image(path)).save(tmp_path / f"{stem(path)}.jpg", quality=50)
    folder = run_dataset(home, {"kind": "folders", "input": str(tmp_path), "target": str(clip[1])})
    reader = PairReader(folder.store("train"))
    meta, plane = reader.meta(0), reader.qp_plane(0)
    reader.close()
    assert (meta["frame_type"], meta["qp_mean"]) == (None, 28)
    assert (plane == 5 * 28).all()
    assert end_of(folder)["summary"]["qp_range"] == [28, 28]


def without_qps(store: Path) -> None:
    """Turn a store into one from before there were maps, with an index of that time."""
    old = store.with_suffix(".old")
    with lmdb.open(str(store), max_dbs=4) as source, lmdb.open(str(old), max_dbs=3) as target:
        for name in PICTURES_AND_META:
            databases = source.open_db(name.encode()), target.open_db(name.encode())
            with (
                source.begin(databases[0]) as read,
                target.begin(databases[1], write=True) as write,
            ):
                for key, value in read.cursor():
                    write.put(key, value)
    shutil.rmtree(store)
    old.rename(store)
    row = [name for name in pair_index.ROW.names or () if name not in ("frame_type", "qp_mean")]
    np.save(store.with_suffix(".npy"), pair_index.read(store)[row])


def test_a_store_without_maps_can_be_read_and_sorted(clip: Clip, make_dataset: Make) -> None:
    folder = make_dataset(clip)
    store, hash = folder.store("train"), hash_of([folder.path])
    without_qps(store)
    reader = PairReader(store)
    assert len(reader) == 22
    assert reader.qp(3) is None
    assert reader.value("qp", 3) == b""
    assert reader[3][0].shape == (64, 96, 3)
    assert reader.qp_plane(3).shape == (64, 96, 1)
    reader.close()
    assert len(pair_index.order(store, "frame_type", False)) == 22
    assert hash_of([folder.path]) != hash


def test_an_interrupted_dataset_has_the_same_maps(clip: Clip, make_dataset: Make) -> None:
    complete, interrupted = make_dataset(clip), make_dataset(clip)
    shutil.rmtree(interrupted.store("val"))
    run_worker(str(interrupted.path))
    assert hash_of([complete.path]) == hash_of([interrupted.path])
