"""HTML forms, made from the specs: fields with their labels, bounds and help; and back to values.

A union (kinds of sources, of splits) becomes a field that chooses the kind, followed by the fields of
every kind. `Field.when` says under which choices a field is shown; the others are disabled, so that a
browser does not send them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from werkzeug.datastructures import MultiDict

from app.problems import Problems
from jobs.specs.base import members, nested, titles

Values = dict[str, Any]
When = tuple[tuple[str, str], ...]

NOT_IN_FORMS = frozenset({"kind", "model", "entries", "sweep"})
"""What a form has no choice of, what the page's address says already, and what the program fills in."""

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
    default: Any = ""
    unit: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None
    step: str = "any"
    required: bool = False
    more: bool = False
    when: When = ()
    active: bool = True
    error: str = ""

    @property
    def section(self) -> str:
        """The part of the spec that the field belongs to: "source" of "source.raw.width"."""
        return self.name.split(".")[0]

    @property
    def id(self) -> str:
        return "-".join(("f", *(kind for _, kind in self.when), *self.name.split(".")))


@dataclass(frozen=True)
class Setting:
    """A field of a spec, where it is in the form: its full name, its choices, and whether what it belongs to is folded."""

    name: str
    info: FieldInfo
    when: When
    more: bool
    kinds: tuple[str, ...] = ()
    """For the choice of a union's kind: the kinds, the default first."""


def fields_of(
    spec: type[BaseModel], values: Values | None = None, problems: Problems | None = None
) -> list[Field]:
    """The fields of a spec with what was typed (or the defaults) and what is wrong with it."""
    shown: list[Field] = []
    chosen: dict[str, str] = {}
    for setting in _settings(spec):
        one = _field(setting)
        one.default = one.value = _as_typed(one.value)
        one.active = all(chosen.get(name) == kind for name, kind in one.when)
        typed = _look_up(values or {}, one.name) if one.active else None
        if typed is not None:
            one.value = (
                "\n".join(map(str, typed))
                if isinstance(typed, list) and one.widget == "paths"
                else _as_typed(typed)
            )
        one.error = (problems or {}).get(one.name, "") if one.active else ""
        if one.kinds:
            chosen[one.name] = str(one.value)
        shown.append(one)
    return shown


def _as_typed(value: Any) -> Any:
    """As a person would type it: 20 for 20.0, and lists with commas."""
    if isinstance(value, list):
        return ", ".join(str(_as_typed(item)) for item in value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settings(
    spec: type[BaseModel],
    prefix: str = "",
    when: When = (),
    more: bool = False,
    tag_of_union: str = "",
) -> Iterator[Setting]:
    for name, info in spec.model_fields.items():
        if name == tag_of_union:
            continue  # The field that chooses the kind stands before all kinds.
        full, kinds, inner = prefix + name, members(info), nested(info)
        folded = more or bool(_extra(info).get("more"))
        if kinds:
            tag = f"{full}.{info.discriminator}"
            yield Setting(tag, info, when, folded, _default_first(info, kinds))
            for kind, member in kinds.items():
                yield from _settings(
                    member, f"{full}.", (*when, (tag, kind)), folded, str(info.discriminator)
                )
        elif inner is not None:
            yield from _settings(inner, f"{full}.", when, folded)
        elif name not in NOT_IN_FORMS:
            yield Setting(full, info, when, folded)


def _default_first(info: FieldInfo, kinds: dict[str, Any]) -> tuple[str, ...]:
    default = getattr(info.default, str(info.discriminator), None)
    return tuple(sorted(kinds, key=lambda kind: kind != default))


def _extra(info: FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _field(setting: Setting) -> Field:
    info, extra = setting.info, _extra(setting.info)
    label = info.title or setting.name.split(".")[-1].capitalize()
    one = Field(
        setting.name, label, info.description or "", "", when=setting.when, more=setting.more
    )
    kinds = members(info)
    if setting.kinds:
        return _choice_of_kind(one, setting, kinds)
    types = [kind for kind in get_args(info.annotation) if kind is not NoneType] or [
        info.annotation
    ]
    one.widget = str(extra.get("widget", "")) or _widget(info, types)
    one.unit = str(extra.get("unit", ""))
    one.required = info.is_required()
    if info.default is not PydanticUndefined and info.default is not None:
        one.value = info.default
    if get_origin(info.annotation) is Literal:
        titles = extra.get("titles") or {}
        one.choices = [
            (choice, str(titles.get(choice, choice))) for choice in get_args(info.annotation)
        ]
    one.step = "1" if int in types else "any"
    for bound in info.metadata:
        one.minimum = getattr(bound, "ge", getattr(bound, "gt", one.minimum))
        one.maximum = getattr(bound, "le", one.maximum)
    return one


def _choice_of_kind(one: Field, setting: Setting, kinds: dict[str, Any]) -> Field:
    one.widget = str(_extra(setting.info).get("widget", "")) or "select"
    one.choices = list(titles(kinds).items())
    one.kinds = {kind: (member.__doc__ or "").strip() for kind, member in kinds.items()}
    one.value = setting.kinds[0]
    return one


def _widget(info: FieldInfo, types: list[Any]) -> str:
    if get_origin(info.annotation) is Literal:
        return "select"
    if bool in types:
        return "checkbox"
    return "number" if int in types or float in types else "text"


def _look_up(values: Values, name: str) -> Any:
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def values_of(spec: type[BaseModel], form: Mapping[str, str]) -> Values:
    """What was typed, nested as the spec is. Empty fields are left out; an unticked box is False; several values are a list."""
    values: Values = {}
    for setting in _settings(spec):
        name, typed = setting.name, _typed(form, setting.name)
        if not all(_look_up(values, tag) == kind for tag, kind in setting.when):
            continue
        if setting.info.annotation is bool:
            shown = name + SHOWN in form
            if shown:
                _put(values, name, name in form)
        elif typed != "" or setting.kinds:
            _put(values, name, typed or setting.kinds[0])
    return values


def _typed(form: Mapping[str, str], name: str) -> str:
    """What was typed into the fields of a name. Nothing is cut off a text of several lines: its errors are told by line.
    Options of the command line are taken as they are: their ends of lines are no browser's."""
    if not isinstance(form, MultiDict):
        return form.get(name, "")
    text = ", ".join(form.getlist(name)).replace("\r\n", "\n")
    return text if "\n" in text and text.strip() else text.strip()


def _put(values: Values, name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = value
