"""Tests of the page that runs a network in the browser: its facts of the network, its policies."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.application import create_app
from app.settings import Settings
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.launcher import USER_CODE
from jobs.specs import ModelSpec
from tests.support.exported import make_model
from tests.support.qp_network import python_file


def client(home: Path) -> FlaskClient:
    return create_app(Settings(home=home), work=False).test_client()


def facts(page: str) -> dict[str, Any]:
    found = re.search(r'id="network">(.*?)</script>', page)
    assert found is not None
    return dict(json.loads(found[1]))


def test_the_page_has_the_reach_of_a_graph_and_offers_the_qp_where_it_is_taken(home: Path) -> None:
    plain = make_model(home).id
    with_qp = make_model(home, {"name": "ecbnet", "depth": 3, "maps": 4}).id
    pages = {id: client(home).get(f"/models/{id}/browser").text for id in (plain, with_qp)}
    reach = {"before": 6, "behind": 6, "step": 1}
    assert facts(pages[plain])["reaches"] == [reach, reach]
    assert 'id="qp-field" class="field" hidden' in pages[plain]
    assert facts(pages[with_qp])["reaches"] == [{"before": 3, "behind": 3, "step": 1}] * 2
    assert 'id="qp-field" class="field">' in pages[with_qp]
    assert '<option value="epoch-0001" selected>best (epoch-0001)</option>' in pages[plain]


def test_the_reach_of_a_python_file_is_unknown(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(USER_CODE, "1")
    id = make_model(home, python_file(tmp_path), "rgb").id
    assert facts(client(home).get(f"/models/{id}/browser").text)["reaches"] is None


def test_a_model_without_a_snapshot_has_no_such_page(home: Path) -> None:
    folder = folders.create(home, "model", ModelSpec(name="new", dataset="abcdefgh"))
    with EventLog(folder.events) as log:
        log.append("state", state="waiting", reason="")
    response = client(home).get(f"/models/{folder.id}/browser")
    assert response.status_code == 404
    assert "The model has no snapshot yet." in response.text


def test_only_the_worker_may_compile_wasm_and_only_the_page_plays_videos_of_the_disk(
    home: Path,
) -> None:
    page = f"/models/{make_model(home).id}/browser"
    browser = client(home)
    policies = {
        path: browser.get(path, buffered=True).headers["Content-Security-Policy"]
        for path in ("/", page, "/network-worker.js")
    }
    assert [path for path, policy in policies.items() if "wasm" in policy] == ["/network-worker.js"]
    assert [path for path, policy in policies.items() if "media-src" in policy] == [page]
    assert policies[page].endswith("; media-src 'self' blob:")
    assert policies["/network-worker.js"].endswith("; script-src 'self' 'wasm-unsafe-eval'")
    assert all(policy.startswith("default-src 'self'; ") for policy in policies.values())
