"""Tests that form, API and command line have the same fields, those of the specs."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from app.api.openapi import document
from app.forms.command_line import option_name
from app.forms.fields import fields_of, values_of
from app.validation_errors import validate
from commands.dataset import create_dataset
from commands.options import typed_values
from jobs.specs import DatasetSpec

SAMPLES: dict[str, str | bool] = {
    "number": "3",
    "list": "30, 40",
    "notes": "text",
    "checkbox": True,
}
PATHS = {"file", "folder", "any"}


@pytest.fixture(scope="module")
def help() -> str:
    return CliRunner().invoke(create_dataset, ["--help"], terminal_width=400).output


@pytest.mark.parametrize("name", sorted({field.name for field in fields_of(DatasetSpec)}))
def test_every_field_is_an_option_and_in_the_openapi_document(name: str, help: str) -> None:
    assert (
        f"{option_name(name)} " in help
        or f"{option_name(name)} / " in help
        or f"{option_name(name)} [" in help
    )
    last = name.split(".")[-1]
    assert f'"{last}"' in json.dumps(document()["components"]["schemas"])


@pytest.mark.parametrize("kind", ["stream", "folders", "compress", "sequences"])
def test_form_and_options_make_the_same_spec(kind: str) -> None:
    """Gives every field of a kind of source a value, as a browser sends it and as an option."""
    fields = [field for field in fields_of(DatasetSpec, {"source": {"kind": kind}}) if field.active]
    form: dict[str, str] = {}
    given: dict[str, Any] = {}
    for field in fields:
        value = (
            kind
            if field.name == "source.kind"
            else _sample(field.widget, field.choices, field.minimum)
        )
        given[field.name.replace(".", "__")] = value
        form |= {f"{field.name}.shown": "1"} if field.widget == "checkbox" else {}
        form[field.name] = "on" if value is True else str(value)
    by_form, by_options = values_of(DatasetSpec, form), typed_values(DatasetSpec, given)
    assert by_form == by_options
    assert validate(DatasetSpec, by_form).source.kind == kind


def _sample(widget: str, choices: list[tuple[str, str]], minimum: float | None) -> str | bool:
    if choices:
        return choices[0][0]
    if widget in PATHS:
        return "/somewhere"
    return SAMPLES.get(widget, "text") if minimum is None or minimum <= 3 else str(minimum)
