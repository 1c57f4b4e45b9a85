"""HTML forms, made from the specs: fields with their labels, bounds and help; and back to values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.problems import Problems

Values = dict[str, Any]

NOT_IN_FORMS = frozenset({"kind", "model"})
"""Discriminators with one choice, and what the page's address says already."""

SHOWN = ".shown"
UPLOAD = ".upload"


@dataclass
class Field:
    """One field of a form, as a template draws it."""

    name: str
    label: str
    help: str
    widget: str
    value: Any = ""
    unit: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    minimum: float | None = None
    maximum: float | None = None
    step: str = "any"
    required: bool = False
    more: bool = False
    error: str = ""

    @property
    def id(self) -> str:
        return "f-" + self.name.replace(".", "-")


def fields(spec: type[BaseModel], values: Values | None = None, problems: Problems | None = None) -> list[Field]:
    """The fields of a spec with what was typed (or the defaults) and what is wrong with it."""
    shown = []
    for name, info in _settings(spec):
        one = _field(name, info)
        typed = _look_up(values or {}, name)
        one.value = typed if typed is not None else one.value
        one.error = (problems or {}).get(name, "")
        shown.append(one)
    return shown


def _settings(spec: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in spec.model_fields.items():
        nested = info.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from _settings(nested, f"{prefix}{name}.")
        elif name not in NOT_IN_FORMS:
            yield prefix + name, info


def _field(name: str, info: FieldInfo) -> Field:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    kinds = [kind for kind in get_args(info.annotation) if kind is not NoneType] or [info.annotation]
    one = Field(
        name, info.title or name.capitalize(), info.description or "", str(extra.get("widget", "")) or _widget(info, kinds)
    )
    one.unit, one.more = str(extra.get("unit", "")), bool(extra.get("more"))
    one.required = info.is_required()
    if info.default is not PydanticUndefined and info.default is not None:
        one.value = info.default
    if get_origin(info.annotation) is Literal:
        one.choices = [(choice, choice) for choice in get_args(info.annotation)]
    one.step = "1" if int in kinds else "any"
    for bound in info.metadata:
        one.minimum = getattr(bound, "ge", getattr(bound, "gt", one.minimum))
        one.maximum = getattr(bound, "le", one.maximum)
    return one


def _widget(info: FieldInfo, kinds: list[Any]) -> str:
    if get_origin(info.annotation) is Literal:
        return "select"
    if bool in kinds:
        return "checkbox"
    return "number" if int in kinds or float in kinds else "text"


def _look_up(values: Values, name: str) -> Any:
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def values_of(spec: type[BaseModel], form: Mapping[str, str]) -> Values:
    """What was typed, nested as the spec is. Empty fields are left out; an unticked box is False."""
    values: Values = {}
    for name, info in _settings(spec):
        typed: Any = form.get(name, "").strip()
        if info.annotation is bool:
            typed = name in form if name + SHOWN in form else ""
        if typed != "":
            _put(values, name, typed)
    return values


def _put(values: Values, name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = value
