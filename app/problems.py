"""What is wrong with a request, field by field: one shape for forms and for the API."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jobs.specs.base import Spec, members, nested

T = TypeVar("T", bound=BaseModel)

Problems = dict[str, str]
"""Field name ("source.stream") to sentence."""

WHOLE_MODEL = {"ModelSpec": "epochs", "ImageTest": "image"}
"""The field at which a form shows what is wrong with several fields together."""

NEEDED = "This is needed."

SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda context: NEEDED,
    "string_too_short": lambda context: NEEDED,
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
    "literal_error": lambda context: f"Must be one of {context['expected']}.",
    "extra_forbidden": lambda context: "There is no such field.",
    "value_error": lambda context: _as_sentence(str(context["error"])),
}


def _as_sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


class Invalid(Exception):
    """A request that does not hold; `problems` says where and why."""

    def __init__(self, problems: Problems) -> None:
        super().__init__("; ".join(f"{field}: {text}" for field, text in problems.items()))
        self.problems = problems


def validate(model: type[T], values: Any) -> T:
    """The spec that the values make. Raises Invalid."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(
            {_name(part["loc"], model): _sentence(dict(part)) for part in error.errors()}
        ) from error


def _name(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """The field's name: without the kinds of unions and the places in lists, which no form shows."""
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
    return ".".join(parts) or WHOLE_MODEL.get(model.__name__, "")


def _sentence(part: dict[str, Any]) -> str:
    sentence = SENTENCES.get(part["type"])
    return sentence(part.get("ctx", {})) if sentence else f"{part['msg']}."
