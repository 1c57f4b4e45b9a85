"""Tests of the dataset routes: probe, clone, rename, delete, full disk."""

import http.client
import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.media.sample_clip import make_clip
from tests.conftest import Clip
from tests.support import disk
from tests.support.server import Server


def stream_source(clip: Clip, **fields: Any) -> dict[str, Any]:
    return {
        "source": {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1]), **fields}
    }


def page(server: Server, path: str) -> str:
    with urllib.request.urlopen(server.url + path, timeout=120) as response:
        text: str = response.read().decode()
        return text


def post(server: Server, path: str, **form: str) -> tuple[int, str]:
    """Submit a form with a CSRF token of the home page; returns status and location.

    Does not follow redirects.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/")
    home_page = connection.getresponse()
    cookie = (home_page.getheader("Set-Cookie") or "").partition(";")[0]
    token = re.search(r'name="csrf-token" content="([^"]+)"', home_page.read().decode())
    assert token is not None
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    connection.request(
        "POST", path, urllib.parse.urlencode({**form, "csrf_token": token[1]}), headers
    )
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.getheader("Location", "")


def test_a_probe_returns_facts_and_the_first_pair(server: Server, clip: Clip) -> None:
    status, response = server.call("/probe", stream_source(clip))
    assert status == 200
    (sequence,) = response["sequences"]
    video = sequence["input"]
    assert (video["codec"], video["width"], video["height"], video["pixel_format"]) == (
        "h264",
        96,
        64,
        "yuv420p",
    )
    assert (response["frames"], response["originals"], response["target_size"]) == (24, 24, "96x64")
    assert response["problems"] == response["warnings"] == []
    assert response["alignment"]["best"] == 0
    assert len(response["alignment"]["psnr"]) == 17
    assert 20 < response["first"]["psnr"] < 60
    assert response["first"]["input"].startswith("data:image/png;base64,")
    assert response["estimate"]["pairs"] == 24
    assert response["free"] > 0


def test_a_probe_finds_the_offset(server: Server, clip: Clip, tmp_path: Path) -> None:
    shifted = tmp_path / "shifted"
    shutil.copytree(clip[1], shifted)
    for path in sorted(shifted.iterdir())[:2]:
        path.unlink()
    status, response = server.call("/probe", stream_source((clip[0], shifted)))
    assert status == 200
    assert response["alignment"]["best"] == -2
    assert any("-2" in warning for warning in response["warnings"])


def test_a_probe_of_missing_sources_names_the_field(server: Server, clip: Clip) -> None:
    status, response = server.call("/probe", stream_source((Path("/nowhere.h264"), clip[1])))
    assert status == 422
    assert response["error"]["fields"]["source.stream"].startswith("/nowhere.h264 is")
    status, response = server.call(
        "/probe", stream_source((clip[1] / ".." / "clip.h264", Path("/etc")))
    )
    assert status == 422
    assert "outside the folders" in response["error"]["fields"]["source.originals"]


def test_a_probe_of_compression_estimates_each_rate(server: Server, clip: Clip) -> None:
    source = {"kind": "compress", "originals": str(clip[1]), "qp": [27, 42]}
    status, response = server.call("/probe", {"source": source})
    assert status == 200
    fine, coarse = response["rates"]
    assert fine["psnr"] > coarse["psnr"] + 2
    assert fine["bytes_a_frame"] > coarse["bytes_a_frame"]


def test_name_group_and_notes_are_changed_by_api_and_form(server: Server, clip: Clip) -> None:
    id = server.dataset(clip)
    server.wait(id, "done")
    status, job = server.call(
        f"/jobs/{id}", {"name": "renamed", "notes": "Line 1\nLine 2"}, "PATCH"
    )
    assert (status, job["name"], job["spec"]["notes"]) == (200, "renamed", "Line 1\nLine 2")
    assert post(server, f"/jobs/{id}/edit", name="again", group="codec", notes="")[0] in (302, 303)
    job = server.job(id)
    assert (job["name"], job["spec"]["group"], job["spec"]["notes"]) == ("again", "codec", "")
    assert "<h1>again " in page(server, f"/datasets/{id}")
    status, response = server.call(f"/jobs/{id}", {"seed": 3}, "PATCH")
    assert (status, list(response["error"]["fields"])) == (422, ["seed"])
    status, response = server.call(f"/jobs/{id}", {"name": ""}, "PATCH")
    assert (status, response["error"]["fields"]) == (422, {"name": "This field is required."})


def test_a_new_name_survives_a_server_restart(server: Server, clip: Clip) -> None:
    id = server.dataset(clip)
    server.wait(id, "done")
    server.call(f"/jobs/{id}", {"name": "kept"}, "PATCH")
    server.kill()
    (server.home / "clearframe.db").unlink()
    server.start()
    assert server.job(id)["name"] == "kept"


def test_a_clone_has_the_form_filled_in(server: Server, clip: Clip) -> None:
    id = server.create(
        "/datasets",
        {
            "name": "first",
            "source": {
                "kind": "compress",
                "originals": str(clip[1]),
                "qp": [30, 40],
                "preset": "veryfast",
            },
            "validation": {"method": "frames", "percent": 20},
            "channels": "grayscale",
            "keep_decoded": True,
        },
    )
    form = page(server, f"/datasets/new?clone={id}")
    values = dict(re.findall(r'<input[^>]*name="([^"]+)" [^>]*value="([^"]*)"', form))
    assert values["source.qp"] == "30, 40"
    assert values["validation.percent"] == "20"
    assert re.search(r'name="source.kind" value="compress" checked', form)
    assert re.search(r'<option value="veryfast" selected', form)
    assert re.search(r'<option value="grayscale" selected', form)
    assert re.search(r'<input type="checkbox" [^>]*name="keep_decoded"[^>]* checked', form)


def test_a_dataset_that_models_use_is_not_deleted(server: Server, clip: Clip) -> None:
    id = server.dataset(clip)
    server.wait(id, "done")
    model = server.create(
        "/models",
        {"name": "user", "dataset": id, "epochs": 1, "patch_size": 32, "patches_per_frame": 1},
    )
    server.wait(model, "done")
    status, response = server.call(f"/jobs/{id}", method="DELETE")
    assert status == 409
    assert "user" in response["error"]["message"]
    assert server.call(f"/jobs/{model}", method="DELETE")[0] == 204
    assert server.call(f"/jobs/{id}", method="DELETE")[0] == 204


def test_progress_has_the_pairs_of_each_split(server: Server, clip: Clip) -> None:
    id = server.dataset(clip)
    server.wait(id, "done")
    _, response = server.call(f"/jobs/{id}/events?type=progress")
    assert response["events"][-1]["pairs"] == {"train": 22, "val": 2}


@pytest.fixture
def full_home(tmp_path: Path) -> Iterator[Path]:
    """A home on a disk of 8 MB."""
    with disk.small_disk(tmp_path, 8) as mounted:
        yield mounted / "home"


def test_the_server_reports_a_full_disk_and_keeps_running(
    full_home: Path, tmp_path: Path, free_port: int
) -> None:
    clip = make_clip(tmp_path / "clip", frames=24, width=96, height=64)
    full_home.mkdir()
    with Server(full_home, [tmp_path], free_port) as server:
        unneeded = server.dataset(clip)
        server.wait(unneeded, "done")
        ballast = disk.fill(full_home.parent)
        status, answer = server.call("/datasets", {"name": "full", **stream_source(clip)})
        assert (status, "delete jobs" in answer["error"]["message"]) == (507, True)
        assert server.call("/healthz")[0] == 200
        assert server.call(f"/jobs/{unneeded}", method="DELETE")[0] == 204
        assert server.call(f"/jobs/{unneeded}")[0] == 404
        ballast.unlink()
        id = server.dataset(clip)
        assert server.wait(id, "done", "error")["state"] == "done"


def test_tags_are_changed_and_filtered_by(server: Server, clip: Clip) -> None:
    first = server.dataset(clip, name="one", tags=["Night", "night", " 5 % off "])
    other = server.dataset(clip, name="two", tags="day, low_noise")
    assert server.job(first)["spec"]["tags"] == ["night", "5 % off"]
    assert server.job(other)["spec"]["tags"] == ["day", "low_noise"]

    def tagged(tag: str) -> list[str]:
        status, answer = server.call(f"/jobs?tag={urllib.parse.quote(tag)}")
        assert status == 200
        return [job["id"] for job in answer["jobs"]]

    assert tagged("NIGHT") == [first]
    assert tagged("nigh") == []
    assert tagged("5 % off") == [first]
    assert tagged("low_noise") == [other]
    assert tagged("lowxnoise") == []
    status, job = server.call(f"/jobs/{other}", {"tags": ["night"]}, "PATCH")
    assert (status, job["spec"]["tags"]) == (200, ["night"])
    assert tagged("night") == [other, first]
    assert post(server, f"/jobs/{first}/edit", tags="")[0] in (302, 303)
    assert tagged("night") == [other]
    for id in (first, other):  # Running jobs are listed whatever the filter is.
        server.wait(id, "done")
    page = server.page("/?tag=night")
    assert "two" in page
    assert f'data-job="{first}"' not in page
    assert "<option selected>night</option>" in page
    for wrong in (["x" * 41], ["a,b"], [""], ["a"] * 21, [1], 5):
        status, answer = server.call(f"/jobs/{other}", {"tags": wrong}, "PATCH")
        assert status == 422, wrong
        assert list(answer["error"]["fields"]) == ["tags"]
