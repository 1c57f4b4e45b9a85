"""Tests of the index of jobs: what a row has of the job's folder."""

from pathlib import Path

from app.catalog.index import as_json, row_of
from jobs.core import folder as folders
from jobs.specs import DatasetSpec, ImagesTest


def test_a_row_has_no_entries_of_a_manifest(home: Path) -> None:
    entries = [{"stream": f"/{n}.264", "originals": f"/{n}"} for n in range(2000)]
    source = {"kind": "sequences", "manifest": "/list.csv", "entries": entries}
    folder = folders.create(
        home, "dataset", DatasetSpec.model_validate({"name": "d", "source": source})
    )
    row = row_of(folder)
    assert "entries" not in row.spec["source"]
    assert row.spec["source"]["manifest"] == "/list.csv"
    spec = folder.spec()
    assert isinstance(spec, DatasetSpec)
    assert len(spec.model_dump()["source"]["entries"]) == 2000


def test_lists_leave_out_the_thousand_images_of_a_test(home: Path) -> None:
    images = [f"/{n}.png" for n in range(1000)]
    row = row_of(folders.create(home, "test", ImagesTest(model="abcdefgh", images=images)))
    assert "images" not in as_json(row, brief=True)["spec"]
    assert as_json(row)["spec"]["images"] == images
