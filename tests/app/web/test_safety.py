"""What must not be done from elsewhere, and not be read: forms of other sites, addresses with NUL, files beside the roots."""

import os
import re
import stat
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.catalog.catalog import Catalog
from app.files.paths import FileProblem, file_or_folder, listing
from app.settings import Settings
from jobs.specs import DatasetSpec

SPEC = DatasetSpec.model_validate(
    {"name": "d", "source": {"kind": "folders", "input": "/a", "target": "/b"}}
)


@pytest.fixture
def app(home: Path, tmp_path: Path) -> Flask:
    return create_app(Settings(home, (tmp_path,)), work=False)


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


def test_a_form_needs_the_token_that_this_browser_was_given(
    app: Flask, catalog: Catalog, home: Path, tmp_path: Path
) -> None:
    id = catalog.create("dataset", SPEC)
    mine, theirs = app.test_client(), app.test_client()
    token, other = tokens(mine)[0], tokens(theirs)[0]
    words = {"ids": id, "action": "group", "group": "g"}
    for sent in (words, {**words, "csrf_token": other}, {**words, "csrf_token": "x"}):
        answer = mine.post("/jobs/many", data=sent)
        assert (answer.status_code, "Reload the page" in answer.text) == (403, True)
    assert group_of(catalog, id) == ""
    for path in (
        f"/jobs/{id}/delete",
        f"/jobs/{id}/edit",
        f"/jobs/{id}/queue",
        "/datasets/new",
        "/models/new",
        "/columns/model",
    ):
        assert mine.post(path).status_code == 403, path
    assert mine.post("/jobs/many", data={**words, "csrf_token": token}).status_code == 303
    assert group_of(catalog, id) == "g"
    # And after a new start of the server; its key is nobody else's.
    again = create_app(Settings(home, (tmp_path,)), work=False).test_client()
    cookie = mine.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    again.set_cookie(cookie.key, cookie.value)
    assert (
        again.post("/jobs/many", data={**words, "group": "h", "csrf_token": token}).status_code
        == 303
    )
    assert stat.S_IMODE((home / "server.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path", ["/", "/queue", "/datasets/new", "/models/new", "/datasets/{id}", "/compare"]
)
def test_every_form_of_every_page_has_its_token(path: str, app: Flask, catalog: Catalog) -> None:
    id = catalog.create("dataset", SPEC)
    page = app.test_client().get(path.format(id=id)).text
    for form in page.split("<form")[1:]:
        head, _, body = form.partition(">")
        assert ('method="post"' in head) == ("csrf_token" in body.split("</form>")[0]), form[:200]


def test_json_comes_from_our_own_pages_and_from_programs(app: Flask) -> None:
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
    """Two data roots and the uploads; beside them what nobody may have."""
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
def test_a_path_that_leads_elsewhere_is_refused(
    path: str, roots: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(FileProblem):
        file_or_folder(path.replace("{}", str(tmp_path)), roots, (".bmp",), "image")


@pytest.mark.parametrize(
    "path", ["fine.png", "stays.png", "./fine.png", "leaves/../inside/fine.png"]
)
def test_one_that_stays_inside_is_read(path: str, roots: tuple[Path, ...]) -> None:
    if path.startswith("leaves"):  # What it names is inside, whichever way it goes.
        assert file_or_folder(path, roots, (".png",), "image") == roots[0] / "fine.png"
    else:
        assert file_or_folder(path, roots, (".png",), "image").read_bytes() == b"x"


@pytest.mark.parametrize(
    "path", ["leaves/", "leaves/s", "../", "{}/outside/", "/proc/", "/", "\ud800/", "a\0/"]
)
def test_no_folder_beside_the_roots_is_browsed(
    path: str, roots: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(FileProblem):
        listing(path.replace("{}", str(tmp_path)), roots)


def test_of_a_job_only_its_own_files_are_given(
    app: Flask, catalog: Catalog, tmp_path: Path
) -> None:
    id, other = catalog.create("dataset", SPEC), catalog.create("dataset", SPEC)
    (tmp_path / "secret").write_text("secret")
    folder = catalog.folder(id).path
    (folder / "leaves").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    client = app.test_client()
    with client.get(f"/jobs/{id}/files/job.json") as answer:
        assert answer.status_code == 200
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
