"""Readers of exported datasets that share no code with Clearframe.

Each imports its library when it is called: all processes of a test run import this file.
"""

import gc
import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
SPLITS = ("train", "val", "test")
Pair = tuple[Pixels, Pixels]


def pixels(png: bytes | None) -> Pixels:
    assert png is not None
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def png_pairs(folder: Path, split: str) -> Iterator[Pair]:
    names = sorted(path.name for path in (folder / split / "input").iterdir())
    assert names == sorted(path.name for path in (folder / split / "target").iterdir())
    for name in names:
        paths = (folder / split / role / name for role in ("input", "target"))
        input, target = (pixels(path.read_bytes()) for path in paths)
        yield input, target


def basicsr_pairs(folder: Path, split: str) -> Iterator[Pair]:
    """As paired_paths_from_lmdb and LmdbBackend of BasicSR 1.4.2 read them."""
    clients, keys = [], []
    for name in ("lq.lmdb", "gt.lmdb"):
        path = folder / split / name
        lines = (path / "meta_info.txt").read_text().splitlines()
        keys.append([line.split(".")[0] for line in lines])
        clients.append((lmdb.open(str(path), readonly=True, lock=False, readahead=False), lines))
    assert set(keys[0]) == set(keys[1])
    for number, key in enumerate(sorted(keys[0])):
        pair = []
        for environment, lines in clients:
            with environment.begin(write=False) as transaction:
                picture = pixels(transaction.get(key.encode("ascii")))
            shape = picture.shape if picture.ndim == 3 else (*picture.shape, 1)
            assert lines[number] == f"{key}.png ({','.join(map(str, shape))}) 1"
            pair.append(picture)
        yield pair[0], pair[1]
    for environment, _ in clients:
        environment.close()


def datum_class() -> Any:
    """Datum as in caffe.proto: numbers, names and types of its fields."""
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    datum = file.message_type.add(name="Datum")
    for number, (name, type) in enumerate(
        [
            *[("channels", 5), ("height", 5), ("width", 5), ("data", 12), ("label", 5)],
            *[("float_data", 2), ("encoded", 8)],
        ],
        1,
    ):
        datum.field.add(name=name, number=number, type=type, label=3 if number == 6 else 1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.Datum"))


def caffe_pairs(folder: Path, split: str) -> Iterator[Pair]:
    """As Caffe's data layers read them: two cursors in the order of keys."""
    Datum = datum_class()
    values: list[list[tuple[bytes, Any]]] = []
    for name in ("features", "labels"):
        path = folder / f"{split}_db" / name
        with (
            lmdb.open(str(path), readonly=True, lock=False) as environment,
            environment.begin() as transaction,
        ):
            rows = [(bytes(key), Datum.FromString(value)) for key, value in transaction.cursor()]
        values.append(rows)
    for (key, feature), (other, label) in zip(*values, strict=True):
        assert key == other
        assert feature.encoded
        pictures = pixels(feature.data), pixels(label.data)
        assert pictures[0].shape[:2] == (feature.height, feature.width)
        assert feature.channels == (1 if pictures[0].ndim == 2 else 3)
        yield pictures


def webdataset_pairs(folder: Path, split: str) -> Iterator[Pair]:
    import webdataset

    shards = sorted(str(path) for path in folder.glob(f"{split}-*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # It leaves shards to the collector.
        samples = list(webdataset.WebDataset(shards, shardshuffle=False))
        gc.collect()
    for sample in samples:
        assert json.loads(sample["json"])["split"] == split
        yield pixels(sample["input.png"]), pixels(sample["target.png"])


def parquet_pairs(folder: Path, split: str) -> Iterator[Pair]:
    import datasets

    loaded = datasets.load_dataset(str(folder), cache_dir=str(folder.parent / "cache"))
    for row in loaded["validation" if split == "val" else split]:
        yield np.asarray(row["input"]), np.asarray(row["target"])


READERS: dict[str, Callable[[Path, str], Iterator[Pair]]] = {
    "png": png_pairs,
    "basicsr": basicsr_pairs,
    "caffe": caffe_pairs,
    "webdataset": webdataset_pairs,
    "parquet": parquet_pairs,
}
