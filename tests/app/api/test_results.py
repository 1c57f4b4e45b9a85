"""Tests of the results of a test of many images: page, API, CSV and JSON.

The tests write the event logs of the workers.
"""

import csv
import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.catalog.catalog import Catalog
from jobs.specs import ImagesTest, SplitTest
from tests.app.test_server import app, catalog, client, log

__all__ = ["app", "catalog", "client"]


def row(index: int, gain: float | None, name: str = "", **more: Any) -> dict[str, Any]:
    before, after = 30.0, None if gain is None else 30.0 + gain
    scores = {
        "psnr_input": before,
        "psnr_output": after,
        "gain": gain,
        "ssim_input": 0.9,
        "ssim_output": 0.91,
    }
    return {
        "index": index,
        "name": name or f"pair {index}",
        "pair": index,
        "width": 96,
        "height": 64,
        **scores,
        **more,
    }


@pytest.fixture
def test(catalog: Catalog) -> str:
    id = catalog.create("test", SplitTest(model="abcdefgh", split="test"))
    log(
        catalog,
        id,
        "results",
        rows=[
            row(0, 1.0),
            row(1, -0.5, "<b>worse</b>"),
            {"index": 2, "name": "x", "why": "Broken."},
        ],
    )
    log(catalog, id, "results", rows=[row(3, None), row(2, 0.25, '=HYPERLINK("x")')])
    return id


def test_the_smallest_gain_is_first_and_other_orders_are_available(
    client: FlaskClient, test: str
) -> None:
    def order(query: str = "") -> list[int]:
        return [
            result["index"]
            for result in client.get(f"/api/v1/jobs/{test}/results{query}").json["results"]
        ]

    assert order() == [1, 2, 0, 3]  # The last result equals its ground truth: no gain is larger.
    assert order("?order=desc") == [3, 0, 2, 1]
    assert order("?sort=index") == [0, 1, 2, 3]
    assert order("?sort=psnr_output&order=desc") == [3, 0, 2, 1]
    assert order("?sort=name")[:2] == [1, 2]
    response = client.get(f"/api/v1/jobs/{test}/results?sort=beauty")
    assert (response.status_code, list(response.json["error"]["fields"])) == (422, ["sort"])
    assert (
        client.get(f"/api/v1/jobs/{test}/results?page=2")
        .json["error"]["message"]
        .endswith("The last page is 1.")
    )


def test_failed_images_are_listed_separately_until_they_are_restored(
    client: FlaskClient, catalog: Catalog, test: str
) -> None:
    assert client.get(f"/api/v1/jobs/{test}/results").json["failed"] == 0
    log(
        catalog,
        test,
        "results",
        rows=[{"index": 4, "name": "y.png", "why": "It is <i>no</i> image."}],
    )
    results = client.get(f"/api/v1/jobs/{test}/results").json
    assert (results["total"], results["failed"], results["failures"][0]["why"]) == (
        4,
        1,
        "It is <i>no</i> image.",
    )
    assert "It is &lt;i&gt;no&lt;/i&gt; image." in client.get(f"/tests/{test}").text


def test_a_page_has_100_results(client: FlaskClient, catalog: Catalog) -> None:
    id = catalog.create("test", SplitTest(model="abcdefgh"))
    log(catalog, id, "results", rows=[row(number, number / 100) for number in range(250)])
    first, last = (client.get(f"/api/v1/jobs/{id}/results?page={page}").json for page in (1, 3))
    assert (len(first["results"]), len(last["results"]), last["pages"]) == (100, 50, 3)
    assert "Page 3 of 3" in client.get(f"/tests/{id}?page=3&sort=gain").text
    assert client.get(f"/tests/{id}?page=4").status_code == 404


def test_results_without_ground_truth_keep_their_order(
    client: FlaskClient, catalog: Catalog
) -> None:
    id = catalog.create("test", ImagesTest(model="abcdefgh", images=["/a"]))
    nothing = dict.fromkeys(("psnr_input", "psnr_output", "gain", "ssim_input", "ssim_output"))
    rows = [
        {"index": number, "name": f"{9 - number}", "image": "/a&b/9", "target": None, **nothing}
        for number in range(3)
    ]
    log(catalog, id, "results", rows=rows)
    results = client.get(f"/api/v1/jobs/{id}/results").json
    assert (results["sort"], [result["index"] for result in results["results"]]) == (
        "index",
        [0, 1, 2],
    )
    page = client.get(f"/tests/{id}").text
    assert "No ground truth given" in page
    assert f'formaction="/tests/{id}/results/0"' in page


def test_a_gain_range_selects_images(client: FlaskClient, test: str) -> None:
    rows = client.get(f"/api/v1/jobs/{test}/results").json["results"]
    gains = [row["gain"] for row in rows if row["gain"] is not None]
    low, high = min(gains), max(gains)
    selected = client.get(f"/api/v1/jobs/{test}/results?low={low}&high={high}").json
    assert [row["gain"] for row in selected["results"]] == sorted(
        gain for gain in gains if low <= gain < high
    )
    assert selected["total"] == len(rows)
    assert client.get(f"/api/v1/jobs/{test}/results?low=x").status_code == 422
    assert client.get(f"/api/v1/jobs/{test}/results?high=inf").status_code == 422


def test_a_gain_range_may_have_one_end(client: FlaskClient, test: str) -> None:
    assert "gain of at least 0.25 dB." in client.get(f"/tests/{test}?low=0.25").text
    assert "gain of less than 1 dB." in client.get(f"/tests/{test}?high=1").text
    both = client.get(f"/tests/{test}?low=-0.5&high=0").text
    assert "gain of at least −0.5 dB and less than 0 dB." in both


def test_all_results_as_csv_and_json(client: FlaskClient, test: str) -> None:
    response = client.get(f"/api/v1/jobs/{test}/results.csv")
    assert response.headers["Content-Disposition"] == 'attachment; filename="test_split.csv"'
    table = list(csv.DictReader(io.StringIO(response.text)))
    assert [result["index"] for result in table] == ["0", "1", "2", "3"]
    assert table[2]["name"] == '\'=HYPERLINK("x")'
    assert (table[1]["gain"], table[3]["psnr_output"]) == ("-0.5", "")
    assert [result["index"] for result in client.get(f"/api/v1/jobs/{test}/results.json").json] == [
        0,
        1,
        2,
        3,
    ]


@pytest.mark.parametrize("extension", ["", ".csv", ".json"])
def test_other_jobs_have_no_results(extension: str, client: FlaskClient) -> None:
    assert client.get(f"/api/v1/jobs/abcdefgh/results{extension}").status_code == 404


def test_names_of_images_are_text(client: FlaskClient, test: str) -> None:
    page = client.get(f"/tests/{test}").text
    assert "&lt;b&gt;worse&lt;/b&gt;" in page
    assert "<b>worse</b>" not in page
