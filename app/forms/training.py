"""Form of a training: the fields of its spec, with the choices of this server."""

from dataclasses import dataclass
from pathlib import Path

from app.answers import Job
from app.checks import training
from app.forms.fields import Field, Values, fields_of
from app.runner import gpus
from app.validation_errors import Problems
from jobs.core.paths import EXAMPLES
from jobs.specs import ModelSpec

PASTED = {"sr-model": "plain", "residual": "with skip"}
"""Networks in EXAMPLES, and their labels in the form."""

LENGTHS = ("epochs", "steps", "minutes")
USUAL_EPOCHS = 30


@dataclass(frozen=True)
class Choices:
    """What a training can use.

    `datasets`: those that are done or may become so. `models`: those to start from. `user_code`:
    whether Python files may run.
    """

    datasets: list[Job]
    models: list[Job]
    user_code: bool


def training_fields(values: Values, problems: Problems, choices: Choices) -> list[Field]:
    """All fields, with the entered values and their errors."""
    if not any(name in values for name in LENGTHS) and not problems:
        values = {**values, "epochs": USUAL_EPOCHS}
    fields = [
        field for field in fields_of(ModelSpec, values, problems) if _is_offered(field, choices)
    ]
    for field in fields:
        field.choices = _choices(field, choices)
        if field.widget in ("dataset", "datasets", "model"):
            field.choices += _deleted(field)
        field.kinds = {
            kind: help for kind, help in field.kinds.items() if kind in dict(field.choices)
        }
    return fields


def _is_offered(field: Field, choices: Choices) -> bool:
    """True unless the field is for Python files and this server does not run them.

    A field that is already in use stays, for specs that come from another server.
    """
    return choices.user_code or field.active or not any(kind == "python" for _, kind in field.when)


def _choices(field: Field, choices: Choices) -> list[tuple[str, str]]:
    match field.widget:
        case "dataset" | "datasets":
            return [(job["id"], f"{job['name']} ({_pairs(job)})") for job in choices.datasets]
        case "model":
            models = [
                (job["id"], job["name"]) for job in choices.models if "last" in job["summary"]
            ]
            return [("", "None (train from scratch)"), *models]
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
