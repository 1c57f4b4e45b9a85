"""The application in this process: API, files, live updates, scheduler.

No workers run: the tests write the event logs.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from app.application import create_app
from app.catalog.catalog import Catalog
from app.files.paths import MAX_ENTRIES
from app.live.extensions import socketio
from app.live.listeners import Listeners
from app.runner.follower import Follower
from app.runner.scheduler import Scheduler
from app.runner.warm import WarmWorkers
from app.settings import Settings, Slots
from jobs.core.events import EventLog

Clip = tuple[Path, Path]

listeners_of: WeakKeyDictionary[Catalog, Listeners] = WeakKeyDictionary()


@pytest.fixture
def app(home: Path, tmp_path: Path, clip: Clip) -> Flask:
    app = create_app(Settings(home=home, data_roots=(clip[0].parent, tmp_path)), work=False)
    # tests/app/web/test_safety.py tests forms without a CSRF token.
    app.config["WTF_CSRF_ENABLED"] = False
    listeners_of[app.extensions["catalog"]] = app.extensions["listeners"]
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def catalog(app: Flask) -> Catalog:
    catalog: Catalog = app.extensions["catalog"]
    return catalog


def dataset(client: FlaskClient, clip: Clip, **fields: Any) -> str:
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    response = client.post("/api/v1/datasets", json={"name": "clip", "source": source, **fields})
    assert response.status_code == 201, response.json
    return str(response.json["id"])


def model(client: FlaskClient, dataset: str, **fields: Any) -> str:
    response = client.post("/api/v1/models", json={"name": "first", "dataset": dataset, **fields})
    assert response.status_code == 201, response.json
    return str(response.json["id"])


def log(catalog: Catalog, id: str, type: str, **fields: Any) -> None:
    with EventLog(catalog.folder(id).events) as events:
        cast(Any, events).append(type, **fields)


def follow(catalog: Catalog) -> None:
    Follower(catalog, listeners_of[catalog].send, lambda job: None).follow()


def finish(catalog: Catalog, id: str, state: str = "done") -> None:
    size = {"height": 64, "width": 96, "channels": 3, "psnr_input": 30.5, "bytes": 1e6}
    facts: dict[str, Any] = {
        "sizes": 1,
        "smallest_side": 64,
        "ssim_input": 0.9,
        "equal_pairs": 0,
        "psnr_histogram": None,
        "skipped": 0,
    }
    facts |= {"worst_pairs": [], "best_pairs": [], "sources": [], "skipped_first": []}
    summary = {
        "pairs": {"train": 22, "val": 2},
        **size,
        **facts,
        "seconds": 1.5,
        "pairs_per_second": 16.0,
    }
    log(catalog, id, "state", state=state, reason="", summary=summary)
    follow(catalog)


# The API.


def test_a_new_dataset_waits(client: FlaskClient, clip: Clip) -> None:
    job = client.get(f"/api/v1/jobs/{dataset(client, clip)}").json
    assert (job["kind"], job["state"], job["name"]) == ("dataset", "waiting", "clip")
    assert job["spec"]["source"]["originals"] == str(clip[1].resolve())


def test_relative_paths_start_at_the_first_root(client: FlaskClient, clip: Clip) -> None:
    assert dataset(client, (Path("clip.h264"), Path("originals")))


@pytest.mark.parametrize(
    ("source", "field", "message"),
    [
        ({"stream": "nowhere.h264"}, "source.stream", r"nowhere.h264 does not exist\."),
        ({"stream": "originals"}, "source.stream", "contains no stream"),
        (
            {"kind": "folders", "input": "clip.h264", "target": "originals"},
            "source.input",
            r"is a file\. Give a folder",
        ),
        ({"originals": "."}, "source.originals", "contains no image"),
        (
            {"stream": "/etc/passwd"},
            "source.stream",
            "outside the folders that this server may read",
        ),
        ({"stream": "../../../../../../etc/passwd"}, "source.stream", "outside the folders"),
        ({"stream": "a\0b"}, "source.stream", "NUL"),
        ({"stream": "x" * 3000}, "source.stream", "cannot be read"),
    ],
)
def test_an_unusable_path_is_an_error_of_its_field(
    source: dict[str, str], field: str, message: str, client: FlaskClient
) -> None:
    valid = {"kind": "stream", "stream": "clip.h264", "originals": "originals"}
    body = {"name": "a", "source": source if "kind" in source else {**valid, **source}}
    response = client.post("/api/v1/datasets", json=body)
    assert response.status_code == 422
    assert re.search(message, response.json["error"]["fields"][field])


def test_a_link_to_a_path_outside_the_roots_is_refused(client: FlaskClient, clip: Clip) -> None:
    link = clip[0].parent / "link.h264"
    link.symlink_to("/etc/passwd")
    body = {
        "name": "a",
        "source": {"kind": "stream", "stream": "link.h264", "originals": "originals"},
    }
    response = client.post("/api/v1/datasets", json=body)
    link.unlink()
    assert "outside the folders" in response.json["error"]["fields"]["source.stream"]


def test_a_pipe_is_refused(client: FlaskClient, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    body = {
        "name": "a",
        "source": {"kind": "stream", "stream": str(tmp_path / "pipe"), "originals": "originals"},
    }
    assert (
        "is not a regular file"
        in client.post("/api/v1/datasets", json=body).json["error"]["fields"]["source.stream"]
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/jobs/nothing", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/jobs", 405),
        ("POST", "/datasets", 422),
        ("POST", "/models/nothing/tests", 404),
        ("POST", "/uploads", 422),
        ("GET", "/files?path=/etc/", 400),
        ("GET", "/jobs?limit=minus", 422),
    ],
)
def test_every_error_has_one_shape(
    method: str, path: str, status: int, client: FlaskClient
) -> None:
    response = client.open("/api/v1" + path, method=method)
    assert response.status_code == status
    assert set(response.json["error"]) == {"message", "fields"}
    assert response.json["error"]["message"]


def test_openapi_describes_the_bodies_of_requests(client: FlaskClient) -> None:
    described = client.get("/api/v1/openapi.json").json
    assert described["openapi"].startswith("3.1")
    schemas = described["components"]["schemas"]

    def body(path: str) -> Any:
        content = described["paths"][path]["post"]["requestBody"]["content"]
        return content["application/json"]["schema"]

    kinds = [
        reference["$ref"].rpartition("/")[2] for reference in body("/models/{id}/tests")["oneOf"]
    ]
    assert kinds == ["ImageTest", "ImagesTest", "SplitTest", "VideoTest"]
    assert all("model" not in schemas[kind]["required"] for kind in kinds)
    assert schemas["ModelSpec"]["properties"]["batch_size"]["anyOf"][1:] == [
        {"type": "string"},
        {"type": "array", "items": {"type": ["number", "string"]}},
    ]
    assert schemas["NewLength"]["properties"]["epochs"]["anyOf"][0]["maximum"] == 100_000


def test_jobs_are_listed_newest_first_in_pages(client: FlaskClient, clip: Clip) -> None:
    ids = [dataset(client, clip, name=f"clip {number}") for number in range(3)]
    first = client.get("/api/v1/jobs?limit=2").json
    assert [job["id"] for job in first["jobs"]] == sorted(ids, reverse=True)[:2]
    second = client.get(f"/api/v1/jobs?limit=2&cursor={first['cursor']}").json
    assert [job["id"] for job in second["jobs"]] == sorted(ids)[:1]
    assert [
        job["name"]
        for job in client.get("/api/v1/jobs?q=CLIP 1&kind=dataset&state=waiting").json["jobs"]
    ] == ["clip 1"]
    assert client.get("/api/v1/jobs?kind=model").json["jobs"] == []


def test_a_new_name_is_stored_in_the_folder(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    assert client.patch(f"/api/v1/jobs/{id}", json={"name": " foreman "}).json["name"] == "foreman"
    assert catalog.folder(id).read()["name"] == "foreman"
    assert client.patch(f"/api/v1/jobs/{id}", json={"state": "done"}).status_code == 422


def test_paths_below_the_roots_are_completed(client: FlaskClient, clip: Clip) -> None:
    files = client.get(f"/api/v1/files?path={clip[0].parent}/cl").json
    assert [(entry["name"], entry["type"], entry["kind"]) for entry in files["entries"]] == [
        ("clip.h264", "file", "stream")
    ]
    assert str(clip[0].parent) in client.get("/api/v1/files").json["roots"]


def test_a_folder_is_listed_folders_first_in_natural_order(
    client: FlaskClient, tmp_path: Path
) -> None:
    for name in ("b10.bmp", "b2.bmp", ".hidden", "list.csv", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "z").mkdir()
    (tmp_path / "nowhere.png").symlink_to("missing")
    files = client.get(f"/api/v1/files?path={tmp_path}/").json
    assert [
        (entry["name"], entry["kind"], entry["size"])
        for entry in files["entries"]
        if entry["name"] != "home"
    ] == [
        ("z", "folder", None),
        ("b2.bmp", "image", 1),
        ("b10.bmp", "image", 1),
        ("list.csv", "manifest", 1),
        ("notes.txt", "list", 1),
        ("nowhere.png", "other", None),
    ]
    assert files["entries"][0]["modified"] == pytest.approx((tmp_path / "z").stat().st_mtime)
    assert files["left_out"] == 0


def test_a_long_list_of_files_has_the_number_left_out(client: FlaskClient, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(MAX_ENTRIES + 3):
        (many / f"{number}.png").touch()
    files = client.get(f"/api/v1/files?path={many}/").json
    assert (len(files["entries"]), files["left_out"]) == (MAX_ENTRIES, 3)
    assert files["entries"][-1]["name"] == f"{MAX_ENTRIES - 1}.png"


# Following and scheduling.


def test_the_follower_copies_the_log_into_the_database(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    log(catalog, id, "progress", done=3, total=24, unit="pairs", rate=10.0, eta=2.1)
    follow(catalog)
    assert client.get(f"/api/v1/jobs/{id}").json["progress"] == {
        "done": 3,
        "total": 24,
        "unit": "pairs",
        "rate": 10.0,
        "eta": 2.1,
    }


def test_a_lost_worker_is_an_error_with_the_end_of_its_log(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    log(catalog, id, "state", state="running", reason="")
    catalog.folder(id).worker_log.write_text("Traceback\nMemoryError: no more\n")
    follow(catalog)
    follow(catalog)
    follow(catalog)
    job = client.get(f"/api/v1/jobs/{id}").json
    assert job["state"] == "error"
    assert "MemoryError: no more" in job["reason"]
    assert "Resume" in job["reason"]


def test_a_model_waits_for_its_dataset_and_fails_with_it(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    source = dataset(client, clip)
    log(catalog, source, "state", state="running", reason="")
    lock = catalog.folder(source).lock()
    assert lock is not None
    waiting = model(client, source)
    follow(catalog)
    Scheduler(catalog, (), WarmWorkers(lambda job: None, lambda: None), Slots()).schedule()
    follow(catalog)
    assert client.get(f"/api/v1/jobs/{waiting}").json["state"] == "waiting"
    os.close(lock)
    finish(catalog, source, "aborted")
    Scheduler(catalog, (), WarmWorkers(lambda job: None, lambda: None), Slots()).schedule()
    follow(catalog)
    job = client.get(f"/api/v1/jobs/{waiting}").json
    assert job["state"] == "error"
    assert "“clip” is not finished (state: aborted)" in job["reason"]


def test_a_waiting_job_is_aborted_and_resumed(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    assert client.post(f"/api/v1/jobs/{id}/resume").status_code == 409
    assert client.post(f"/api/v1/jobs/{id}/abort").status_code == 202
    socketio.sleep(0.1)
    follow(catalog)
    assert client.get(f"/api/v1/jobs/{id}").json["state"] == "aborted"
    assert client.post(f"/api/v1/jobs/{id}/resume").status_code == 202
    follow(catalog)
    assert client.get(f"/api/v1/jobs/{id}").json["state"] == "waiting"


def test_resuming_waits_for_the_end_of_the_worker_and_happens_once(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    client.post(f"/api/v1/jobs/{id}/abort")
    socketio.sleep(0.1)
    follow(catalog)
    worker = catalog.folder(id).lock()
    assert worker is not None
    resumed = [gevent.spawn(catalog.resume, id) for _ in range(2)]
    gevent.sleep(0.1)
    assert not any(greenlet.ready() for greenlet in resumed)
    os.close(worker)
    gevent.joinall(resumed, timeout=60)
    assert [greenlet.exception and str(greenlet.exception) for greenlet in resumed] == [
        None,
        "The job has been resumed already.",
    ]
    follow(catalog)
    assert client.get(f"/api/v1/jobs/{id}").json["state"] == "waiting"


def test_a_dataset_in_use_is_not_deleted(client: FlaskClient, clip: Clip, catalog: Catalog) -> None:
    used = dataset(client, clip)
    user = model(client, used)
    response = client.delete(f"/api/v1/jobs/{used}")
    assert response.status_code == 409
    assert "“first”" in response.json["error"]["message"]
    assert client.delete(f"/api/v1/jobs/{user}").status_code == 204
    assert client.delete(f"/api/v1/jobs/{used}").status_code == 204
    assert not catalog.folder(used).path.exists()
    assert client.get(f"/api/v1/jobs/{used}").status_code == 404


def test_a_new_server_adds_folders_and_drops_rows_without_a_folder(
    client: FlaskClient, clip: Clip, app: Flask, home: Path
) -> None:
    kept, gone = dataset(client, clip), dataset(client, clip)
    catalog: Catalog = app.extensions["catalog"]
    finish(catalog, kept)
    for path in sorted(catalog.folder(gone).path.iterdir()):
        path.unlink()
    catalog.folder(gone).path.rmdir()
    for path in home.glob("clearframe.db*"):
        path.unlink()
    restarted = create_app(app.extensions["settings"], work=False).test_client()
    assert [(job["id"], job["state"]) for job in restarted.get("/api/v1/jobs").json["jobs"]] == [
        (kept, "done")
    ]


# Live updates.


def received(socket: Any) -> list[dict[str, Any]]:
    return [
        event for message in socket.get_received("/jobs") for event in message["args"][0]["events"]
    ]


def test_a_client_gets_missed_events_and_then_new_events(
    app: Flask, client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    for number in range(5):
        log(catalog, id, "message", level="info", text=str(number))
    follow(catalog)
    socket = socketio.test_client(app, namespace="/jobs")
    socket.emit("watch", {"job": id, "since": 3}, namespace="/jobs")
    assert [event["seq"] for event in received(socket)] == [4, 5, 6]
    log(catalog, id, "message", level="info", text="live")
    follow(catalog)
    assert [event["seq"] for event in received(socket)] == [7]
    socket.emit("unwatch", {"job": id}, namespace="/jobs")
    log(catalog, id, "message", level="info", text="unheard")
    follow(catalog)
    assert received(socket) == []


@dataclass
class LateClient:
    """A client that watches a dataset, and misses events: the server sends them from the log.

    `last_read` changes the number of the last event that the database answers.
    """

    id: str
    socket: Any
    last_read: Callable[[int], int] = int

    def watch(self) -> None:
        self.socket.emit("watch", {"job": self.id, "since": 0}, namespace="/jobs")

    def wait_for(self, numbers: list[int]) -> None:
        """Wait until the numbers of all events that the client got are these."""
        seqs: list[int] = []
        with gevent.Timeout(60, AssertionError(f"no {numbers}")):
            while seqs != numbers:
                seqs += [event["seq"] for event in received(self.socket)]
                gevent.sleep(0.01)


@pytest.fixture
def late(
    app: Flask, client: FlaskClient, clip: Clip, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LateClient]:
    late = LateClient(dataset(client, clip), socketio.test_client(app, namespace="/jobs"))
    listeners = listeners_of[catalog]
    monkeypatch.setattr(listeners, "_last_read", lambda job: late.last_read(catalog.last_read(job)))
    running = gevent.spawn(listeners.run)
    yield late
    running.kill()


def test_events_that_come_while_earlier_ones_are_sent_are_not_missed(
    late: LateClient, catalog: Catalog
) -> None:
    def last_read(last: int) -> int:
        if last == 1:  # PostgreSQL answers late: the follower sends what is new before.
            log(catalog, late.id, "message", level="info", text="the last one")
            follow(catalog)
        return last

    late.last_read = last_read
    late.watch()
    late.wait_for([1, 2])


def test_a_client_gets_its_events_after_failures_of_the_database(late: LateClient) -> None:
    failures = [1, 2, 3]

    def last_read(last: int) -> int:
        if failures:
            raise OperationalError(f"failure {failures.pop()}", None, OSError())
        return last

    late.last_read = last_read
    with pytest.raises(OperationalError):
        late.watch()
    late.wait_for([1])


@pytest.mark.parametrize(
    "message",
    [None, "x", 3, {"job": 5}, {"job": "nothing", "since": "a"}, {"job": "*", "shown": 5}],
)
def test_invalid_socket_messages_are_ignored(message: Any, app: Flask) -> None:
    socket = socketio.test_client(app, namespace="/jobs")
    socket.emit("watch", message, namespace="/jobs")
    assert received(socket) == []


# Curves.


def test_of_a_step_that_was_logged_twice_the_last_value_counts(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    for step, value in ((1, 0.5), (2, 0.4), (2, 0.3), (3, 0.2)):
        log(
            catalog,
            id,
            "scalars",
            step=step,
            epoch=step / 2,
            scalars={"train/l1": value, "lr": 0.1},
        )
    response = client.get(f"/api/v1/jobs/{id}/scalars?keys=train/l1").json
    assert response["series"].keys() == {"train/l1"}
    assert (response["series"]["train/l1"]["step"], response["series"]["train/l1"]["value"]) == (
        [1, 2, 3],
        [0.5, 0.3, 0.2],
    )
    assert response["seq"] == 5


# Pages and safety.


def test_every_page_is_served(client: FlaskClient, clip: Clip, catalog: Catalog) -> None:
    assert b"Create the first dataset" in client.get("/").data
    finished = dataset(client, clip, name="<script>alert(1)</script>")
    finish(catalog, finished)
    trained = model(client, finished)
    for path in (
        "/",
        "/datasets/new",
        f"/datasets/{finished}",
        f"/models/new?dataset={finished}",
        f"/models/{trained}",
        f"/models/{trained}/test",
    ):
        response = client.get(path)
        assert response.status_code == 200, path
        assert b"<script>alert" not in response.data
    assert client.get("/models/nothing").status_code == 404
    assert client.get(f"/jobs/{finished}").location == f"/datasets/{finished}"


def test_a_form_keeps_its_values_and_shows_errors(client: FlaskClient) -> None:
    response = client.post(
        "/datasets/new",
        data={"name": "mine", "source.stream": "nowhere.h264", "source.originals": "originals"},
    )
    assert response.status_code == 422
    assert b"nowhere.h264 does not exist." in response.data
    assert b'value="mine"' in response.data


def test_each_form_leads_to_the_page_of_what_it_created(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    stream, originals = map(str, clip)
    source = {"source.kind": "stream", "source.stream": stream, "source.originals": originals}
    response = client.post("/datasets/new", data={"name": "clip", **source})
    created = catalog.find("dataset")[0].id
    assert (response.status_code, response.location) == (302, f"/datasets/{created}")
    training = {"name": "first", "dataset": created, "epochs": "2"}
    response = client.post("/models/new", data=training)
    trained = catalog.find("model")[0].id
    assert (response.status_code, response.location) == (302, f"/models/{trained}")
    response = client.post("/models/new", data={**training, "batch_size": "8, 16"})
    sweep = catalog.find("model")[0].spec["sweep"]
    assert (response.status_code, response.location) == (302, f"/sweeps/{sweep}")
    assert client.get(response.location).status_code == 200
    response = client.post(f"/jobs/{trained}/edit", data={"name": "renamed"})
    assert response.location == f"/models/{trained}"
    response = client.post(f"/jobs/{trained}/queue", data={"priority": "1"})
    assert response.location == "/queue"
    response = client.post(f"/jobs/{trained}/delete")
    assert response.location == "/"


def test_only_files_in_the_folder_of_a_job_are_served(
    client: FlaskClient, clip: Clip, catalog: Catalog
) -> None:
    id = dataset(client, clip)
    (catalog.folder(id).path / "link").symlink_to("/etc/passwd")
    with client.get(f"/jobs/{id}/files/job.json") as response:
        assert response.json["id"] == id
    for name in ("link", "../../clearframe.db", "%2e%2e/%2e%2e/clearframe.db", "missing.png", ""):
        assert client.get(f"/jobs/{id}/files/{name}").status_code == 404


def test_requests_of_other_sites_are_refused(client: FlaskClient) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/datasets/new", headers=headers).status_code == 403
    assert client.post("/datasets/new", headers={"Origin": "http://localhost"}).status_code == 422
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_only_the_code_editor_may_make_styles_with_a_nonce(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "style-src 'self';" in policy
    pages = [client.get("/models/new") for _ in range(2)]
    nonces = [re.search(r'name="style-nonce" content="([^"]+)"', page.text) for page in pages]
    assert all(nonces)
    values = [match[1] for match in nonces if match]
    assert values[0] != values[1]
    for page, value in zip(pages, values, strict=True):
        policy = page.headers["Content-Security-Policy"]
        assert f"style-src 'self' 'nonce-{value}';" in policy
        assert "unsafe-inline" not in policy


def test_responses_allow_no_foreign_scripts(client: FlaskClient) -> None:
    assert "default-src 'self'" in client.get("/").headers["Content-Security-Policy"]
    assert b"onclick" not in client.get("/").data
