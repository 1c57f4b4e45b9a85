"""Tests that form, API and command line have the same fields, those of the specs."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from app.api.openapi import document
from app.forms.command_line import option_name
from app.forms.fields import fields_of, values_of
from app.validation_errors import validate
from commands.dataset import create_dataset
from commands.options import typed_values
from jobs.specs import DatasetSpec, ModelSpec

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


def fields_by_kind(spec: type[BaseModel]) -> list[tuple[str, str, str]]:
    """The settings that only some kinds have: an option, its selecting option, a kind without it.

    From the specs: the form's fields say which kinds show them.
    """
    fields = fields_of(spec)
    found = []
    for name in sorted({field.name for field in fields}):
        alike = [field for field in fields if field.name == name]
        if not all(len(field.when) == 1 for field in alike):
            continue
        (tag,) = {field.when[0][0] for field in alike}
        kinds = {field.when[0][1] for field in alike}
        every = next(list(field.kinds) for field in fields if field.name == tag)
        found += [(name, tag, kind) for kind in every if kind not in kinds]
    return found


@pytest.mark.parametrize(
    ("spec", "name", "tag", "kind"),
    [(spec, *row) for spec in (DatasetSpec, ModelSpec) for row in fields_by_kind(spec)],
)
def test_an_option_of_another_kind_is_refused(
    spec: type[BaseModel], name: str, tag: str, kind: str
) -> None:
    boxes = {field.name for field in fields_of(spec) if field.widget == "checkbox"}
    given = {name.replace(".", "__"): True if name in boxes else "1", tag.replace(".", "__"): kind}
    with pytest.raises(click.UsageError, match=f"^{option_name(name)} needs {option_name(tag)} "):
        typed_values(spec, given)


def test_a_text_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text("layer {\r\n}\n", newline="")
    given: dict[str, Any] = {"network__name": "custom", "network__prototxt": f"@{file}"}
    assert typed_values(ModelSpec, given)["network"]["prototxt"] == "layer {\n}\n"
    assert typed_values(ModelSpec, {"notes": "@@anna: look"})["notes"] == "@anna: look"
    for wrong in ("@/nowhere", f"@{tmp_path}", "@"):
        with pytest.raises(click.UsageError, match=r"--notes: .* cannot be read"):
            typed_values(ModelSpec, {"notes": wrong})
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(click.UsageError, match="not text in UTF-8"):
        typed_values(ModelSpec, {"notes": f"@{file}"})
