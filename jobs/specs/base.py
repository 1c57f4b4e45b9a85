"""Building blocks of specs: field types, self-describing fields, and discriminated unions."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Notes = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]


def _split_at_commas(value: Any) -> Any:
    """The tags of a text from a form or a command line: "baseline, low noise"."""
    return (
        [tag for tag in re.split(r"[,;\n]", value) if tag.strip()]
        if isinstance(value, str)
        else value
    )


Tag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, to_lower=True, min_length=1, max_length=40, pattern=r"^[^,;\n]*$"
    ),
]
Tags = Annotated[
    list[Tag],
    BeforeValidator(_split_at_commas),
    Field(max_length=20),
    AfterValidator(lambda tags: list(dict.fromkeys(tags))),
]
"""Short labels of a job, each once, in lower case, so that lists find them in any case."""
ServerPath = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]
JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{8,40}$")]
SNAPSHOT = r"^(best|last|epoch-\d{4,}|step-\d{6,})$"
"""A reference to a snapshot: its name, best or last."""
Number = Annotated[
    int, BeforeValidator(lambda value: str(value) if isinstance(value, bool) else value)
]
"""The number of a pair or a frame. Booleans are rejected, although bool is an int in Python."""
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Swept:
    """Marks a number of which a request may give several, as a text or a list: a training each.

    app/checks/sweeps.py takes them apart before the spec is made.
    """

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        several = {"type": "array", "items": {"type": ["number", "string"]}}
        return {"anyOf": [handler(core), {"type": "string"}, several]}


MOST_LIST_TEXT = 5_000
"""Characters; a text of a million numbers would take seconds to check."""


class Spec(BaseModel):
    """Base of all specs. Unknown fields, NaN and infinity are errors, so no typo is ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("it contains a NUL character")
        return value


def setting(
    default: Any,
    label: str,
    help: str,
    *,
    unit: str = "",
    more: bool = False,
    widget: str = "",
    titles: dict[str, str] | None = None,
    **bounds: Any,
) -> Any:
    """A field with its texts for forms, the API description, the command line and the documents.

    `more`: folded away in forms. `titles`: names of a Literal's choices in forms.
    """
    form_settings = {"unit": unit, "more": more, "widget": widget, "titles": titles}
    extra: dict[str, Any] = {key: value for key, value in form_settings.items() if value}
    return Field(default, title=label, description=help, json_schema_extra=extra, **bounds)


def discriminated_by(tag: str, default: str) -> BeforeValidator:
    """For a union with the discriminator `tag`: values without it get the kind `default`."""
    return BeforeValidator(
        lambda value: {tag: default, **value} if isinstance(value, dict) else value
    )


def members(info: FieldInfo) -> dict[str, type[Spec]]:
    """The specs of a discriminated union by their tag, in order; empty for any other field."""
    tag = info.discriminator
    if not isinstance(tag, str):
        return {}
    kinds: tuple[type[Spec], ...] = get_args(info.annotation)
    return {str(kind.model_fields[tag].default): kind for kind in kinds}


def titles(kinds: Mapping[str, type[Spec]]) -> dict[str, str]:
    """The names of a union's kinds in forms, by tag."""
    return {name: str(kind.model_config.get("title", name)) for name, kind in kinds.items()}


def nested(info: FieldInfo) -> type[Spec] | None:
    """The spec of a field that contains one; None for a plain value or a union."""
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Spec) else None


def split_text(value: Any) -> Any:
    """Split a list from a form or a command line: "22, 27 32" becomes ["22", "27", "32"].

    A longer text than MOST_LIST_TEXT stays a text, which is no list.
    """
    if not isinstance(value, str) or len(value) > MOST_LIST_TEXT:
        return value
    return [part for part in re.split(r"[\s,;]+", value) if part]


FromText = BeforeValidator(split_text)
