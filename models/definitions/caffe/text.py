"""Parser for the text of a Caffe network definition: layers with lines, phases and stages."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import text_format

from models.definitions.caffe.schema import LayerParameter, NetParameter, enum_name
from models.definitions.caffe.upgrade import type_of_v1, upgraded
from models.definitions.operations import GraphError

Message = Any
"""A protobuf message. Its class is created at run time."""

MAX_LAYERS = 2000
MAX_NUMBER = 1e12


@dataclass(frozen=True, eq=False)
class CaffeLayer:
    """A layer of the text. Two layers are never equal, even with the same content.

    `message`: its LayerParameter; `line`: its first line, counted from 1.
    """

    name: str
    kind: str
    message: Message
    line: int


def parse(text: str) -> list[CaffeLayer]:
    """All layers, in order. Inputs of the net itself become layers of type Input.

    Raises GraphError with the line.
    """
    net: Message = NetParameter()
    rows = _rows(text)
    outline = _outline(rows)
    try:
        text_format.Parse("\n".join(_with_types_of_today(rows, outline)), net)
    except (text_format.ParseError, RecursionError) as error:
        raise _graph_error(error) from error
    _check_form(net, outline)
    layers = list(zip(net.layer or net.layers, outline.lines, strict=True))
    for message, line in layers:
        _check_numbers(message, line)
    if net.layers:
        layers = upgraded(layers)
    named = [_named(message, number, line) for number, (message, line) in enumerate(layers, 1)]
    return [*(CaffeLayer(name, "Input", _input(name), 1) for name in net.input), *named]


def _check_form(net: Message, outline: "_Outline") -> None:
    count = len(net.layer) + len(net.layers)
    if not count:
        raise GraphError(
            "The text contains no layer. Paste a network definition: layer { name: … type: … }"
        )
    if count > MAX_LAYERS:
        raise GraphError(f"The network has {count:,} layers: at most {MAX_LAYERS:,}.")
    if net.layer and net.layers:
        raise GraphError(
            "The text has both layer { … } and, in Caffe's old format, layers { … }. Use one.",
            outline.lines[outline.is_old.index(not outline.is_old[0])],
        )
    if net.HasField("state"):
        raise GraphError(
            "“state” is not supported: a training uses the phase TRAIN and the stage train. "
            "Remove it.",
            outline.state,
        )


def _rows(text: str) -> list[str]:
    """The lines as protobuf counts them: only a line feed ends a line."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise GraphError(
            "The text has half a character (an unpaired surrogate). Delete or retype it.", line
        ) from error
    return text.removeprefix("\ufeff").split("\n")


@dataclass
class _Outline:
    """Places in a text. Lines and columns count from 1."""

    lines: list[int] = field(default_factory=list)
    """The line of each layer."""
    is_old: list[bool] = field(default_factory=list)
    """Whether a layer has Caffe's old format: `layers`, not `layer`."""
    types: list[tuple[int, int, str]] = field(default_factory=list)
    """Types of layers that are words, not strings: line, column, word."""
    state: int | None = None


def _outline(rows: list[str]) -> _Outline:
    """The places of the top-level layers: `layer { … }`, and the items of `layer: [{ … }, { … }]`.

    Raises GraphError with the line.
    """
    outline = _Outline()
    depth, begun, top, last = 0, 0, "", ""
    try:
        tokens: Any = text_format.Tokenizer(rows)
        while not tokens.AtEnd():
            symbol: str = tokens.token
            place = tokens.ParseError("")
            line: int = place.GetLine() or 1
            is_word = bool(re.match(r"[A-Za-z_]", symbol))
            if depth == 0 and is_word:
                top, begun = symbol, line
                outline.state = line if symbol == "state" else outline.state
            if depth == 0 and symbol in ("{", "<") and top in ("layer", "layers"):
                outline.lines.append(begun or line)
                outline.is_old.append(top == "layers")
                begun = 0
            if depth == 1 and last == "type" and is_word and top in ("layer", "layers"):
                outline.types.append((line, place.GetColumn() or 1, symbol))
            depth += {"{": 1, "<": 1, "}": -1, ">": -1}.get(symbol, 0)
            last = last if symbol == ":" else symbol
            tokens.NextToken()
    except text_format.ParseError as error:
        raise _graph_error(error) from error
    return outline


def _with_types_of_today(rows: list[str], outline: _Outline) -> list[str]:
    """The lines with types of layers as strings: Caffe's old format has words, CONVOLUTION."""
    rows = list(rows)
    for line, column, word in reversed(outline.types):
        row = rows[line - 1]
        before, after = row[: column - 1], row[column - 1 + len(word) :]
        rows[line - 1] = f'{before}"{type_of_v1(word)}"{after}'
    return rows


def _graph_error(error: Exception) -> GraphError:
    """Protobuf's error as a GraphError, without its message names.

    Protobuf's text reads: Message type "clearframe.caffe.LayerParameter" has no field named "x".
    """
    line = getattr(error, "GetLine", lambda: None)()
    text = re.sub(
        r"^\d+(:\d+)? : ",
        "",
        str(error).splitlines()[-1] if str(error) else "it is nested too deep",
    )
    text = re.sub(r"^'.*?': (?=[A-Z])", "", text)
    unknown = re.search(r'"[\w.]*?(\w+?)(?:Parameter|Rule)?" has no field named "(.*?)"', text)
    if unknown and unknown[2].endswith("_param"):
        return GraphError(
            f"Unknown field “{unknown[2]}”: it is misspelt, "
            "or layers of its type are not supported.",
            line,
        )
    if unknown:
        return GraphError(
            f"Unknown field “{unknown[2]}” in {unknown[1].removeprefix('V1')}: "
            "it is misspelt, or not supported.",
            line,
        )
    text = re.sub(r'(?:Message|Enum) type "[\w.]*?(\w+)"', r"\1", text)
    return GraphError(f"This is not a network definition: {text.rstrip('.')}.", line)


def _check_numbers(message: Message, line: int) -> None:
    for setting, value in message.ListFields():
        for item in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
            if isinstance(item, float) and not math.isfinite(item):
                raise GraphError(f"{setting.name} is {item}: give a finite number.", line)
            if isinstance(item, float) and abs(item) > MAX_NUMBER:
                raise GraphError(
                    f"{setting.name} is {item:g}: no number may be greater than {MAX_NUMBER:g}.",
                    line,
                )
            if hasattr(item, "ListFields"):
                _check_numbers(item, line)


def _named(message: Message, number: int, line: int) -> CaffeLayer:
    if not message.type:
        raise GraphError(f'Layer {number} has no type. Add a type: "Convolution".', line)
    name = message.name or (message.top[0] if message.top else f"{message.type.lower()}{number}")
    if len(name) > 100 or not name.isprintable():
        raise GraphError(
            f"The name of layer {number} is too long or not printable. "
            "Use at most 100 printable characters.",
            line,
        )
    return CaffeLayer(name, message.type, message, line)


def _input(name: str) -> Message:
    return LayerParameter(top=[name])


def included(layer: CaffeLayer, phase: str, stage: str) -> bool:
    """Whether a layer belongs to a phase and stage, by Caffe's rules (net.cpp, StateMeetsRule).

    No exclude rule matches, and the layer has no include rules or any of them matches.
    """
    message = layer.message
    if message.HasField("phase") and enum_name("Phase", message.phase) != phase:
        return False
    if any(_matches(rule, phase, stage) for rule in message.exclude):
        return False
    return not message.include or any(_matches(rule, phase, stage) for rule in message.include)


def _matches(rule: Any, phase: str, stage: str) -> bool:
    stages = {stage} - {""}
    return (
        (not rule.HasField("phase") or enum_name("Phase", rule.phase) == phase)
        and (not rule.HasField("min_level") or rule.min_level <= 0)
        and (not rule.HasField("max_level") or rule.max_level >= 0)
        and set(rule.stage) <= stages
        and not set(rule.not_stage) & stages
    )
