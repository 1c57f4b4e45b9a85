"""Validation errors of a request by field, in one shape for forms and the API."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jobs.specs.base import Spec, members, nested

T = TypeVar("T", bound=BaseModel)

Problems = dict[str, str]
"""Error message by field name ("source.stream")."""

FIELD_FOR_MODEL_ERRORS = {"ModelSpec": "epochs", "ImageTest": "image"}
"""The field at which a form shows an error that concerns several fields."""

REQUIRED = "This field is required."

MESSAGES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda context: REQUIRED,
    "string_too_short": lambda context: REQUIRED,
    "string_too_long": lambda context: f"At most {context['max_length']} characters.",
    "greater_than_equal": lambda context: f"Must be at least {context['ge']:g}.",
    "greater_than": lambda context: f"Must be more than {context['gt']:g}.",
    "less_than_equal": lambda context: f"Must be at most {context['le']:g}.",
    "int_parsing": lambda context: "Must be a whole number.",
    "int_from_float": lambda context: "Must be a whole number.",
    "float_parsing": lambda context: "Must be a number.",
    "finite_number": lambda context: "Must be a finite number.",
    "union_tag_invalid": lambda context: f"Must be one of {context['expected_tags']}.",
    "model_attributes_type": lambda context: "Must be an object with fields.",
    "list_type": lambda context: "Must be a list.",
    "tuple_type": lambda context: "Must be a list.",
    "string_type": lambda context: "Must be text.",
    "bool_type": lambda context: "Must be true or false.",
    "bool_parsing": lambda context: "Must be true or false.",
    "path_type": lambda context: "Must be a path.",
    "path_not_directory": lambda context: "No folder has this path.",
    "literal_error": lambda context: f"Must be one of {context['expected']}.",
    "extra_forbidden": lambda context: "Unknown field.",
    "value_error": lambda context: _as_sentence(str(context["error"])),
}


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


class Invalid(Exception):
    """An invalid request; `problems` has the error message of each field."""

    def __init__(self, problems: Problems) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems.items()))
        self.problems = problems


def validate(model: type[T], values: Any) -> T:
    """Build the spec from the values. Raises Invalid."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(
            {_name(detail["loc"], model): message_of(dict(detail)) for detail in error.errors()}
        ) from error


def _name(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """The field's name, without union tags and list indices, which forms do not show."""
    parts: list[str] = []
    spec: type[BaseModel] | None = model
    kinds: dict[str, type[Spec]] = {}
    for part in location:
        if part in kinds:
            spec, kinds = kinds[str(part)], {}
        elif isinstance(part, str):
            parts.append(part)
            info = spec.model_fields.get(part) if spec else None
            kinds = members(info) if info else {}
            spec = nested(info) if info else None
    return ".".join(parts) or FIELD_FOR_MODEL_ERRORS.get(model.__name__, "")


def message_of(detail: dict[str, Any]) -> str:
    """The sentence for an error of pydantic."""
    message = MESSAGES.get(detail["type"])
    return message(detail.get("ctx", {})) if message else f"{detail['msg']}."
