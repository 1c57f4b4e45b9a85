"""Tests of the pages of tests. The tests write the event logs of the workers."""

import gzip
import re
from html import unescape
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from app.catalog.catalog import Catalog
from commands.running.results import summary_lines
from jobs.specs import ImageTest, ModelSpec, VideoTest
from tests.app.test_server import app, catalog, client, log

__all__ = ["app", "catalog", "client"]


def test_the_form_shows_pictures_below_the_data_roots_only(
    client: FlaskClient, tmp_path: Path
) -> None:
    root = tmp_path
    bmp = BytesIO()
    Image.new("RGB", (4, 3), "red").save(bmp, "BMP")
    (root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and more")
    (root / "b.bmp.gz").write_bytes(gzip.compress(bmp.getvalue()))
    (root / "page.html").write_text("<script>alert(1)</script>")
    (tmp_path.parent / "outside.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    def shown(path: object) -> TestResponse:
        return client.get("/files/picture", query_string={"path": str(path)}, buffered=True)

    png, packed = shown(root / "a.png"), shown(root / "b.bmp.gz")
    assert (png.status_code, png.mimetype, png.data[-9:]) == (200, "image/png", b" and more")
    assert (packed.mimetype, packed.content_encoding) == ("image/bmp", "gzip")
    assert gzip.decompress(packed.data) == bmp.getvalue()
    for path in (root / "page.html", tmp_path.parent / "outside.png", root, ""):
        assert (shown(path).status_code, shown(path).data) == (204, b"")


def test_a_restored_video_can_be_downloaded(
    app: Flask, client: FlaskClient, catalog: Catalog
) -> None:
    id = catalog.create("test", VideoTest(model="abcdefgh", video="/a.mp4"))
    assert "The video appears here when it is restored" in client.get(f"/tests/{id}").text
    file = f"/jobs/{id}/files/results/restored.mp4"
    facts = {"file": file, "frames": 9, "width": 96, "height": 64, "frames_per_second": 3.14}
    log(catalog, id, "facts", **facts)
    row = catalog.get(id)
    assert row is not None
    catalog.catch_up(row)
    assert file in client.get(f"/tests/{id}").text


def test_the_page_and_the_command_have_vmaf_and_the_fluctuation(
    client: FlaskClient, catalog: Catalog
) -> None:
    id = catalog.create("test", VideoTest(model="abcdefgh", video="/a.mp4", originals="/o"))
    facts = {
        "measured": 9,
        **{"psnr_input": 32.0, "psnr_output": 32.5, "ssim_input": 0.9, "ssim_output": 0.91},
        "fluctuation": {"input": 0.456, "output": 0.321},
        "vmaf": {"input": 71.234, "output": 73.456},
    }
    log(catalog, id, "facts", **facts)
    row = catalog.get(id)
    assert row is not None
    catalog.catch_up(row)
    text = " ".join(client.get(f"/tests/{id}").text.split())
    assert "VMAF 71.23 → 73.46" in text
    assert "from frame to frame): 0.46 → 0.32 dB" in text
    job = {"kind": "test", "state": "done", "name": "t", "summary": facts}
    lines = summary_lines(job, str)
    assert "VMAF 73.46, input 71.23" in lines
    assert "fluctuation 0.32 dB, input 0.46 dB" in lines


def test_a_test_of_the_first_pair_is_edited_with_its_pair(
    client: FlaskClient, catalog: Catalog
) -> None:
    model = catalog.create("model", ModelSpec(name="m", dataset="abcdefgh", epochs=1))
    id = catalog.create("test", ImageTest(model=model, pair=0))
    again = re.search(f'/models/{model}/test\\?(\\S+kind\\S+)"', client.get(f"/tests/{id}").text)
    assert again
    assert parse_qs(unescape(again[1]))["pair"] == ["0"]


@pytest.mark.parametrize(
    ("target", "before", "after", "verdict"),
    [
        ("/t.png", 32.41, 32.72, "+0.31 dB better than the input (32.41 → 32.72)"),
        (None, None, None, "No ground truth given: quality cannot be measured."),
        ("/t.png", None, 40.0, "The input equals the ground truth: no gain is possible."),
        ("/t.png", 40.0, None, "The output equals the ground truth."),
    ],
)
def test_the_page_has_its_verdict_before_its_script_runs(
    client: FlaskClient,
    catalog: Catalog,
    target: str | None,
    before: float | None,
    after: float | None,
    verdict: str,
) -> None:
    id = catalog.create("test", ImageTest(model="abcdefgh", image="/a.png"))
    pictures = {"input": "/i.png", "output": "/o.png", "target": target, "width": 9, "height": 9}
    ssim = {"ssim_input": None, "ssim_output": None, "snapshot": "best"}
    log(catalog, id, "sample", **pictures, psnr_input=before, psnr_output=after, **ssim)
    row = catalog.get(id)
    assert row is not None
    catalog.catch_up(row)
    assert re.search(
        rf'id="verdict"[^>]*>{re.escape(verdict)}</p>', client.get(f"/tests/{id}").text
    )


@pytest.mark.parametrize(
    "spec",
    [ImageTest(model="abcdefgh", image="/a.png"), VideoTest(model="abcdefgh", video="/a.mp4")],
)
def test_the_page_has_the_messages_since_the_last_start(
    client: FlaskClient, catalog: Catalog, spec: ImageTest | VideoTest
) -> None:
    id = catalog.create("test", spec)

    def list_of_messages() -> str:
        row = catalog.get(id)
        assert row is not None
        catalog.catch_up(row)
        found = re.search(r'<ul id="notes".*?</ul>', client.get(f"/tests/{id}").text, re.DOTALL)
        assert found
        return found[0]

    assert "hidden" in list_of_messages()
    for text in ("of the first try", "<b> of the second try"):
        log(catalog, id, "state", state="running", reason="")
        log(catalog, id, "message", level="warning", text=text)
    assert "hidden" not in list_of_messages()
    items = re.findall("<li.*?</li>", list_of_messages())
    assert items == ['<li class="warning">&lt;b&gt; of the second try</li>']
