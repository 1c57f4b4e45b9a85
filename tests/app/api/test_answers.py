"""Every answer and event of a whole job has the types that documents and scripts are made from.

A field that the types lack fails here, as does one of another type.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError
from typing_extensions import get_type_hints

from app import answers
from app.api import typed
from jobs.core.folder import JobFolder
from jobs.core.types import events, summaries
from jobs.core.types.layers import ChannelResult
from jobs.core.types.load import ShownHardware
from jobs.core.types.samples import ResultRow, Skipped
from tests.support.server import Server, free_port

Clip = tuple[Path, Path]
Jobs = dict[str, str]

SMALL = {
    "batch_size": 8,
    "patch_size": 32,
    "patches_per_frame": 2,
    "epochs": 2,
    "network": {"maps1": 4, "maps2": 4},
}
EVENTS = get_args(events.JobEvent)


def check(answer: Any, kind: Any) -> None:
    """Fail if an answer has another type, or a field more than the type."""
    TypeAdapter(kind).validate_json(json.dumps(answer), strict=True, extra="forbid")


def check_as_described(answer: Any, kind: Any) -> None:
    """Fail if an answer has another type than generated clients read."""
    TypeAdapter(kind).validate_json(json.dumps(answer), extra="forbid")


def type_of_event(event: dict[str, Any]) -> Any:
    """The class of an event. The samples of the kinds of jobs have one type."""
    if event["type"] == "sample":
        if "index" in event:
            return events.ValidationSampleEvent
        return events.ImageSampleEvent if "output" in event else events.DatasetSampleEvent
    (kind,) = [
        kind for kind in EVENTS if get_args(get_type_hints(kind)["type"]) == (event["type"],)
    ]
    return kind


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[tuple[Server, Jobs]]:
    """A server with a finished job of each kind."""
    folder = tmp_path_factory.mktemp("answers")
    with Server(folder / "home", [clip[0].parent], free_port()) as server:
        dataset = server.dataset(clip, test={"method": "blocks", "percent": 20})
        server.wait(dataset, "done")
        model = server.create("/models", {"name": "m", "dataset": dataset, **SMALL})
        server.wait(model, "done")
        ids = {"dataset": dataset, "model": model}
        requests: dict[str, Any] = {
            "image": {"pair": 0},
            "images": {"kind": "images", "images": [str(clip[1])], "targets": str(clip[1])},
            "split": {"kind": "split", "split": "val"},
            "video": {"kind": "video", "video": str(clip[0]), "originals": str(clip[1])},
        }
        for kind, request in requests.items():
            ids[kind] = server.create(f"/models/{model}/tests", request)
            server.wait(ids[kind], "done")
        yield server, ids


def test_all_events_have_their_types(jobs: tuple[Server, Jobs]) -> None:
    server, ids = jobs
    seen = set()
    for id in ids.values():
        for line in JobFolder(server.home / "jobs" / id).events.read_text().splitlines():
            event = json.loads(line)
            check(event, type_of_event(event))
            seen.add(type_of_event(event))
    rare = {events.HardwareEvent, events.RemovedEvent, events.ResumedEvent, events.SkippedEvent}
    assert seen >= set(EVENTS) - rare - {events.LogMessageEvent}


@pytest.mark.parametrize(
    ("kind", "summary"),
    [
        ("dataset", summaries.DatasetSummary),
        ("model", summaries.ModelSummary),
        ("image", summaries.TestSummary),
        ("images", summaries.TestSummary),
        ("split", summaries.TestSummary),
        ("video", summaries.TestSummary),
    ],
)
def test_jobs_and_summaries_have_their_types(
    kind: str, summary: Any, jobs: tuple[Server, Jobs]
) -> None:
    server, ids = jobs
    job = server.job(ids[kind])
    check(job, answers.Job)
    check_as_described(job, typed.AnyJob)
    check_as_described(server.call("/jobs")[1], typed.JobsPage)
    check(job["summary"], summary)
    check(server.call(f"/jobs/{ids[kind]}/events")[1], answers.EventList)
    record = server.call(f"/jobs/{ids[kind]}/record")[1]
    check(record, answers.RunRecord)
    check_as_described(record, typed.AnyRecord)
    check(server.call(f"/jobs/{ids[kind]}/log")[1], answers.WorkerLog)
    check(server.call(f"/jobs/{ids[kind]}/scalars")[1], answers.ScalarsResponse)


def test_lists_and_pages_have_their_types(jobs: tuple[Server, Jobs], clip: Clip) -> None:
    server, ids = jobs
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    compress = {"kind": "compress", "originals": str(clip[1]), "qp": [30, 37]}
    network = {"dataset": ids["dataset"], "network": {"name": "srcnn-9-1-5"}, "epochs": 3}
    requests: list[tuple[str, Any, Any]] = [
        ("/jobs", None, answers.JobList),
        (f"/datasets/{ids['dataset']}/pairs", None, answers.PairPage),
        (f"/jobs/{ids['split']}/results", None, answers.ResultsPage),
        (f"/jobs/{ids['images']}/results", None, answers.ResultsPage),
        (f"/jobs/{ids['images']}/results.json", None, list[ResultRow]),
        (f"/tests/{ids['image']}/layers/1/channels/0", None, ChannelResult),
        ("/models/preview", network, answers.Preview),
        ("/models/preview", {}, answers.Preview),
        ("/probe", {"source": source}, answers.Probe),
        ("/probe", {"source": compress}, answers.Probe),
        (
            f"/models/{ids['model']}/exports",
            {"format": "torchscript", "snapshot": "best"},
            answers.Exported,
        ),
        (f"/models/{ids['model']}/exports", None, answers.ExportList),
        (f"/files?path={clip[1]}/", None, answers.Folder),
        ("/files", None, answers.Folder),
        ("/healthz", None, answers.Health),
    ]
    for path, body, kind in requests:
        status, answer = server.call(path, body)
        assert status in (200, 201), (path, answer)
        check(answer, kind)


def test_a_rare_event_and_rows_that_failed_have_their_types() -> None:
    log = {"seq": 1, "time": 1.0}
    gpu = {"name": "H200", "utilisation": 97, "memory_used": 1, "memory_total": 2}
    machine = {"cpu": 90.5, "cores": 8, "rss": 1, "memory_total": 2, "gpus": [gpu]}
    check({**log, "type": "hardware", **machine}, events.HardwareEvent)
    check({**log, "type": "removed", "snapshots": ["epoch-0001"]}, events.RemovedEvent)
    check({**log, "type": "resumed", "step": 3}, events.ResumedEvent)
    check({**log, "type": "skipped", "name": "a.png", "why": "Broken."}, events.SkippedEvent)
    check({**log, "type": "message", "level": "info", "text": "A note."}, events.LogMessageEvent)
    check([{"index": 2, "name": "x", "image": "/x", "target": None, "why": "B."}], list[ResultRow])


def test_a_field_that_a_type_lacks_is_noticed() -> None:
    skipped = {"name": "a.png", "why": "Broken."}
    for wrong in ({**skipped, "more": 1}, {"name": "a.png"}, {**skipped, "why": 3}):
        with pytest.raises(ValidationError):
            check([wrong], list[Skipped])
    with pytest.raises(ValidationError):
        check({"cpu": 1, "gpus": [{"fan": 2}]}, ShownHardware)
