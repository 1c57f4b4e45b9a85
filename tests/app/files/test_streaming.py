"""Tests of answers in parts: complete, and other requests are answered while they are sent."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from app.files import pair_zip
from app.files.streaming import csv_lines, json_items
from jobs.core import folder as folders
from jobs.core.events import EventLog
from jobs.core.folder import JobFolder
from jobs.core.types.fields import Scalars
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec, ModelSpec
from tests.conftest import Clip
from tests.support.server import Server, answered_during

STEPS = 20_000


def long_run(home: Path) -> JobFolder:
    """The folder of a training with STEPS points."""
    folder = folders.create(home, "model", ModelSpec(name="long", dataset="abcdefgh"))
    with EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        scalars: Scalars = {"train/l1": 0.5, "=SUM(A1)": 1.0}
        for step in range(STEPS):
            log.append("scalars", step=step, epoch=step / 100, scalars=scalars)
        log.append("state", state="aborted", reason="")
    return folder


def test_a_long_log_leaves_the_server_free(server: Server) -> None:
    id = long_run(server.home).id
    server.restart()
    text = answered_during(server, lambda: server.page(f"/api/v1/jobs/{id}/events"))
    events = json.loads(text)
    assert [event["seq"] for event in events["events"]] == list(range(1, STEPS + 4))
    assert events["seq"] == STEPS + 3
    text = answered_during(server, lambda: server.page(f"/api/v1/jobs/{id}/scalars.csv"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["step"]) for row in rows] == list(range(STEPS))
    assert (rows[7]["train/l1"], rows[7]["'=SUM(A1)"]) == ("0.5", "1.0")
    series = json.loads(server.page(f"/api/v1/jobs/{id}/scalars?max_points=100000"))["series"]
    assert series["train/l1"]["step"] == list(range(STEPS))


def test_events_are_limited_on_request(server: Server) -> None:
    id = long_run(server.home).id
    server.restart()

    def page(query: str) -> tuple[list[int], int]:
        answer = server.call(f"/jobs/{id}/events?{query}")[1]
        return [event["seq"] for event in answer["events"]], answer["seq"]

    assert page("limit=3") == ([1, 2, 3], 3)
    assert page("limit=2&since=3") == ([4, 5], 5)
    assert page("limit=1&type=state&since=2") == ([STEPS + 3], STEPS + 3)
    assert page(f"since={STEPS + 3}") == ([], STEPS + 3)
    assert server.call(f"/jobs/{id}/events?limit=0")[0] == 422


def test_json_items_are_a_list_however_they_are_divided() -> None:
    cases: list[list[list[Any]]] = [[], [[]], [[1]], [[], [1, 2], [], ["a,b"]]]
    for parts in cases:
        assert json.loads("".join(json_items(parts))) == [item for part in parts for item in part]


def test_no_csv_text_is_a_formula() -> None:
    line = csv_lines([["=1+1", "+1", "-1", "@x", "plain", -1, -0.5, None, float("nan")]])
    assert line == "'=1+1,'+1,'-1,'@x,plain,-1,-0.5,,\r\n"


def test_names_in_pairs_csv_are_no_formulas(home: Path, clip: Clip, tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    lines = [f"{clip[0]},{clip[1]},{name}" for name in ("=1+1", "@x")]
    manifest.write_text("\n".join(["stream,originals,name", *lines]))
    source = {"kind": "sequences", "manifest": str(manifest)}
    spec = DatasetSpec.model_validate({"name": "d", "source": source})
    folder = folders.create(home, "dataset", spec)
    run_worker(str(folder.path))
    with ZipFile(io.BytesIO(b"".join(pair_zip.stream(folder)))) as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("pairs.csv"), newline="")))
    assert {row["sequence"] for row in rows} == {"'=1+1", "'@x"}
