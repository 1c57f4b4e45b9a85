"""What forms and the API do alike: check what was sent, make a job of it, keep an upload."""

import os
import shutil
from pathlib import Path
from typing import Any

from werkzeug.datastructures import FileStorage

from app.catalog.database import JobRow
from app.catalog.queue import Queue
from app.checks import sweeps
from app.checks.dataset import checked_dataset
from app.checks.inference import checked_test
from app.checks.training import checked_training, with_its_loss
from app.current import catalog, listeners, settings
from app.errors import TooManyUploads
from app.files import uploads
from app.files.content import Unusable
from app.forms.training import LENGTHS
from app.live.sockets import GONE
from app.problems import Invalid, validate
from app.runner import probing
from jobs.specs import TESTS, DatasetSpec, ModelSpec, spec_of


def create_dataset(values: Any) -> str:
    """The id of the new job. Raises Invalid."""
    spec = checked_dataset(validate(DatasetSpec, values), settings().readable)
    return catalog().create("dataset", spec)


def probe_dataset(values: Any) -> dict[str, Any]:
    """What a dataset would be made of; takes what `create_dataset` takes, the name may be missing. Raises Invalid."""
    thorough = bool(values.pop("thorough", False))
    spec = checked_dataset(validate(DatasetSpec, {"name": "probe", **values}), settings().readable)
    return {**probing.probe(spec, thorough), "free": shutil.disk_usage(settings().home).free}


def create_models(values: Any) -> tuple[list[str], str]:
    """The ids of the new jobs, one unless several rates or batch sizes were given; and the id of the sweep that several are.

    Raises Invalid, before any of them is made.
    """
    if not isinstance(values, dict) or "sweep" in values:
        raise Invalid({"sweep": "There is no such field, or it cannot be changed."})
    each = [with_its_loss(one, catalog().get) for one in sweeps.expand(values)]
    specs = [checked_training(validate(ModelSpec, one), catalog().get, settings()) for one in each]
    return [catalog().create("model", spec) for spec in specs], specs[0].sweep


def create_test(model: str, values: Any) -> str:
    """The id of the new job. Raises Invalid."""
    if not isinstance(values, dict):
        raise Invalid({"": "Send a JSON object."})
    kind = values.get("kind", "image")
    if not isinstance(kind, str) or kind not in TESTS:
        raise Invalid({"kind": f"Must be one of {', '.join(TESTS)}."})
    spec = checked_test(
        validate(TESTS[kind], {**values, "model": model}), catalog().get, settings().readable
    )
    return catalog().create("test", spec)


def describe(row: JobRow, values: dict[str, Any]) -> None:
    """Change what a job is called. Raises Invalid."""
    spec = spec_of(row.kind, row.spec)
    changeable = {"name", "group", "notes"} & set(spec.model_fields)
    unknown = set(values) - changeable
    if unknown or not values:
        raise Invalid(
            {
                name: "There is no such field, or it cannot be changed."
                for name in unknown or changeable
            }
        )
    whole = validate(spec, {**row.spec, **values})
    catalog().describe(row.id, **{name: str(getattr(whole, name)) for name in values})
    listeners().send_changed()


def queue(id: str, words: dict[str, Any]) -> None:
    """Say when a waiting job starts. Raises Invalid, Refused."""
    validate(Queue, words)
    catalog().queue(id, **words)


def extend(row: JobRow, values: dict[str, Any]) -> None:
    """Let a training that has ended go on, to more epochs, steps or minutes than were planned. Raises Invalid, Refused."""
    unknown = set(values) - set(LENGTHS)
    if unknown or len(values) != 1:
        raise Invalid(dict.fromkeys(unknown or LENGTHS, "Give one of epochs, steps or minutes."))
    (length,) = values
    planned = row.spec[length]
    if planned is None:
        others = " and ".join(name for name in LENGTHS if row.spec[name] is not None)
        raise Invalid({length: f"The training was planned in {others}: give these."})
    if values[length] is None:
        raise Invalid({length: "This is needed."})
    spec = validate(ModelSpec, {**row.spec, **values})
    if getattr(spec, length) <= planned:
        raise Invalid({length: f"It was planned for {planned:,} {length}: give more."})
    catalog().extend(row.id, length, getattr(spec, length))


def delete(id: str) -> None:
    """Delete a job, and let those who watch it know. Raises Refused."""
    catalog().delete(id)
    listeners().send_gone(id, GONE)


def remove_snapshot(id: str, name: str) -> None:
    """Delete a snapshot, and let those who watch its model know. Raises Refused."""
    listeners().send(id, catalog().remove_snapshot(id, name))


def keep_upload(sent: FileStorage, field: str) -> Path:
    """Store a file that a form sent whole, where it can be used. Raises Invalid, at the field."""
    length = sent.stream.seek(0, os.SEEK_END)
    sent.stream.seek(0)
    if uploads.is_crowded(settings().uploads):
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
