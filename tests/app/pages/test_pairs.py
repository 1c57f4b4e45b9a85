"""Tests of the pairs of a dataset, served by a real server."""

import csv
import io
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

from jobs.datasets.store import PairReader
from jobs.interchange.importing import Split, splits_of
from tests.support.server import Server
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]


def get(server: Server, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any, bytes]:
    """Status, headers and body of a response."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(server.url + path, headers=headers or {}), timeout=120
        ) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def pairs_of(server: Server, id: str, **query: Any) -> dict[str, Any]:
    status, response = server.call(f"/datasets/{id}/pairs?{urlencode(query)}")
    assert status == 200, response
    assert isinstance(response, dict)
    return response


@pytest.fixture
def dataset(server: Server, clip: Clip) -> str:
    id = server.dataset(
        clip, input_encoding="none", target_encoding="jpeg", validation={"percent": 50}
    )
    server.wait(id, "done")
    return id


def test_pairs_are_listed_sorted_and_by_page(server: Server, clip: Clip) -> None:
    id = server.dataset((clip[0], clip[1]), validation={"percent": 1})
    server.wait(id, "done")
    listed = pairs_of(server, id)
    assert (listed["total"], listed["page"], listed["pages"], listed["splits"]) == (
        23,
        1,
        1,
        {"train": 23, "val": 1},
    )
    assert [pair["number"] for pair in listed["pairs"]] == list(range(23))
    assert listed["pairs"][0].keys() >= {
        "split",
        "frame",
        "sequence",
        "original",
        "qp",
        "psnr_input",
        "ssim_input",
        "input",
    }
    falling = [
        pair["psnr_input"] for pair in pairs_of(server, id, sort="psnr", order="desc")["pairs"]
    ]
    assert falling == sorted(falling, reverse=True)
    (only,) = pairs_of(server, id, split="val")["pairs"]
    assert (only["split"], only["number"]) == ("val", 0)


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("split=all", "split", "Must be one of"),
        ("split=test", "split", "The dataset has no test pairs. Available: train, val."),
        ("sort=colour", "sort", "Must be one of"),
        ("order=up", "order", "Must be one of"),
        ("page=0", "page", "Must be at least 1."),
        ("page=one", "page", "Must be a whole number."),
        ("page=99", "page", "Page 99 does not exist. The last page is 1."),
    ],
)
def test_a_wrong_query_is_reported_at_its_field(
    query: str, field: str, sentence: str, server: Server, dataset: str
) -> None:
    status, response = server.call(f"/datasets/{dataset}/pairs?{query}")
    assert status == 422
    assert response["error"]["fields"][field].startswith(sentence)
    status, _, page = get(server, f"/datasets/{dataset}/pairs?{query}")
    assert (status, sentence in page.decode()) == (422, True)
    assert "<h1>Address not valid</h1>" in page.decode()


def test_pages_show_the_pairs_and_their_neighbours(server: Server, dataset: str) -> None:
    worst, second, *_ = pairs_of(server, dataset, sort="psnr")["pairs"]
    gallery = get(server, f"/datasets/{dataset}/pairs?sort=psnr")[2].decode()
    assert (
        gallery.index(worst["input"])
        < gallery.index(worst["target"])
        < gallery.index(second["input"])
    )
    assert f"{worst['psnr_input']:.2f} dB" in gallery
    page = get(server, f"/datasets/{dataset}/pairs/train/{worst['number']}?sort=psnr&order=asc")[
        2
    ].decode()
    assert f"pairs/train/{second['number']}?sort=psnr&amp;order=asc" in page
    assert 'rel="prev"' not in page


def test_pictures_are_served_as_stored_or_as_png(server: Server, dataset: str) -> None:
    first = pairs_of(server, dataset)["pairs"][0]
    reader = PairReader(server.home / "jobs" / dataset / "train.lmdb")
    input, target = reader[0]
    reader.close()
    _, headers, png = get(server, first["input"])
    assert headers["Content-Type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), input)
    assert first["target"].endswith("target.jpg")
    _, headers, jpeg = get(server, first["target"].replace(".jpg", ".png"))
    assert headers["Content-Type"] == "image/jpeg"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(jpeg))), target)


def test_frame_types_and_qps_are_listed_sorted_and_served(server: Server, clip: Clip) -> None:
    id = server.dataset(clip, validation={"percent": 1})
    server.wait(id, "done")
    types = [pair["frame_type"] for pair in pairs_of(server, id, sort="frame_type")["pairs"]]
    assert types == sorted(types, key="IPB".index)
    assert {"I", "B"} <= set(types)
    listed = pairs_of(server, id, sort="qp_mean", order="desc")
    means = [pair["qp_mean"] for pair in listed["pairs"]]
    assert means == sorted(means, reverse=True)
    assert {"frame_type", "qp_mean"} <= set(listed["keys"])
    first = listed["pairs"][0]
    _, headers, png = get(server, first["qp_map"])
    assert headers["Content-Type"] == "image/png"
    map = np.asarray(Image.open(io.BytesIO(png)))
    assert map.shape == (4, 6)
    assert map.mean() == pytest.approx(first["qp_mean"], abs=0.01)
    gallery = get(server, f"/datasets/{id}/pairs?sort=qp_mean&order=desc")[2].decode()
    assert f"{first['frame_type']} frame, mean QP {first['qp_mean']:g}" in gallery
    page = get(server, f"/datasets/{id}/pairs/train/{first['number']}")[2].decode()
    assert "Mean QP of the frame" in page
    assert first["qp_map"] in page


def test_pairs_of_images_have_no_qp_map(server: Server, clip: Clip) -> None:
    source = {"kind": "folders", "input": str(clip[1]), "target": str(clip[1])}
    status, created = server.call("/datasets", {"name": "images", "source": source})
    assert status == 201
    server.wait(created["id"], "done")
    listed = pairs_of(server, created["id"])
    assert "qp_mean" not in listed["keys"]
    assert listed["pairs"][0]["qp_map"] is None
    status, _, page = get(server, f"/datasets/{created['id']}/pairs/train/0/qp.png")
    assert (status, "The QPs of pair 0 of “images”, train, are unknown." in page.decode()) == (
        404,
        True,
    )


def test_pictures_are_cached_by_browsers(server: Server, dataset: str) -> None:
    url = f"/datasets/{dataset}/pairs/train/0/input.png"
    _, headers, _ = get(server, url)
    assert "immutable" in headers["Cache-Control"]
    status, _, body = get(server, url, {"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


def test_all_pairs_are_served_as_a_zip(server: Server, dataset: str) -> None:
    _, headers, body = get(server, f"/datasets/{dataset}/pairs.zip")
    assert "clip.zip" in headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("pairs.csv"), newline="")))
        assert sorted(int(row["frame"]) for row in rows) == list(range(24))
        pictures = {name for name in archive.namelist() if "/qp_map/" not in name} - {"pairs.csv"}
        assert {row[role] for row in rows for role in ("input", "target")} == pictures
        qps = {f"{row['split']}/qp_map/{int(row['number']):06d}.png" for row in rows}
        assert qps == set(archive.namelist()) - pictures - {"pairs.csv"}
        assert {"train/input/000000.png", "val/target/000011.jpg"} <= set(archive.namelist())
        row = rows[5]
        reader = PairReader(server.home / "jobs" / dataset / "train.lmdb")
        assert np.array_equal(np.asarray(Image.open(archive.open(row["input"]))), reader[5][0])
        reader.close()


def test_pairs_are_served_in_the_formats_of_other_programs(
    server: Server, dataset: str, tmp_path: Path
) -> None:
    for format in ("basicsr", "caffe", "webdataset", "parquet"):
        _, headers, body = get(server, f"/datasets/{dataset}/pairs.zip?format={format}")
        assert f"clip-{format}.zip" in headers["Content-Disposition"]
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            archive.extractall(tmp_path)
        splits = splits_of(tmp_path / f"clip-{format}")
        packed = [split for split in splits if isinstance(split, Split)]
        sizes = [(split.name, len(list(split.input.load()))) for split in packed]
        assert sizes == [("train", 12), ("val", 12)]
    exports = server.home / "exports"
    wait_until(lambda: not list(exports.iterdir()), "what was sent is removed")
    status, _, page = get(server, f"/datasets/{dataset}/pairs.zip?format=zarr")
    assert (status, "format: Must be one of" in page.decode()) == (422, True)


def test_a_missing_pair_index_is_rebuilt(server: Server, dataset: str) -> None:
    index = server.home / "jobs" / dataset / "train.npy"
    index.unlink()
    assert pairs_of(server, dataset, sort="psnr")["total"] == 12
    assert index.is_file()


def test_pairs_of_an_unfinished_dataset_are_refused(
    server: Server, clip: Clip, tmp_path: Path
) -> None:
    (tmp_path / "words.h264").write_text("no video")
    id = server.dataset((tmp_path / "words.h264", clip[1]))
    server.wait(id, "error")
    for path in ("pairs", "pairs/train/0", "pairs/train/0/input.png", "pairs.zip"):
        status, _, page = get(server, f"/datasets/{id}/{path}")
        assert (status, "“clip” is not finished (state: error). Resume it" in page.decode()) == (
            409,
            True,
        ), path
    status, response = server.call(f"/datasets/{id}/pairs")
    assert (status, set(response["error"])) == (409, {"message", "fields"})


def test_missing_pairs_splits_and_datasets_are_not_found(server: Server, dataset: str) -> None:
    for path in (
        "train/12",
        "test/0",
        "train/0/output.png",
        f"train/{10**30}/input.png",
        "train/12/input.png",
        "test/0/input.png",
    ):
        assert get(server, f"/datasets/{dataset}/pairs/{path}")[0] == 404, path
    assert get(server, "/datasets/nothing/pairs")[0] == 404
    assert server.call("/datasets/nothing/pairs")[0] == 404


def test_deleted_pairs_are_gone(server: Server, dataset: str) -> None:
    url = f"/datasets/{dataset}/pairs/train/0/input.png"
    assert get(server, url)[0] == 200
    assert server.call(f"/jobs/{dataset}", method="DELETE")[0] == 204
    assert get(server, url)[0] == 404
