"""Refused requests: forms of other sites, addresses with NUL, files outside the data roots."""

import os
import re
import stat
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.application import create_app
from app.catalog.catalog import Catalog
from app.files.paths import FileProblem, browse, file_or_folder
from app.settings import Settings
from jobs.specs import DatasetSpec

SPEC = DatasetSpec.model_validate(
    {"name": "d", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)


@pytest.fixture
def app(home: Path, tmp_path: Path) -> Flask:
    return create_app(Settings(home=home, data_roots=(tmp_path,)), work=False)


@pytest.fixture
def catalog(app: Flask) -> Catalog:
    catalog: Catalog = app.extensions["catalog"]
    return catalog


def tokens(client: FlaskClient, address: str = "/") -> list[str]:
    return re.findall(r'name="csrf_token" value="([^"]+)"', client.get(address).text)


def group_of(catalog: Catalog, id: str) -> str:
    row = catalog.get(id)
    assert row is not None
    return row.group


def test_a_form_needs_the_csrf_token_of_its_browser(
    app: Flask, catalog: Catalog, home: Path, tmp_path: Path
) -> None:
    id = catalog.create("dataset", SPEC)
    client, other_client = app.test_client(), app.test_client()
    token, other = tokens(client)[0], tokens(other_client)[0]
    fields = {"ids": id, "action": "group", "group": "g"}
    for form in (fields, {**fields, "csrf_token": other}, {**fields, "csrf_token": "x"}):
        response = client.post("/jobs/many", data=form)
        assert (response.status_code, "Reload the page" in response.text) == (403, True)
    assert group_of(catalog, id) == ""
    for path in (
        f"/jobs/{id}/delete",
        f"/jobs/{id}/edit",
        f"/jobs/{id}/queue",
        "/datasets/new",
        "/models/new",
        "/columns/model",
    ):
        assert client.post(path).status_code == 403, path
    assert client.post("/jobs/many", data={**fields, "csrf_token": token}).status_code == 303
    assert group_of(catalog, id) == "g"
    # The form also works after a restart of the server. Only the server's user can read its key.
    restarted = create_app(Settings(home=home, data_roots=(tmp_path,)), work=False).test_client()
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    restarted.set_cookie(cookie.key, cookie.value)
    assert (
        restarted.post("/jobs/many", data={**fields, "group": "h", "csrf_token": token}).status_code
        == 303
    )
    assert stat.S_IMODE((home / "server.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path", ["/", "/queue", "/datasets/new", "/models/new", "/datasets/{id}", "/compare"]
)
def test_every_post_form_has_a_csrf_token(path: str, app: Flask, catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    page = app.test_client().get(path.format(id=id)).text
    for form in page.split("<form")[1:]:
        head, _, body = form.partition(">")
        assert ('method="post"' in head) == ("csrf_token" in body.split("</form>")[0]), form[:200]


def test_the_api_refuses_requests_of_other_sites(app: Flask) -> None:
    client = app.test_client()
    assert client.post("/api/v1/datasets", json={}).status_code == 422
    assert (
        client.post(
            "/api/v1/datasets", json={}, headers={"Origin": "https://evil.example"}
        ).status_code
        == 403
    )
    assert (
        client.post(
            "/api/v1/datasets", json={}, headers={"Sec-Fetch-Site": "cross-site"}
        ).status_code
        == 403
    )
    assert client.post("/api/v1/datasets", data="{}", content_type="text/plain").status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        "/?q=%00",
        "/jobs/%00",
        "/api/v1/jobs?cursor=a%00",
        "/api/v1/files?path=%00",
        "/compare?ids=a&ids=%00",
        "/?%00=a",
    ],
)
def test_nul_in_an_address_is_refused(address: str, app: Flask) -> None:
    assert app.test_client().get(address).status_code == 400


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, ...]:
    """Two data roots and the uploads, with links to a folder outside of them."""
    inside, more, uploads = (tmp_path / name for name in ("inside", "more", "uploads"))
    for folder in (inside, more, uploads, tmp_path / "outside"):
        folder.mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(b"x")
    (inside / "fine.png").write_bytes(b"x")
    (more / "fine.png").write_bytes(b"x")
    (inside / "leaves").symlink_to(tmp_path / "outside")
    (inside / "leaves.png").symlink_to(tmp_path / "outside" / "secret.png")
    (inside / "stays.png").symlink_to(more / "fine.png")
    (inside / "circle").symlink_to(inside / "circle")
    os.mkfifo(inside / "pipe.png")
    (inside / "zero.png").symlink_to("/dev/zero")
    (inside / "self.png").symlink_to("/proc/self/environ")
    return tuple(root.resolve() for root in (inside, more, uploads))


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.png",
        "{}/outside/secret.png",
        "{}/inside/../outside/secret.png",
        "leaves/secret.png",
        "leaves.png",
        "leaves",
        "circle",
        "pipe.png",
        "zero.png",
        "self.png",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/etc/passwd",
        "~/.ssh/id_rsa",
        "~nobody-of-this-name/x",
        "fine.png/..",
        "fine.png/../../outside/secret.png",
        "fine.png\0.jpg",
        "a" * 300,
        "a/" * 2100,
        pytest.param("\ud800", id="half a character"),
        pytest.param("\udcff", id="not UTF-8"),
        "",
        ".",
        "..",
    ],
)
def test_unreadable_paths_and_paths_outside_the_roots_are_refused(
    path: str, roots: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(FileProblem):
        file_or_folder(path.replace("{}", str(tmp_path)), roots, (".bmp",), "image")


@pytest.mark.parametrize(
    "path", ["fine.png", "stays.png", "./fine.png", "leaves/../inside/fine.png"]
)
def test_paths_inside_the_roots_are_read(path: str, roots: tuple[Path, ...]) -> None:
    if path.startswith("leaves"):  # The link goes outside, but the path does not.
        assert file_or_folder(path, roots, (".png",), "image") == roots[0] / "fine.png"
    else:
        assert file_or_folder(path, roots, (".png",), "image").read_bytes() == b"x"


@pytest.mark.parametrize(
    "path", ["leaves/", "leaves/s", "../", "{}/outside/", "/proc/", "/", "\ud800/", "a\0/"]
)
def test_folders_outside_the_roots_cannot_be_browsed(
    path: str, roots: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(FileProblem):
        browse(path.replace("{}", str(tmp_path)), roots)


def test_only_files_of_the_job_itself_are_served(
    app: Flask, catalog: Catalog, tmp_path: Path
) -> None:
    id, other = catalog.create("dataset", SPEC), catalog.create("dataset", SPEC)
    (tmp_path / "secret").write_text("secret")
    folder = catalog.folder(id).path
    (folder / "leaves").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    client = app.test_client()
    with client.get(f"/jobs/{id}/files/job.json") as response:
        assert response.status_code == 200
    for name in (
        "leaves",
        "pipe",
        ".",
        "..",
        f"../{other}/job.json",
        "%2e%2e/x",
        "worker.lock",
        "/etc/passwd",
        "a" * 300,
    ):
        assert client.get(f"/jobs/{id}/files/{name}").status_code in (404, 308), name
