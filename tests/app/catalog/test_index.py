"""Tests of the index of jobs: its rows, in step with folders and logs that change during a read."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from app.catalog import index
from app.catalog.catalog import Catalog
from app.catalog.database import JobRow, connect, last_commit
from app.catalog.index import as_json, row_of
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.specs import DatasetSpec, ImagesTest
from tests.support.lost_commits import commit_loses_its_answer


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


SPEC = DatasetSpec.model_validate(
    {"name": "d", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)


@pytest.fixture
def catalog(home: Path) -> Iterator[Catalog]:
    engine = connect(f"sqlite:///{home}/index.sqlite", home)
    yield Catalog(home)
    engine.dispose()


def test_live_jobs_are_read_again_after_a_commit_alone(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def live() -> list[tuple[str, str]]:
        return [(row.name, row.state) for row in catalog.live()]

    assert live() == []
    id = catalog.create("dataset", SPEC)
    assert live() == [("d", "waiting")]
    with monkeypatch.context() as context:
        context.delattr(index, "all_rows")  # Reads the database.
        assert live() == [("d", "waiting")]
    before = last_commit()
    assert catalog.find() != []
    assert catalog.get(id) is not None
    assert last_commit() is before
    catalog.describe(id, name="other")
    assert live() == [("other", "waiting")]
    with EventLog(catalog.folder(id).events) as log:
        log.append("state", state="running", reason="")
    row = catalog.get(id)
    assert row is not None
    catalog.catch_up(row)
    assert live() == [("other", "running")]
    catalog.delete(id)
    assert live() == []


def test_live_jobs_are_read_again_after_a_commit_whose_answer_was_lost(
    catalog: Catalog,
) -> None:
    id = catalog.create("dataset", SPEC)
    assert [row.name for row in catalog.live()] == ["d"]

    with commit_loses_its_answer():
        catalog.describe(id, name="other")
    assert [row.name for row in catalog.live()] == ["other"]


def around_reading(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[JobFolder], None], after: bool
) -> None:
    """Call a function just before each folder is read, or just after."""

    def read(folder: JobFolder) -> JobRow:
        if not after:
            before(folder)
        row = row_of(folder)
        if after:
            before(folder)
        return row

    monkeypatch.setattr(index, "row_of", read)


@pytest.mark.parametrize("after", [False, True])
def test_a_job_that_is_deleted_while_it_is_read_does_not_come_back(
    after: bool,
    home: Path,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = sorted(folders.create(home, "dataset", SPEC).id for _ in range(2))

    def delete(folder: JobFolder) -> None:
        if folder.id == first:
            shutil.rmtree(folder.path)

    around_reading(monkeypatch, delete, after)
    with caplog.at_level(logging.WARNING):
        assert catalog.sync_folders() == []
    assert catalog.get(first) is None
    assert catalog.get(second) is not None
    assert not caplog.records


def restored(catalog: Catalog, home: Path) -> JobRow:
    """The row of a job whose log was replaced by a shorter one, with three events."""
    folder = folders.create(home, "dataset", SPEC)
    early = folder.events.read_bytes()
    with EventLog(folder.events) as log:
        for _ in range(50):
            log.append("message", text="later", level="info")
    catalog.sync_folders()
    row = catalog.get(folder.id)
    assert row is not None
    folder.events.write_bytes(early)
    with EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        log.append("state", state="done", reason="")
    return row


def test_the_events_of_another_log_are_returned_once(home: Path, catalog: Catalog) -> None:
    row = restored(catalog, home)
    rows = [row, catalog.get(row.id), catalog.get(row.id)]
    readers = [gevent.spawn(catalog.catch_up, stale) for stale in rows]
    gevent.joinall(readers, timeout=60, raise_error=True)
    results = [reader.value for reader in readers] + [catalog.catch_up(row)]
    assert [len(events) for _, events, _ in results] == [3, 0, 0, 0]
    assert results[-1][0] == "done"


def test_a_job_that_is_deleted_while_another_log_is_read_has_no_events(
    home: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = restored(catalog, home)
    around_reading(monkeypatch, lambda folder: shutil.rmtree(folder.path), after=True)
    assert catalog.catch_up(row)[1] == []
