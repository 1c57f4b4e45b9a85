"""Tests that the generated documents and typedefs belong to the types in the code."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from jobs.core.paths import ROOT


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_types", ROOT / "scripts" / "generate_types.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["docs/events.md", "static/js/base/types.js", "app/api/openapi.json"]
)
def test_a_generated_file_is_up_to_date(name: str, generator: ModuleType) -> None:
    texts: dict[Path, str] = generator.generated()
    assert (ROOT / name).read_text() == texts[ROOT / name], "Run make generate."


def test_a_field_is_in_the_document_and_in_the_typedef(generator: ModuleType) -> None:
    schema = {
        "type": "object",
        "description": "A thing.",
        "properties": {
            "size": {"type": "integer", "description": "Bytes."},
            "parts": {"type": "array", "items": {"anyOf": [{"$ref": "Box"}, {"type": "null"}]}},
        },
        "required": ["size"],
    }
    fields: Callable[..., list[str]] = generator.fields
    assert "| `size` | whole number | Bytes. |" in "\n".join(fields(schema))
    assert "| `parts` | list of ([Box](#box) or null), optional |  |" in "\n".join(fields(schema))
    typedef = generator.typedef("Thing", schema)
    assert " * @typedef {object} Thing A thing.\n * @property {number} size Bytes.\n" in typedef
    assert " * @property {(Box | null)[]} [parts]\n" in typedef
