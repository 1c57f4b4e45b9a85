"""Form of a training: the fields of its spec, with the choices of this server."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from app.answers import Job
from app.catalog.catalog import Catalog
from app.catalog.lists import TITLES
from app.checks import training
from app.forms.fields import Field, Values, fields_of, values_of
from app.runner import gpus
from app.validation_errors import Problems
from jobs.core.paths import EXAMPLES
from jobs.specs import ModelSpec

PASTED = {"sr-model": "plain", "residual": "with skip"}
"""Networks in EXAMPLES, and their labels in the form."""

LENGTHS = ("epochs", "minutes", "steps")
"""The fields of the spec for the length, of which a request gives one: one control of the form."""
LENGTH_UNIT = "length_unit"
"""What the form's control sends besides the number if the browser runs no scripts."""
LENGTH_HELP = "Passes over the training frames, a time budget, or optimizer steps."
USUAL_EPOCHS = 30

MOST_SUGGESTED = 180
"""Characters of a suggested name, without its number."""
GPU_BATCHES = (256, 512, 1024)
"""Smaller batches leave a GPU waiting for the start of its kernels."""


@dataclass(frozen=True)
class Choices:
    """What a training can use.

    `datasets`: those that are done or may become so. `models`: those to start from. `user_code`:
    whether Python files may run.
    """

    datasets: list[Job]
    models: list[Job]
    user_code: bool


def training_values(form: Mapping[str, str]) -> Values:
    """The submitted values. An empty length is an error, not the default.

    Scripts give the number the name of the selected unit. Without them, the unit is sent apart.
    """
    values = values_of(ModelSpec, form)
    sent = next((name for name in LENGTHS if name in form), "")
    if not sent:
        return values
    unit = form.get(LENGTH_UNIT, sent)
    others = {name: value for name, value in values.items() if name not in (sent, LENGTH_UNIT)}
    return {**others, unit if unit in LENGTHS else sent: values.get(sent, "")}


def name_for(values: Values, catalog: Catalog) -> str:
    """A name that no other model has: "SRCNN 9-1-5 on clip", or "SRCNN 9-1-5 on clip 2"."""
    network, titles = values.get("network"), TITLES["model"]
    tag = network.get("name") if isinstance(network, dict) else None
    title = titles.get(str(tag)) or next(iter(titles.values()))
    dataset = catalog.get(str(values.get("dataset", "")))
    name = title if dataset is None else f"{title} on {dataset.name}"[:MOST_SUGGESTED]
    taken = set(catalog.names("model", name))
    numbered = (f"{name} {number}" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def training_fields(values: Values, problems: Problems, choices: Choices) -> list[Field]:
    """All fields, with the entered values and their errors."""
    fields = [
        field
        for field in _with_one_length(fields_of(ModelSpec, values, problems), values)
        if _is_offered(field, choices)
    ]
    for field in fields:
        field.choices = _choices(field, choices)
        if field.widget in ("dataset", "datasets", "model"):
            field.choices += _deleted(field)
        field.kinds = {
            kind: help for kind, help in field.kinds.items() if kind in dict(field.choices)
        }
    return fields


def _with_one_length(fields: list[Field], values: Values) -> list[Field]:
    """The fields, of which those of LENGTHS are one control, named after the unit in use."""
    unit = next((name for name in LENGTHS if values.get(name) is not None), LENGTHS[0])
    length = next(field for field in fields if field.name == unit)
    length.widget, length.label, length.help = "length", "Length", LENGTH_HELP
    length.unit, length.more, length.required = unit, False, True
    if unit not in values:
        length.value = USUAL_EPOCHS
    kept = [field for field in fields if field.name not in LENGTHS]
    place = next(index for index, field in enumerate(fields) if field.name in LENGTHS)
    return [*kept[:place], length, *kept[place:]]


def _is_offered(field: Field, choices: Choices) -> bool:
    """True unless the field is for Python files and this server does not run them.

    A field that is already in use stays, for specs that come from another server.
    """
    return choices.user_code or field.active or not any(kind == "python" for _, kind in field.when)


def _choices(field: Field, choices: Choices) -> list[tuple[str, str]]:
    match field.widget:
        case "length":
            return [(name, name) for name in LENGTHS]
        case "dataset" | "datasets":
            return [(job["id"], f"{job['name']} ({_pairs(job)})") for job in choices.datasets]
        case "model":
            models = [
                (job["id"], job["name"]) for job in choices.models if "last" in job["summary"]
            ]
            return [("", "None (train from scratch)"), *models]
        case "list" if field.name == "batch_size" and gpus.names():
            return [(str(size), "for a GPU") for size in GPU_BATCHES]
        case "device":
            return [(name, name) for name in _devices()]
        case "entry":
            group = training.NETWORKS if field.section == "network" else training.LOSSES
            entries = [(name, name) for name in training.entries(group)]
            return entries or [("", f"No installed package provides {group}")]
        case "code":
            return [
                (f"/examples/{name}.prototxt", label)
                for name, label in PASTED.items()
                if _example(name).is_file()
            ]
    if field.kinds and not choices.user_code and field.value != "python":
        return [(kind, label) for kind, label in field.choices if kind != "python"]
    return field.choices


def _deleted(field: Field) -> list[tuple[str, str]]:
    """Choices for selected jobs that no longer exist, so that the user sees and corrects them.

    Without them the browser would silently select another job.
    """
    chosen = [id for id in str(field.value).split(", ") if id]
    return [(id, f"{id} (deleted)") for id in chosen if id not in dict(field.choices)]


def _example(name: str) -> Path:
    return EXAMPLES / f"{name}.prototxt"


def _pairs(job: Job) -> str:
    pairs = job["summary"].get("pairs")
    return f"{sum(pairs.values()):,} pairs" if pairs else str(job["state"])


def _devices() -> list[str]:
    names = gpus.names()
    count = len(names)
    together = count > 1 and not any(map(gpus.is_mig, names))
    several = [f"cuda:{','.join(map(str, range(count)))}"] if together else []
    return ["auto", "cpu", *(f"cuda:{number}" for number in range(count)), *several]
