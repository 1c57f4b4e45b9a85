"""Dataset, training, test and export through a client that openapi-python-client generated.

Arguments: the address of a server's API, a stream, the folder of its originals. mypy checks this
file against the client: every answer has a type.
"""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from clearframe_client import Client
from clearframe_client.api.datasets import post_dataset
from clearframe_client.api.jobs import job_events, job_record, list_jobs, show_job
from clearframe_client.api.models import post_export, post_model, post_test
from clearframe_client.models import (
    Created,
    CreatedModels,
    DatasetJob,
    DatasetSpec,
    EventList,
    Exported,
    ExportSpec,
    ImageTest,
    JobsPage,
    ListJobsKind,
    ModelJob,
    ModelRecord,
    ModelSpec,
    Refusal,
    Srcnn915,
    StreamSource,
    TestJob,
)

T = TypeVar("T")


def main(address: str, stream: str, originals: str) -> None:
    client = Client(base_url=address)
    source = StreamSource(kind="stream", stream=stream, originals=originals)
    spec = DatasetSpec(name="clip", source=source)
    dataset = answer(Created, post_dataset.sync(client=client, body=spec))
    made = finished(DatasetJob, lambda: show_job.sync(dataset.id, client=client))
    network = Srcnn915(name="srcnn-9-1-5", maps1=4, maps2=4)
    training = ModelSpec(
        name="first", dataset=dataset.id, network=network, steps=2, batch_size=4, patch_size=32
    )
    model = answer(CreatedModels, post_model.sync(client=client, body=training))
    trained = finished(ModelJob, lambda: show_job.sync(model.id, client=client))
    assert trained.summary.best, "the training has no snapshot"
    assert trained.spec.steps == 2
    image = ImageTest(kind="image", pair=0)
    test = answer(Created, post_test.sync(model.id, client=client, body=image))
    tested = finished(TestJob, lambda: show_job.sync(test.id, client=client))
    exported = answer(Exported, post_export.sync(model.id, client=client, body=ExportSpec()))
    events = answer(EventList, job_events.sync(model.id, client=client))
    record = answer(ModelRecord, job_record.sync(model.id, client=client))
    models = answer(JobsPage, list_jobs.sync(client=client, kind=ListJobsKind.MODEL))
    assert [job.id for job in models.jobs] == [record.id]
    print(made.summary.height, trained.summary.best.step, tested.summary.psnr_output)
    print(exported.checked_with, events.seq, record.command)


def answer(kind: type[T], given: object) -> T:
    """The answer as its type; an error ends the program."""
    if isinstance(given, Refusal):
        sys.exit(given.error.message)
    assert isinstance(given, kind), f"{type(given)} is no {kind}"
    return given


def finished(kind: type[T], ask: Callable[[], object]) -> T:
    """The job at its end. The test that runs this program ends it if it takes too long."""
    while True:
        job = ask()
        if isinstance(job, (DatasetJob, ModelJob, TestJob)):
            assert job.state not in ("error", "aborted"), job.reason
            if job.state == "done":
                return answer(kind, job)
        else:
            answer(kind, job)
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
