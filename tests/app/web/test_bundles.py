"""Bundles of scripts and styles: which files a page names, and how they are sent."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web import assets, bundles

BUNDLES = {
    "js/pages/one.js": {"file": "js/pages/one-A.js", "imports": ["js/chunk-B.js"]},
    "js/pages/two.js": {"file": "js/pages/two-C.js", "imports": ["js/chunk-B.js"]},
    "js/chunk-B.js": {"file": "js/chunk-B.js", "imports": ["js/chunk-D.js"]},
    "js/chunk-D.js": {"file": "js/chunk-D.js", "imports": []},
    "css/all.css": {"file": "css/all-E.css", "imports": []},
}
TEXT = b"const a = 1;\n" * 100
# Without the time of now: it would be in the test's name, which differs among the workers then.
GZIPPED = gzip.compress(TEXT, mtime=0)


@pytest.fixture(autouse=True)
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(bundles, "DIST", tmp_path)
    caches = (bundles.bundles, assets.files_of_module)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()


def written(dist: Path, sources: str) -> FlaskClient:
    """A client of an application with these bundles."""
    manifest = {"sources": sources, "bundles": BUNDLES}
    (dist / "manifest.json").write_text(json.dumps(manifest))
    (dist / "css").mkdir()
    (dist / "css/all-E.css").write_bytes(TEXT)
    (dist / "css/all-E.css.gz").write_bytes(GZIPPED)
    (dist / "css/all-E.css.br").write_bytes(b"as brotli would have it")
    app = Flask("tests")
    assets.init_app(app)
    modules = ("pages/one.js", "pages/two.js")
    app.add_url_rule("/page", "page", lambda: "\n".join(map(assets.module, modules)))
    app.add_url_rule("/model", "model", lambda: assets.module("pages/model.js"))
    return app.test_client()


def test_a_page_names_its_bundles_and_all_their_imports_once(dist: Path) -> None:
    page = written(dist, bundles.sources()).get("/page").text
    assert page.splitlines() == [
        '<link rel="modulepreload" href="/static/dist/js/chunk-B.js">',
        '<link rel="modulepreload" href="/static/dist/js/chunk-D.js">',
        '<script type="module" src="/static/dist/js/pages/one-A.js"></script>',
        '<script type="module" src="/static/dist/js/pages/two-C.js"></script>',
    ]


def test_bundles_of_other_sources_are_not_used(dist: Path) -> None:
    page = written(dist, "another hash").get("/model").text
    assert '<script type="module" src="/static/js/pages/model.js">' in page
    assert '<link rel="modulepreload" href="/static/js/base/dom.js">' in page


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br", "br", b"as brotli would have it"),
        ("gzip;q=1.0, br;q=0", "gzip", GZIPPED),
        ("identity", None, TEXT),
        ("", None, TEXT),
    ],
)
def test_a_bundle_is_sent_as_the_client_accepts_it_and_cached_for_a_year(
    dist: Path, accepted: str, encoding: str | None, content: bytes
) -> None:
    client = written(dist, bundles.sources())
    with client.get(
        "/static/dist/css/all-E.css", headers={"Accept-Encoding": accepted}
    ) as response:
        assert response.data == content
    assert response.headers.get("Content-Encoding") == encoding
    assert response.mimetype == "text/css"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", ["css/none.css", "css/all-E.css.gz", "../icon.svg", "css"])
def test_nothing_else_is_sent(dist: Path, name: str) -> None:
    assert written(dist, bundles.sources()).get(f"/static/dist/{name}").status_code == 404


def test_a_link_is_no_source(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor makes one next to each file with changes that are not saved."""
    static, templates = (tmp_path_factory.mktemp(name) for name in ("static", "templates"))
    monkeypatch.setattr(bundles, "STATIC", static)
    monkeypatch.setattr(bundles, "TEMPLATES", templates)
    (templates / "page.html").write_text("page")
    before = bundles.sources.__wrapped__()
    (templates / ".#page.html").symlink_to("someone@a.computer:123")
    (templates / "other.html").symlink_to(templates / "page.html")
    assert bundles.sources.__wrapped__() == before
    (static / "new.css").write_text("")
    assert bundles.sources.__wrapped__() != before
