"""Comparison of models: their settings, and those in which they differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.forms.fields import Field, fields_of
from jobs.specs import ModelSpec

MAX_MODELS = 30
LABELS = frozenset({"name", "notes", "group", "tags", "sweep"})
"""Fields that only label a model; the comparison ignores them."""


@dataclass(frozen=True)
class ComparedSetting:
    """A setting of several models: one value per model, a dash where a model lacks it."""

    label: str
    values: list[str]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def compared_settings(
    jobs: Sequence[Mapping[str, Any]], name_of: Callable[[str], str]
) -> list[ComparedSetting]:
    """All settings of the models, in form order.

    `name_of`: returns the name of a job, given its id.
    """
    all_settings = [_settings(job["spec"], name_of) for job in jobs]
    names = dict.fromkeys(name for settings in all_settings for name in settings)
    return [
        ComparedSetting(
            next(settings[name][0] for settings in all_settings if name in settings),
            [settings[name][1] if name in settings else "–" for settings in all_settings],
        )
        for name in names
    ]


def _settings(spec: dict[str, Any], name_of: Callable[[str], str]) -> dict[str, tuple[str, str]]:
    """Label and value of each setting of a spec, by field name."""
    settings = {}
    for field in fields_of(ModelSpec, spec):
        if field.active and field.name not in LABELS:
            settings[field.name] = (field.label, _value_text(field, name_of))
    return settings


def _value_text(field: Field, name_of: Callable[[str], str]) -> str:
    if field.widget in ("dataset", "datasets", "model") and field.value:
        return ", ".join(name_of(id) for id in str(field.value).split(", "))
    if isinstance(field.value, bool):
        return "yes" if field.value else "no"
    return str(dict(field.choices).get(field.value, field.value)) if field.value != "" else "–"


def same_datasets(jobs: Sequence[Mapping[str, Any]]) -> bool:
    """True if all models use the same datasets, so that a pair number means the same image."""
    return len({(job["spec"]["dataset"], *job["spec"]["more_datasets"]) for job in jobs}) == 1
