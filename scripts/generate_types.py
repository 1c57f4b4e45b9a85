"""Write what is made from the types of events, summaries and answers: `make generate`.

    docs/events.md               the part between the two markers
    static/js/base/types.js      the typedefs that tsc checks the scripts with
    app/api/openapi.json         the description of the API

`--check` writes nothing; the exit status is 1 if a file differs.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import TypeAdapter
from typing_extensions import is_typeddict

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app import answers  # noqa: E402
from app.api import openapi, v1  # noqa: E402, F401  # v1 registers the routes.
from jobs.core.types import events, facts, layers, load, rates, samples, summaries  # noqa: E402

DOCUMENT, SCRIPT = ROOT / "docs" / "events.md", ROOT / "static" / "js" / "base" / "types.js"
BEGIN, END = "<!-- generated from jobs/core/types -->", "<!-- end of the generated part -->"
MODULES = (layers, samples, rates, facts, load, summaries)
SUMMARIES = ("DatasetSummary", "ModelSummary", "TestSummary")
LOGGED = ("seq", "time", "type")

Schema = dict[str, Any]
Schemas = dict[str, Schema]


def schemas() -> Schemas:
    """The JSON schema of each type by name, in the order of the modules."""
    kinds = [kind for module in MODULES for kind in types_of(module)]
    kinds += [events.Logged, *get_args(events.JobEvent), *types_of(answers)]
    inputs = [(kind.__name__, "serialization", TypeAdapter(kind)) for kind in kinds]
    _, shared = TypeAdapter.json_schemas(inputs, ref_template="{model}")
    return {kind.__name__: shared["$defs"][kind.__name__] for kind in kinds}


def types_of(module: ModuleType) -> list[Any]:
    values = list(vars(module).values())
    return [kind for kind in values if is_typeddict(kind) and kind.__module__ == module.__name__]


def main() -> int:
    is_check = "--check" in sys.argv[1:]
    outdated = [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in outdated:
        if not is_check:
            path.write_text(generated()[path], encoding="utf-8")
        print(f"{path.relative_to(ROOT)} {'is outdated: run make generate' if is_check else ''}")
    return int(is_check and bool(outdated))


def generated() -> dict[Path, str]:
    """The contents of the generated files."""
    all_schemas = schemas()
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document = f"{before}{BEGIN}\n\n{markdown(all_schemas)}\n{END}{after}"
    described = json.dumps(openapi.description(), indent=1, ensure_ascii=False) + "\n"
    return {DOCUMENT: document, SCRIPT: typedefs(all_schemas), openapi.FILE: described}


# The document


def markdown(all_schemas: Schemas) -> str:
    """The events, the summaries, and the types that they refer to, as tables of their fields."""
    names = [kind.__name__ for kind in get_args(events.JobEvent)]
    parts = ["## Events"]
    for name in names:
        schema = all_schemas[name]
        kind = schema["properties"]["type"]["const"]
        which = f" ({name})" if kind == "sample" else ""
        parts += [f"### Event `{kind}`{which}", *fields(schema, LOGGED)]
    parts.append("## Summaries")
    for name in SUMMARIES:
        parts += [f"### {name}", *fields(all_schemas[name])]
    parts.append("## Types of fields")
    for name in references([*names, *SUMMARIES], all_schemas):
        parts += [f"### {name}", *fields(all_schemas[name])]
    return "\n\n".join(parts) + "\n"


def fields(schema: Schema, without: Iterable[str] = ()) -> Iterator[str]:
    """The description of a type, and a table of its fields."""
    if text := schema.get("description"):
        yield text
    rows = [
        f"| `{name}` | {word(field)}{'' if name in schema.get('required', []) else ', optional'} "
        f"| {one_line(field.get('description', ''))} |"
        for name, field in schema["properties"].items()
        if name not in without
    ]
    if rows:
        yield "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def references(names: list[str], all_schemas: Schemas) -> list[str]:
    """The types that some types refer to, directly or not, in the order of `all_schemas`."""
    found: set[str] = set()
    remaining = list(names)
    while remaining:
        for name in re.findall(r"'\$ref': '(\w+)'", str(all_schemas[remaining.pop()])):
            if name not in found and name not in names:
                found.add(name)
                remaining.append(name)
    return [name for name in all_schemas if name in found]


def word(schema: Schema) -> str:
    """The type of a field in words, with links to other types."""
    match schema:
        case {"$ref": name}:
            return f"[{name}](#{name.lower()})"
        case {"const": value}:
            return f'"{value}"'
        case {"enum": values}:
            return ", ".join(values)
        case {"anyOf": choices}:
            return " or ".join(map(word, choices))
        case {"type": "array", "items": items}:
            return f"list of {plural(items)}"
        case {"type": "object", "additionalProperties": {} as values} if values:
            return f"{plural(values)} by name"
    return {"integer": "whole number", "string": "text", "boolean": "true or false"}.get(
        schema.get("type", ""), schema.get("type", "any")
    )


def plural(schema: Schema) -> str:
    text = word(schema)
    if text in ("whole number", "number", "text"):
        return f"{text}s"
    return f"({text})" if " or " in text else text


# The typedefs

HEAD = """\
// Types of the data that the server sends. Generated by scripts/generate_types.py: run
// `make generate` instead of changing this file. client_types.js has the types of the scripts.
"""


def typedefs(all_schemas: Schemas) -> str:
    parts = [typedef(name, schema) for name, schema in all_schemas.items()]
    union = " | ".join(kind.__name__ for kind in get_args(events.JobEvent))
    parts.append(comment(wrapped(f"@typedef {{{union}}} JobEvent Any event of a log.", "  ")))
    return "\n".join([HEAD, *parts, "export {};\n"])


def typedef(name: str, schema: Schema) -> str:
    """A JSDoc typedef; names of fields that JSDoc does not accept need the syntax of TypeScript."""
    properties, required = schema["properties"], schema.get("required", [])
    text = one_line(schema.get("description", "").partition("\n\n")[0])
    if all(re.fullmatch(r"\w+", field) for field in properties):
        lines = wrapped(f"@typedef {{object}} {name} {text}", "  ")
        for field, value in properties.items():
            shown = field if field in required else f"[{field}]"
            about = one_line(value.get("description", ""))
            lines += wrapped(f"@property {{{script(value)}}} {shown} {about}", "  ")
        return comment(lines)
    lines = [
        f'  "{field}"{"" if field in required else "?"}: {script(value)},'
        for field, value in properties.items()
    ]
    return comment([text, "", "@typedef {{", *lines, f"}}}} {name}"])


def comment(lines: Iterable[str]) -> str:
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n"


def wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, 97, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def script(schema: Schema) -> str:
    """The type of a field in TypeScript."""
    match schema:
        case {"$ref": name}:
            return str(name)
        case {"const": value}:
            return f'"{value}"'
        case {"enum": values}:
            return " | ".join(f'"{value}"' for value in values)
        case {"anyOf": choices}:
            return " | ".join(map(script, choices))
        case {"type": "array", "items": items, "minItems": least, "maxItems": most}:
            assert least == most
            return f"[{', '.join([script(items)] * least)}]"
        case {"type": "array", "items": items}:
            inner = script(items)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": {} as values} if values:
            return f"Record<string, {script(values)}>"
        case {"type": "object"}:
            return "Record<string, any>"
    return {"integer": "number"}.get(schema.get("type", ""), schema.get("type", "any"))


if __name__ == "__main__":
    sys.exit(main())
