"""HTML form fields generated from jobs/specs (labels, bounds, help), and parsing of form data.

A union (kinds of sources, of splits) becomes a field that selects the kind, followed by the
fields of every kind. `Field.when` lists the selections for which a field is shown. The other
fields are disabled, so that a browser does not send them.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from werkzeug.datastructures import MultiDict

from app.forms.help import FIELDS
from app.validation_errors import Problems
from jobs.specs.base import members, nested, titles

Values = dict[str, Any]
When = tuple[tuple[str, str], ...]

NOT_IN_FORMS = frozenset({"kind", "model", "starter", "entries", "sweep"})
"""Fields that forms omit: users have no choice, the page's URL sets them, or the program does."""

SHOWN = ".shown"
UPLOAD = ".upload"


@dataclass
class Field:
    """A form field, as a template renders it."""

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
        """The section of the spec that contains the field: "source" for "source.raw.width"."""
        return self.name.split(".")[0]

    @property
    def help_page(self) -> str:
        """Where the documents explain the field, below /help; empty if only `help` does."""
        return FIELDS.get(self.name, "")

    @property
    def id(self) -> str:
        return "-".join(("f", *(kind for _, kind in self.when), *self.name.split(".")))


@dataclass(frozen=True)
class Setting:
    """A field of a spec and its position in the form.

    `name`: the full name. `when`: the selections for which it is shown. `more`: whether its group
    is folded.
    """

    name: str
    info: FieldInfo
    when: When
    more: bool
    kinds: tuple[str, ...] = ()
    """For a field that selects a union's kind: the kinds, the default first."""


def fields_of(
    spec: type[BaseModel], values: Values | None = None, problems: Problems | None = None
) -> list[Field]:
    """The form fields of a spec, with the entered values (else the defaults) and their errors."""
    form_fields: list[Field] = []
    selected: dict[str, str] = {}
    for blank in _blank_fields(spec):
        form_field = copy(blank)
        form_field.choices = [*blank.choices]  # Forms add choices of their own.
        form_field.active = all(selected.get(name) == kind for name, kind in form_field.when)
        typed = _look_up(values or {}, form_field.name) if form_field.active else None
        if typed is not None:
            form_field.value = (
                "\n".join(map(str, typed))
                if isinstance(typed, list) and form_field.widget == "paths"
                else _as_typed(typed)
            )
        form_field.error = (problems or {}).get(form_field.name, "") if form_field.active else ""
        if form_field.kinds:
            selected[form_field.name] = str(form_field.value)
        form_fields.append(form_field)
    return form_fields


@cache
def _blank_fields(spec: type[BaseModel]) -> tuple[Field, ...]:
    """The fields with their defaults; made once, since most requests of forms ask for them."""
    blank = tuple(map(_field, _settings_of(spec)))
    for form_field in blank:
        form_field.default = form_field.value = _as_typed(form_field.value)
    return blank


@cache
def _settings_of(spec: type[BaseModel]) -> tuple[Setting, ...]:
    return tuple(_settings(spec))


def _as_typed(value: Any) -> Any:
    """The value as a user would type it: 20 for 20.0, and lists with commas."""
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
            continue  # The field that selects the kind comes before the fields of all kinds.
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
    form_field = Field(
        setting.name, label, info.description or "", "", when=setting.when, more=setting.more
    )
    kinds = members(info)
    if setting.kinds:
        return _kind_field(form_field, setting, kinds)
    types = [_plain(kind) for kind in get_args(info.annotation) if kind is not NoneType] or [
        info.annotation
    ]
    form_field.widget = str(extra.get("widget", "")) or _widget(info, types)
    form_field.unit = str(extra.get("unit", ""))
    form_field.required = info.is_required()
    if info.default is not PydanticUndefined and info.default is not None:
        form_field.value = info.default
    if get_origin(info.annotation) is Literal:
        titles = extra.get("titles") or {}
        form_field.choices = [
            (choice, str(titles.get(choice, choice))) for choice in get_args(info.annotation)
        ]
    form_field.step = "1" if int in types else "any"
    for bound in info.metadata:
        form_field.minimum = getattr(bound, "ge", getattr(bound, "gt", form_field.minimum))
        form_field.maximum = getattr(bound, "le", form_field.maximum)
    return form_field


def _plain(kind: Any) -> Any:
    """A type without its bounds: int of Annotated[int, …]."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _kind_field(form_field: Field, setting: Setting, kinds: dict[str, Any]) -> Field:
    form_field.widget = str(_extra(setting.info).get("widget", "")) or "select"
    form_field.choices = list(titles(kinds).items())
    form_field.kinds = {kind: (member.__doc__ or "").strip() for kind, member in kinds.items()}
    form_field.value = setting.kinds[0]
    return form_field


def _widget(info: FieldInfo, types: list[Any]) -> str:
    if get_origin(info.annotation) is Literal:
        return "select"
    if bool in types:
        return "checkbox"
    return "number" if int in types or float in types else "text"


def _look_up(values: Values, name: str) -> Any:
    value: Any = values
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def values_of(spec: type[BaseModel], form: Mapping[str, str]) -> Values:
    """The submitted values, nested as in the spec.

    Empty fields are omitted. An unticked box is False.
    """
    values: Values = {}
    for setting in _settings_of(spec):
        name, typed = setting.name, _typed(form, setting.name)
        if not all(_look_up(values, tag) == kind for tag, kind in setting.when):
            continue
        if setting.info.annotation is bool:
            if name + SHOWN in form:
                _put(values, name, name in form)
        elif typed != "" or setting.kinds:
            _put(values, name, typed or setting.kinds[0])
    return values


def _typed(form: Mapping[str, str], name: str) -> str:
    """The text submitted for a field; several values are joined with commas.

    Text of several lines keeps its white space, since errors name its line numbers. Command-line
    options stay unchanged: browsers send CRLF line ends, shells do not.
    """
    if not isinstance(form, MultiDict):
        return form.get(name, "")
    text = ", ".join(form.getlist(name)).replace("\r\n", "\n")
    return text if "\n" in text and text.strip() else text.strip()


def _put(values: Values, name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = value
