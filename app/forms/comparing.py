"""Models beside one another: what differs in what they were asked to do."""

from collections.abc import Callable
from typing import Any

from app.forms.fields import Field, fields_of
from jobs.specs import ModelSpec

MOST = 30
WORDS = frozenset({"name", "notes", "group", "sweep"})
"""What a model is called says nothing about what it does."""

Job = dict[str, Any]


def differing(jobs: list[Job], name_of: Callable[[str], str]) -> list[tuple[str, list[str]]]:
    """The settings in which the models differ, in the form's order: label, and each model's value, a dash where it has none.

    `name_of`: what the job of an id is called.
    """
    each = [_settings(job["spec"], name_of) for job in jobs]
    names = list(dict.fromkeys(name for settings in each for name in settings))
    rows = []
    for name in names:
        values = [settings[name][1] if name in settings else "–" for settings in each]
        if len(set(values)) > 1:
            rows.append((next(settings[name][0] for settings in each if name in settings), values))
    return rows


def _settings(spec: dict[str, Any], name_of: Callable[[str], str]) -> dict[str, tuple[str, str]]:
    """Label and value of all settings that a spec has, by the field's name."""
    found = {}
    for field in fields_of(ModelSpec, spec):
        if field.active and field.name not in WORDS:
            found[field.name] = (field.label, _words(field, name_of))
    return found


def _words(field: Field, name_of: Callable[[str], str]) -> str:
    if field.widget in ("dataset", "datasets", "model") and field.value:
        return ", ".join(name_of(id) for id in str(field.value).split(", "))
    if isinstance(field.value, bool):
        return "yes" if field.value else "no"
    return str(dict(field.choices).get(field.value, field.value)) if field.value != "" else "–"


def same_datasets(jobs: list[Job]) -> bool:
    """Whether a validation pair is one and the same picture for all of them."""
    return len({(job["spec"]["dataset"], *job["spec"]["more_datasets"]) for job in jobs}) == 1
