"""The form of a training: the fields of its spec, with what can be chosen on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.checks import training
from app.forms.fields import Field, Values, fields_of
from app.problems import Problems
from app.runner import gpus
from jobs.core.paths import EXAMPLES
from jobs.specs import ModelSpec

PASTED = {"sr-model": "plain", "residual": "with skip"}
"""Networks in EXAMPLES, and what the form calls them."""

LENGTHS = ("epochs", "steps", "minutes")
USUAL_EPOCHS = 30

Job = dict[str, Any]


@dataclass(frozen=True)
class Choices:
    """What a training can build on: datasets that are usable or will be, models, and whether Python files may run."""

    datasets: list[Job]
    models: list[Job]
    user_code: bool


def training_fields(values: Values, problems: Problems, choices: Choices) -> list[Field]:
    """All fields, with what was typed and what is wrong with it."""
    if not any(name in values for name in LENGTHS) and not problems:
        values = {**values, "epochs": USUAL_EPOCHS}
    shown = [
        field for field in fields_of(ModelSpec, values, problems) if _is_offered(field, choices)
    ]
    for field in shown:
        field.choices = _choices(field, choices)
        if field.widget in ("dataset", "datasets", "model"):
            field.choices += _gone(field)
        field.kinds = {
            kind: help for kind, help in field.kinds.items() if kind in dict(field.choices)
        }
    return shown


def _is_offered(field: Field, choices: Choices) -> bool:
    """Python files are for servers that run them, and for what was asked of another one."""
    return choices.user_code or field.active or not any(kind == "python" for _, kind in field.when)


def _choices(field: Field, choices: Choices) -> list[tuple[str, str]]:
    match field.widget:
        case "dataset" | "datasets":
            return [(job["id"], f"{job['name']} ({_pairs(job)})") for job in choices.datasets]
        case "model":
            there = [(job["id"], job["name"]) for job in choices.models if "last" in job["summary"]]
            return [("", "None: weights of its own"), *there]
        case "device":
            return [(name, name) for name in _devices()]
        case "entry":
            group = training.NETWORKS if field.section == "network" else training.LOSSES
            there = [(name, name) for name in training.entries(group)]
            return there or [("", f"No installed package has {group}")]
        case "code":
            return [
                (f"/examples/{name}.prototxt", label)
                for name, label in PASTED.items()
                if _example(name).is_file()
            ]
    if field.kinds and not choices.user_code and field.value != "python":
        return [(kind, label) for kind, label in field.choices if kind != "python"]
    return field.choices


def _gone(field: Field) -> list[tuple[str, str]]:
    """What was chosen and is not there: to be seen and mended, not silently something else."""
    chosen = [id for id in str(field.value).split(", ") if id]
    return [(id, f"{id} (deleted)") for id in chosen if id not in dict(field.choices)]


def _example(name: str) -> Path:
    return EXAMPLES / f"{name}.prototxt"


def _pairs(job: Job) -> str:
    pairs = job["summary"].get("pairs")
    return f"{sum(pairs.values()):,} pairs" if pairs else str(job["state"])


def _devices() -> list[str]:
    count = len(gpus.names())
    several = [f"cuda:{','.join(map(str, range(count)))}"] if count > 1 else []
    return ["auto", "cpu", *(f"cuda:{number}" for number in range(count)), *several]
