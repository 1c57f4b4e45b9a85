"""What all specs are made of: fields that say everything about themselves, and unions told apart by a field."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)
from pydantic.fields import FieldInfo

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Notes = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
ServerPath = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]
JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{8,40}$")]
SNAPSHOT = r"^(best|last|epoch-\d{4,}|step-\d{6,})$"
"""What a snapshot is asked for by: its name, or what it is."""
Number = Annotated[
    int, BeforeValidator(lambda value: str(value) if isinstance(value, bool) else value)
]
"""Of a pair or a frame: yes and no are none, though Python counts with them."""
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Spec(BaseModel):
    """Base of all specs: unknown fields and NaN are errors, so that a typing error is never silent."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("there is a NUL character in it")
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
    """A field with all that a form, the API description, the command line and the documents say about it.

    `titles`: what a form calls the choices of a Literal.
    """
    told = {"unit": unit, "more": more, "widget": widget, "titles": titles}
    extra: dict[str, Any] = {key: value for key, value in told.items() if value}
    return Field(default, title=label, description=help, json_schema_extra=extra, **bounds)


def told_by(tag: str, first: str) -> BeforeValidator:
    """For a union told apart by the field `tag`: values without it are of the kind `first`."""
    return BeforeValidator(
        lambda value: {tag: first, **value} if isinstance(value, dict) else value
    )


def members(info: FieldInfo) -> dict[str, type[Spec]]:
    """The kinds of a union's field by their tag, in order; empty for any other field."""
    tag = info.discriminator
    if not isinstance(tag, str):
        return {}
    kinds: tuple[type[Spec], ...] = get_args(info.annotation)
    return {str(kind.model_fields[tag].default): kind for kind in kinds}


def titles(kinds: Mapping[str, type[Spec]]) -> dict[str, str]:
    """What people call the kinds of a union."""
    return {name: str(kind.model_config.get("title", name)) for name, kind in kinds.items()}


def nested(info: FieldInfo) -> type[Spec] | None:
    """The spec that a field holds, None where it holds a plain value or a union."""
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Spec) else None


def split_text(value: Any) -> Any:
    """ "22, 27 32" as ["22", "27", "32"]: how a form and a command line say a list."""
    return (
        [part for part in re.split(r"[\s,;]+", value) if part] if isinstance(value, str) else value
    )


FromText = BeforeValidator(split_text)
