"""Models beside one another: what differs in what they were asked to do."""

from typing import Any

from app import forms
from app.forms import Field
from jobs.specs import ModelSpec

MOST = 30
WORDS = frozenset({"name", "notes", "group", "sweep"})
"""What a model is called says nothing about what it does."""

Job = dict[str, Any]


def differing(jobs: list[Job]) -> list[tuple[str, list[str]]]:
    """The settings in which the models differ, in the form's order: label, and each model's value, a dash where it has none."""
    each = [_settings(job["spec"]) for job in jobs]
    names = list(dict.fromkeys(name for settings in each for name in settings))
    rows = []
    for name in names:
        values = [settings[name][1] if name in settings else "–" for settings in each]
        if len(set(values)) > 1:
            rows.append((next(settings[name][0] for settings in each if name in settings), values))
    return rows


def _settings(spec: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Label and value of all settings that a spec has, by the field's name."""
    found = {}
    for field in forms.fields(ModelSpec, spec):
        if field.active and field.name not in WORDS:
            found[field.name] = (field.label, _words(field))
    return found


def _words(field: Field) -> str:
    if isinstance(field.value, bool):
        return "yes" if field.value else "no"
    return str(dict(field.choices).get(field.value, field.value)) if field.value != "" else "–"


def same_datasets(jobs: list[Job]) -> bool:
    """Whether a validation pair is one and the same picture for all of them."""
    return len({(job["spec"]["dataset"], *job["spec"]["more_datasets"]) for job in jobs}) == 1
