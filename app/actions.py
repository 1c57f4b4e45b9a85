"""Actions of forms and API: validate a request, create or change a job, store an upload."""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from flask import Response
from werkzeug.datastructures import FileStorage

from app.answers import Probe
from app.bodies import ProbeRequest
from app.catalog import pairs, pins
from app.catalog.database import JobRow
from app.catalog.queue import Queue
from app.checks import sweeps
from app.checks.dataset import checked_dataset, without_entries
from app.checks.inference import checked_pin, checked_test
from app.checks.training import checked_training, image_channels, with_network_loss
from app.current import catalog, listeners, settings, user
from app.files import job_zip, pair_zip, uploads, zips
from app.files.content import Unusable
from app.forms.extending import new_length
from app.forms.record import as_files, record
from app.live.sockets import JOB_DELETED
from app.runner import pair_exports, probing, start_check
from app.temporary_failures import TooManyUploads
from app.threads import in_thread, in_thread_at_paths
from app.validation_errors import Invalid, Problems, validate
from jobs.core.types.samples import Pinned, ResultRow
from jobs.specs import TESTS, AnyTest, DatasetSpec, JobSpec, ModelSpec, spec_of
from jobs.specs.export import DatasetFormat
from jobs.specs.samples import PinnedSample

RECENT_STATES, MOST_RECENT = frozenset({"waiting", "running", "done"}), 100
"""Among these many newest tests, in these states, an equal one is shown in place of a new one."""

Dataset = TypeVar("Dataset", bound=DatasetSpec)

LABELS = ("name", "group", "tags", "notes")
"""Fields of a spec that can be changed at any time: they label the job."""

READ_ONLY = "Unknown or read-only field."


def create_dataset(values: Any) -> str:
    """Create a dataset job and return its id. Raises Invalid, with all problems of all fields."""
    try:
        spec = _checked_dataset(DatasetSpec, values)
    except Invalid as first:
        raise Invalid({**_problems_of_the_rest(values, first), **first.problems}) from first
    return _created("dataset", spec)


def _problems_of_the_rest(values: Any, first: Invalid) -> Problems:
    """Problems of files, which are looked at only once the other fields are valid."""
    if not isinstance(values, dict):
        return {}
    rest = {name: value for name, value in values.items() if name not in first.problems}
    try:
        _checked_dataset(DatasetSpec, {"name": "rest", **rest})
    except Invalid as more:
        return more.problems
    return {}


def _checked_dataset(kind: type[Dataset], values: Any) -> Dataset:
    spec = without_entries(validate(kind, values))
    return in_thread_at_paths(checked_dataset, spec, settings().readable)


def probe_dataset(values: Any) -> Probe:
    """Probe the sources of a dataset before it is created. Raises Invalid.

    Takes the values of a ProbeRequest.
    """
    request = _checked_dataset(ProbeRequest, values)
    found = probing.probe(request)
    return cast(Probe, {**found, "free": shutil.disk_usage(settings().home).free})


def create_models(values: Any) -> tuple[list[str], str]:
    """Create training jobs; return their ids and the id of their sweep ("" for a single job).

    Several learning rates or batch sizes give one job each. Raises Invalid before any job exists.
    """
    if not isinstance(values, dict):
        raise Invalid({"": "Send a JSON object."})
    runs = [with_network_loss(run, catalog().get) for run in sweeps.expand(values)]
    specs = [checked_training(validate(ModelSpec, run), catalog().get, settings()) for run in runs]
    return [_created("model", spec) for spec in specs], specs[0].sweep


def check_start_file(values: Any) -> list[str]:
    """What the network of a training would take from its weights file, in words. Raises Invalid.

    Of a sweep, the first training counts.
    """
    first = {"name": "start", **sweeps.expand(values)[0]}
    spec = checked_training(validate(ModelSpec, first), catalog().get, settings())
    if spec.start_file is None:
        raise Invalid({"start_file": "Give a file of weights."})
    channels = image_channels(catalog().get(spec.dataset))
    return start_check.sentences(spec, channels, settings().allow_user_code)


def create_test(values: Any, **network: str) -> str:
    """Create a test job and return its id. `network`: the model or the starter. Raises Invalid."""
    return _created("test", _checked_test(values, **network))


def test_of_row(many: JobRow, row: ResultRow) -> str:
    """The id of a test of one image of a test of many images; a new one unless it exists.

    Raises Invalid.
    """
    values = {"snapshot": many.view["summary"].get("snapshot", many.spec["snapshot"])}
    if "pair" in row:
        values |= {"pair": row["pair"], "split": many.spec["split"]}
    else:
        values |= {"image": row["image"], "target": row.get("target"), "qp": many.spec.get("qp")}
    network = "starter" if many.spec["model"] is None else "model"
    spec = _checked_test(values, **{network: many.spec[network]})
    work = _without_labels(spec.model_dump(mode="json"))
    for test in catalog().find("test", RECENT_STATES, limit=MOST_RECENT):
        if _without_labels(test.spec) == work:
            return test.id
    return _created("test", spec)


def _without_labels(spec: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide what a job does."""
    return {name: value for name, value in spec.items() if name not in LABELS}


def _checked_test(values: Any, **network: str) -> AnyTest:
    if not isinstance(values, dict):
        raise Invalid({"": "Send a JSON object."})
    kind = values.get("kind", "image")
    if not isinstance(kind, str) or kind not in TESTS:
        raise Invalid({"kind": f"Must be one of {', '.join(TESTS)}."})
    for name, value in network.items():
        if values.get(name, value) != value:
            raise Invalid({name: f"The address names the {name} {value}. Send the test there."})
    return checked_test(validate(TESTS[kind], {**values, **network}), catalog().get, settings())


def _created(kind: str, spec: JobSpec) -> str:
    return catalog().create(kind, spec, user().name)


def describe(row: JobRow, values: dict[str, Any]) -> None:
    """Change the name, group, tags or notes of a job. Raises Invalid."""
    spec = spec_of(row.kind, row.spec)
    changeable = set(LABELS) & set(spec.model_fields)
    unknown = set(values) - changeable
    if unknown or not values:
        raise Invalid(dict.fromkeys(unknown or changeable, READ_ONLY))
    changed = validate(spec, {**row.spec, **values})
    catalog().describe(row.id, **{name: getattr(changed, name) for name in values})
    listeners().send_changed()


def queue(id: str, values: dict[str, Any]) -> None:
    """Change the queue settings of a waiting job, such as its priority. Raises Invalid, Refused."""
    validate(Queue, values)
    catalog().queue(id, **values)


def pin(row: JobRow, values: Any) -> Pinned:
    """Pin a validation pair, or a region of it: the training shows it with its samples.

    Raises Invalid.
    """
    spec = checked_pin(validate(PinnedSample, values), row, catalog())
    return pins.add(catalog().folder(row.id), spec)


def unpin(row: JobRow, index: int) -> bool:
    """Whether a sample was pinned; the training does not show it any more."""
    return pins.remove(catalog().folder(row.id), index)


def extend(row: JobRow, values: dict[str, Any]) -> None:
    """Continue a training that has ended, to more epochs, steps or minutes than planned.

    Raises Invalid, Refused.
    """
    length, value = new_length(row, values)
    catalog().extend(row.id, length, value)


def delete(id: str) -> None:
    """Delete a job and notify the clients that watch it. Raises Refused."""
    catalog().delete(id)
    listeners().send_gone(id, JOB_DELETED)


def remove_snapshot(id: str, name: str) -> None:
    """Delete a snapshot and notify the clients that watch its model. Raises Refused."""
    listeners().send(id, catalog().remove_snapshot(id, name))


def zip_of_job(row: JobRow) -> Response:
    """All files of a job, and the record to reproduce it."""
    added = as_files(record(row, catalog()))
    return zips.zip_response(
        job_zip.stream(catalog().folder(row.id).path, row.file_name, added), row.file_name
    )


def zip_of_pairs(row: JobRow, format: DatasetFormat) -> Response:
    """The pictures of a dataset and their metadata, as other programs read them. Raises Refused."""
    folder = pairs.finished(row, catalog().folder(row.id))
    if format == "png":
        return zips.zip_response(pair_zip.stream(folder), row.file_name)
    exported = pair_exports.export(folder, row.name, format, settings().exports)
    name = f"{row.file_name}-{format}"
    response = zips.zip_response(job_zip.stream(exported, name, {}), name)
    response.call_on_close(partial(pair_exports.remove, [exported]))
    return response


def keep_upload(sent: FileStorage, field: str) -> Path:
    """Store a file from a form's upload field and return its path. Raises Invalid for the field."""
    length = sent.stream.seek(0, os.SEEK_END)
    sent.stream.seek(0)
    if in_thread(uploads.is_crowded, settings().uploads):
        raise TooManyUploads()
    upload = uploads.create(settings().uploads, length, sent.filename or "file")
    try:
        sent.save(upload.unfinished)
        uploads.settle(upload)
    except Unusable as problem:
        raise Invalid({field: str(problem)}) from problem
    except OSError:
        uploads.remove(upload)
        raise
    return upload.target
