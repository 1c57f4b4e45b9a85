"""Tests of the home page without a browser: search, sorting, paging, and bulk actions."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.catalog.catalog import Catalog
from app.catalog.lists import PAGE, ListQuery, groups, page
from app.live.extensions import socketio
from app.runner.follower import Follower
from jobs.specs import DatasetSpec, ImageTest, ModelSpec
from tests.app.test_server import app, catalog, client, follow, log
from tests.conftest import Clip
from tests.support.lost_commits import commit_loses_its_answer

__all__ = ["app", "catalog", "client"]

SOURCE = {"kind": "folders", "input": "/a", "target": "/b"}


def dataset(catalog: Catalog, name: str, **fields: Any) -> str:
    return catalog.create(
        "dataset", DatasetSpec.model_validate({"name": name, "source": SOURCE, **fields})
    )


def model(catalog: Catalog, name: str, gain: float | None = None, **fields: Any) -> str:
    id = catalog.create(
        "model", ModelSpec.model_validate({"name": name, "dataset": "0" * 8, **fields})
    )
    if gain is not None:
        scores = {"val/l1": 0.1, "val/psnr": 30 + gain, "val/psnr_input": 30.0}
        log(catalog, id, "snapshot", name="e1", epoch=1.5, step=10, size=5, scalars=scores)
        follow(catalog)
    return id


def names(kind: str, size: int = PAGE, **query: str) -> list[str]:
    """The names of the jobs on all pages of a list."""
    job_names, after = [], ""
    while True:
        current = page(kind, ListQuery(**{"after": after, **query}), size)
        assert len(current.jobs) <= size
        job_names += [job["name"] for job in current.jobs]
        after = current.next
        if not after:
            assert len(job_names) == current.total
            return job_names


@pytest.fixture
def models(catalog: Catalog) -> list[str]:
    """Model ids; by gain b, d, a, then c and E without a gain."""
    gains = {"c": None, "a": -0.2, "d": 0.1, "b": 0.3, "E": None}
    return [
        model(catalog, name, gain, group="odd" if name in "ac" else "")
        for name, gain in gains.items()
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 50])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("-made", ["E", "b", "d", "a", "c"]),
        ("made", ["c", "a", "d", "b", "E"]),
        ("name", ["a", "b", "c", "d", "E"]),
        ("-name", ["E", "d", "c", "b", "a"]),
        ("-gain", ["b", "d", "a", "E", "c"]),
        ("gain", ["a", "d", "b", "c", "E"]),
        ("-group", ["a", "c", "E", "b", "d"]),
    ],
)
def test_pages_of_any_size_have_each_job_once_and_in_order(
    order: str, expected: list[str], size: int, models: list[str]
) -> None:
    assert names("model", size, order=order) == expected


def test_the_next_page_continues_after_a_deleted_job(catalog: Catalog, models: list[str]) -> None:
    first = page("model", ListQuery(order="-gain"), 2)
    catalog.delete(first.jobs[-1]["id"])
    assert [
        job["name"] for job in page("model", ListQuery(order="-gain", after=first.next), 2).jobs
    ] == ["a", "E"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "B"}, ["b"]),
        ({"q": "odd"}, ["a", "c"]),
        ({"q": "b srcnn"}, ["b"]),
        ({"q": "odd b"}, []),
        ({"q": "srcnn"}, ["E", "b", "d", "a", "c"]),
        ({"q": "%"}, []),
        ({"group": "odd"}, ["a", "c"]),
        ({"state": "aborted"}, ["d"]),
        ({"state": "waiting", "group": "odd"}, ["a", "c"]),
    ],
)
def test_jobs_are_found_by_text_state_and_group(
    query: dict[str, Any], expected: list[str], catalog: Catalog, models: list[str]
) -> None:
    log(catalog, models[2], "state", state="aborted", reason="")
    follow(catalog)
    assert names("model", **query) == expected
    assert groups() == ["odd"]


@pytest.mark.parametrize(
    "address", ["/?models.sort=view", "/?models.after=x", "/?models.sort=gain&models.after=x~nan"]
)
def test_unknown_sort_keys_and_cursors_are_refused(
    address: str, client: FlaskClient, models: list[str]
) -> None:
    assert client.get(address).status_code == 400


def test_lists_show_the_values_of_the_logs(client: FlaskClient, catalog: Catalog) -> None:
    source = dataset(catalog, "the clip")
    summary = {"pairs": {"train": 1200, "val": 4}, "width": 352, "height": 288, "psnr_input": 31.25}
    log(catalog, source, "state", state="done", reason="", summary=summary)
    net = model(catalog, "first", 0.31, dataset=source)
    test = catalog.create(
        "test", ImageTest.model_validate({"model": net, "image": "/a.png", "name": "look"})
    )
    log(catalog, test, "state", state="running")
    log(catalog, test, "sample", output="o.png", input="i.png")
    log(
        catalog,
        test,
        "state",
        state="error",
        reason="No room",
        summary={"psnr_input": 30.0, "psnr_output": 29.5},
    )
    follow(catalog)
    html = client.get("/").text
    for text in (
        "the clip",
        "1,204",
        "352×288",
        "31.25 dB",
        "+0.31 dB",
        "SRCNN",
        "30.00 dB",
        "29.50 dB",
        "−0.50 dB",
        'title="No room"',
    ):
        assert text in html, text
    assert html.count(">the clip</a>") == 2
    assert "Epoch" not in html


def test_a_running_training_shows_its_loss_and_the_hardware(
    client: FlaskClient, catalog: Catalog
) -> None:
    id = model(catalog, "runs", 0.25)
    log(catalog, id, "state", state="running", gpus=[0])
    for step in range(200):
        log(
            catalog,
            id,
            "scalars",
            step=step,
            epoch=0.1,
            scalars={"val/l1": 9.0, "train/l2": step / 4},
        )
    log(catalog, id, "progress", done=48, total=1204, unit="steps", rate=130.0, eta=9.0)
    log(
        catalog,
        id,
        "hardware",
        cpu=90.0,
        cores=2,
        rss=1,
        memory_total=2,
        gpus=[{"utilisation": 97, "memory_used": 8e9, "memory_total": 8e10}],
    )
    follow(catalog)
    running = client.get("/").text.split('id="running"')[1].split("</section>")[0]
    for text in (
        "48 of 1,204 steps",
        "about 10 s left",
        "+0.25 dB",
        "97 % of the GPU · 8.0 GB of 80.0 GB",
    ):
        assert text in running, text
    row = catalog.get(id)
    assert row is not None
    losses = row.view["losses"]
    assert (losses["seen"], losses["every"]) == (200, 4)
    assert losses["values"] == [(seen - 1) / 4 for seen in range(4, 201, 4)]


def test_columns_are_stored_per_browser(client: FlaskClient, models: list[str]) -> None:
    def heads() -> list[str]:
        html = client.get("/").text
        return re.findall(r"<th\s+scope=\"col\"[^>]*>\s*(?:<a[^>]*>)?([^<]+)<", html)

    assert heads() == [
        "Name",
        "Gain",
        "Dataset",
        "Network",
        "Best epoch",
        "State",
        "Group",
        "Created",
    ]
    response = client.post(
        "/columns/model", data={"columns": ["psnr", "state", "nonsense"], "back": "/?q=b"}
    )
    assert response.location == "/?q=b#models"
    assert heads() == ["Name", "PSNR", "State"]
    assert client.post("/columns/model", data={"back": "//evil.example"}).location == "/#models"
    assert heads() == ["Name"]
    assert client.post("/columns/nothing").status_code == 404


def test_several_jobs_are_grouped_and_deleted_at_once(
    client: FlaskClient, catalog: Catalog, models: list[str]
) -> None:
    log(catalog, models[3], "state", state="done", reason="")
    follow(catalog)
    response = client.post(
        "/jobs/many",
        data={"ids": models[:3], "action": "group", "group": " g 2 ", "back": "/?state=waiting"},
    )
    assert (response.status_code, response.location) == (303, "/?state=waiting")
    assert sorted(names("model", group="g 2")) == ["a", "c", "d"]
    response = client.post("/jobs/many", data={"ids": models[2:], "action": "delete"})
    assert response.location == "/"
    assert names("model") == ["a", "c"]
    assert not catalog.folder(models[3]).path.exists()


def test_bulk_actions_report_the_jobs_that_refuse_and_change_the_others(
    client: FlaskClient, catalog: Catalog
) -> None:
    used, free = dataset(catalog, "used <b>"), dataset(catalog, "free")
    model(catalog, "m", dataset=used)
    response = client.post(
        "/jobs/many", data={"ids": [used, free, "gone"], "action": "delete", "back": "/?q=e"}
    )
    assert response.status_code == 409
    assert "2 of 3 jobs were deleted" in response.text
    assert "used &lt;b&gt;</a>: The dataset is used by the models “m”." in response.text
    assert 'href="/?q=e"' in response.text
    assert names("dataset") == ["used <b>"]
    response = client.post(
        "/jobs/many", data={"ids": [used], "action": "group", "group": "x" * 201}
    )
    assert "0 of 1 job was put into the group" in response.text
    for action in ("", "rename"):
        assert client.post("/jobs/many", data={"ids": [used], "action": action}).status_code == 400


def test_a_list_page_gets_more_events_of_the_jobs_that_it_shows(
    app: Flask, catalog: Catalog
) -> None:
    ids = [model(catalog, name) for name in "ab"]
    follow(catalog)
    socket = socketio.test_client(app, namespace="/jobs")
    for shown, expected in (
        ([ids[0]], "state progress state"),
        ([], "state state"),
        ([ids[1], 5], "state state progress"),
        (5, "state state"),
    ):
        socket.emit("watch", {"job": "*", "shown": shown}, namespace="/jobs")
        for id in ids:
            log(catalog, id, "state", state="waiting")
            log(catalog, id, "progress", done=1, total=2, unit="steps")
            log(catalog, id, "message", level="info", text="quiet")
            follow(catalog)
        events = [
            event["type"]
            for message in socket.get_received("/jobs")
            for event in message["args"][0]["events"]
        ]
        assert events == expected.split()


def test_events_of_a_commit_whose_answer_was_lost_are_sent(app: Flask, catalog: Catalog) -> None:
    listeners = app.extensions["listeners"]
    follower = Follower(catalog, listeners.send, lambda job: None, missed=listeners.send_missed)
    id = dataset(catalog, "ends")
    follower.follow()
    socket = socketio.test_client(app, namespace="/jobs")
    socket.emit("watch", {"job": id, "since": 1}, namespace="/jobs")
    log(catalog, id, "state", state="done", reason="", summary={})

    with commit_loses_its_answer():
        follower.follow()
    assert not listeners._late  # Pages do not ask again and again while the database fails.
    follower.follow()
    for late in list(listeners._late):  # Done by the loop of its `run`.
        listeners._catch_up(*late)
    received = [message["args"][0] for message in socket.get_received("/jobs")]
    assert [event["state"] for message in received for event in message["events"]] == ["done"]


def test_a_list_page_reloads_when_a_list_changes(
    app: Flask, client: FlaskClient, catalog: Catalog
) -> None:
    listeners = app.extensions["listeners"]
    follower = Follower(catalog, listeners.send, lambda job: None, listeners.send_changed)
    socket = socketio.test_client(app, namespace="/jobs")
    socket.emit("watch", {"job": "*"}, namespace="/jobs")

    def reloads() -> bool:
        follower.follow()
        for late in list(listeners._late):  # Done by the loop of its `run`.
            listeners._catch_up(*late)
        return any(message["args"][0].get("missed") for message in socket.get_received("/jobs"))

    assert not reloads()
    id = dataset(catalog, "waits in the queue")
    assert reloads()
    assert not reloads()
    assert client.patch(f"/api/v1/jobs/{id}", json={"name": "renamed"}).status_code == 200
    assert reloads()
    assert client.delete(f"/api/v1/jobs/{id}").status_code == 204
    assert reloads()
    assert not reloads()


def test_a_kind_without_jobs_has_its_empty_section(client: FlaskClient, clip: Clip) -> None:
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    client.post("/api/v1/datasets", json={"name": "clip", "source": source})
    page = client.get("/").text
    assert "No models yet." in page
    assert "No tests yet." in page
    assert '<a href="/queue">Queue</a>' in page
    assert '<a href="/compare">Compare</a>' in page
