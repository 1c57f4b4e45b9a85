"""Several users of a server: only who made a job, or an administrator, changes it."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from app.application import create_app
from app.settings import Settings
from app.web.access import guarded
from app.web.users import ENVIRON, User, Users, read_users
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.paths import ROOT as ROOT_FOLDER
from jobs.specs import ModelSpec
from tests.conftest import Clip
from tests.support.server import Server

ANNA, BERT, ROOT = User("anna", False), User("bert", False), User("root", True)
FILE = """
[anna]
token = "anna-has-this-token"
[bert]
token = "bert-has-this-token"
[root]
token = "root-has-this-token"
admin = true
"""

FOR_ALL = {
    "/api/v1/models/<id>/tests",
    "/api/v1/models/<id>/exports",
    "/models/<id>/test",
    "/tests/<id>/results/<int:index>",
}
"""Requests with the id of a job in their address that make something new, and change no job."""


@pytest.fixture
def app(home: Path, tmp_path: Path) -> Flask:
    users = tmp_path / "users.toml"
    users.write_text(FILE)
    app = create_app(Settings(home=home, data_roots=(tmp_path,), users=users), work=False)
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def as_user(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {user.name}-has-this-token"}


def test_only_the_owner_and_administrators_change_a_job(app: Flask, client: FlaskClient) -> None:
    home = app.extensions["settings"].home
    spec = ModelSpec(name="of anna", dataset="abcdefgh")
    id = folders.create(home, "model", spec, owner="anna").id
    app.extensions["catalog"].sync_folders()
    changing = sorted(
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in {"POST", "PATCH", "DELETE"}.intersection(rule.methods or ())
        if "/<id>" in rule.rule and "/uploads/" not in rule.rule and rule.rule not in FOR_ALL
    )
    assert len(changing) > 8
    values = {"id": id, "name": "step-1", "action": "abort", "index": "0", "kind": "model"}

    def status(user: User, method: str, rule: str) -> int:
        path = re.sub(r"<(?:any\([^)]*\):|\w+:)?(\w+)>", lambda match: values[match[1]], rule)
        sent = client.open(path, method=method, headers=as_user(user), json={"name": "changed"})
        return sent.status_code

    for rule, method in changing:
        assert status(BERT, method, rule) == 403, (method, rule)
        assert app.extensions["catalog"].get(id).name == "of anna"
    changes = f"/api/v1/jobs/{id}"
    refused = client.patch(changes, json={"name": "b"}, headers=as_user(BERT))
    message = refused.get_json()["error"]["message"]
    assert message == "anna made this job. Only anna or an administrator can change it."
    for user in (ANNA, ROOT):
        answer = client.patch(changes, json={"name": user.name}, headers=as_user(user))
        assert (answer.status_code, answer.get_json()["owner"]) == (200, "anna")
    form = {"action": "delete", "ids": id}
    many = client.post("/jobs/many", data=form, headers=as_user(BERT))
    assert (many.status_code, "anna made this job" in many.text) == (409, True)
    seen = client.get(f"/models/{id}", headers=as_user(BERT)).text
    assert "/abort" not in seen
    assert "by <a" in seen
    assert "longer" not in seen
    assert '"may_change": false' in seen  # Snapshots offer no changes.
    assert "/abort" in client.get(f"/models/{id}", headers=as_user(ANNA)).text
    assert client.delete(changes, headers=as_user(ROOT)).status_code == 204


def test_lists_and_queue_offer_changes_to_those_who_may_make_them(
    app: Flask, client: FlaskClient
) -> None:
    home = app.extensions["settings"].home
    spec = ModelSpec(name="waits", dataset="abcdefgh")
    id = folders.create(home, "model", spec, owner="anna").id
    running = folders.create(home, "model", spec.model_copy(update={"name": "runs"}), owner="anna")
    with EventLog(running.events) as log:
        log.append("state", state="running", reason="")
    app.extensions["catalog"].sync_folders()
    for user, may in ((BERT, False), (ANNA, True), (ROOT, True)):
        lists = client.get("/", headers=as_user(user)).text
        assert lists.count("data-of-others") == (0 if may else 2)
        assert ('aria-label="Abort runs"' in lists) is may
        queue = client.get("/queue", headers=as_user(user)).text
        assert (f'action="/jobs/{id}/queue"' in queue) is may
        assert ("anna or an administrator" in queue) is not may


def test_jobs_without_an_owner_belong_to_all(app: Flask, client: FlaskClient) -> None:
    home = app.extensions["settings"].home
    id = folders.create(home, "model", ModelSpec(name="old", dataset="abcdefgh")).id
    app.extensions["catalog"].sync_folders()
    deleted = client.delete(f"/api/v1/jobs/{id}", headers=as_user(BERT))
    assert deleted.status_code == 204


def test_users_of_a_file_have_tokens_of_their_own(server: Server, clip: Clip) -> None:
    users = server.home.parent / "users.toml"
    users.write_text(FILE)
    server.options = [f"--users={users}"]
    server.restart()

    def send(user: User, path: str, body: Any = None) -> tuple[int, str]:
        request = urllib.request.Request(
            server.url + path,
            None if body is None else json.dumps(body).encode(),
            {**as_user(user), "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    assert send(User("eve", True), "/api/v1/jobs")[0] == 401
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    status, answer = send(ANNA, "/api/v1/datasets", {"name": "mine", "source": source})
    assert status == 201, answer
    id = json.loads(answer)["id"]
    for user, number in ((ANNA, 1), (BERT, 0)):
        jobs = json.loads(send(ROOT, f"/api/v1/jobs?owner={user.name}")[1])["jobs"]
        assert [job["owner"] for job in jobs] == number * ["anna"]
        assert (f'id="pick-{id}"' in send(BERT, f"/?owner={user.name}")[1]) == bool(number)
    assert send(BERT, f"/api/v1/jobs/{id}/abort", {})[0] == 403
    home = send(BERT, "/")[1]
    assert "Made by anyone" in home
    assert re.search(r"<th[^>]*>\s*<a[^>]*>Made by</a>", home)
    # The owner survives a lost database, as everything about a job.
    server.kill()
    for file in server.home.glob("clearframe.db*"):
        file.unlink()
    server.start()
    assert json.loads(send(BERT, f"/api/v1/jobs/{id}")[1])["owner"] == "anna"


def test_a_proxy_names_the_user_in_a_header() -> None:
    @Request.application
    def application(request: Request) -> Response:
        user = request.environ[ENVIRON]
        return Response(f"{user.name} {user.is_admin}")

    users = Users(header="X-Forwarded-User", admins=frozenset({"root"}))
    client = Client(guarded(application, "127.0.0.1", "a-token-for-these-tests", users=users))

    def get(**headers: str) -> TestResponse:
        return client.get("/", headers={"Host": "localhost", **headers})

    token = {"Authorization": "Bearer a-token-for-these-tests"}
    assert get(**token, **{"X-Forwarded-User": "anna"}).text == "anna False"
    assert get(**token, **{"X-Forwarded-User": "root"}).text == "root True"
    assert get(**token).status_code == 401
    assert "X-Forwarded-User" in get(**token).text
    assert get(**{"X-Forwarded-User": "root"}).status_code == 401


def refused(*options: str) -> str:
    """What a server says that does not start."""
    command = [sys.executable, str(ROOT_FOLDER / "run_server.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no users"),
        ("[anna", "is not a TOML file"),
        ('[anna]\ntoken = "short-secret"', "at least 16 characters"),
        ('[anna]\ntoken = "the-same-long-secret"\n[bert]\ntoken = "the-same-long-secret"', "anna"),
        ('[anna]\ntoken = "a-long-enough-secret"\nadnim = true', "adnim"),
        ('[" "]\ntoken = "a-long-enough-secret"', "at least 1 character"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_without_its_tokens(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "users.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        read_users(path)
    assert "secret" not in str(raised.value)
    refusal = refused(f"--users={path}", f"--home={tmp_path / 'home'}")
    assert "--users" in refusal
    assert "secret" not in refusal


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--users={users}", "--token=a-token-for-these-tests"], "--users replaces"),
        (["--user-header=X-User"], "Set --proxies and CLEARFRAME_TOKEN"),
        (["--user-header=X-User", "--proxies=1"], "Set --proxies and CLEARFRAME_TOKEN"),
        (["--admin=root"], "Only users of --user-header"),
        (["--users=missing.toml"], "cannot be read"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(
    options: list[str], message: str, tmp_path: Path
) -> None:
    users = tmp_path / "users.toml"
    users.write_text(FILE)
    given = [option.format(users=users) for option in options]
    assert message in refused(*given, f"--home={tmp_path / 'home'}")
