"""JSON schemas of the types of requests and answers, in the form that generators of clients read.

pydantic makes them; three things change: the labels of forms are `x-label`, since generators take
a `title` for the name of a class; the tag of a union is required; and a default that is an object
is in the description, as generators take no objects for defaults.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

Schema = dict[str, Any]
Key = tuple[str, str]
Schemas = dict[Key, Schema]

TEMPLATE = "#/components/schemas/{model}"


def schemas_of(types: Mapping[Key, Any]) -> tuple[Schemas, Schema]:
    """The schemas of types by their keys, and the named schemas that they refer to."""
    made, shared = TypeAdapter.json_schemas(
        [(key, "validation", TypeAdapter(kind)) for key, kind in types.items()],
        ref_template=TEMPLATE,
    )
    schemas = {key: dict(schema) for (key, _), schema in made.items()}
    definitions = shared.get("$defs", {})
    for union in [*_unions(schemas), *_unions(definitions)]:
        _require_tag(union, definitions)
    for schema in [*schemas.values(), *definitions.values()]:
        _adapt(schema)
    return schemas, definitions


def _unions(value: Any) -> Iterator[Schema]:
    """The unions with a discriminator in a schema."""
    if isinstance(value, dict):
        if "discriminator" in value and "oneOf" in value:
            yield value
        for inner in value.values():
            yield from _unions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _unions(inner)


def _require_tag(union: Schema, definitions: Schema) -> None:
    tag = union["discriminator"]["propertyName"]
    for member in union["oneOf"]:
        schema = definitions[member["$ref"].rpartition("/")[2]]
        required = schema.setdefault("required", [])
        if tag not in required:
            required.insert(0, tag)
        schema["properties"][tag].pop("default", None)


def _adapt(schema: Any) -> None:
    """Change titles and defaults in a schema and in all parts of it."""
    if isinstance(schema, list):
        for part in schema:
            _adapt(part)
        return
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("title"), str):
        schema["x-label"] = schema.pop("title")
    if isinstance(schema.get("default"), dict):
        default = json.dumps(schema.pop("default"))
        schema["description"] = f"{schema.get('description', '')} Default: {default}".strip()
    for name, part in schema.items():
        if name == "properties":
            for field in part.values():
                _adapt(field)
        elif name not in ("default", "enum", "const", "titles", "discriminator"):
            _adapt(part)
