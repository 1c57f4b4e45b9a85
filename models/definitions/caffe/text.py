"""Parser for the text of a Caffe network definition: layers with lines, phases and stages."""

import math
import re
from dataclasses import dataclass
from typing import Any

from google.protobuf import text_format

from models.definitions.caffe.schema import NetParameter, enum_name
from models.definitions.graph import GraphError

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
    net = NetParameter()
    rows = _rows(text)
    lines = _lines_of_layers(rows)
    try:
        text_format.Parse("\n".join(rows), net)
    except (text_format.ParseError, RecursionError) as error:
        raise _graph_error(error) from error
    messages: list[Message] = list(net.layer)  # type: ignore[attr-defined]
    inputs: list[str] = list(net.input)  # type: ignore[attr-defined]
    if not messages:
        raise GraphError(
            "The text contains no layer. Paste a network definition: layer { name: … type: … }"
        )
    if len(messages) > MAX_LAYERS:
        raise GraphError(f"The network has {len(messages):,} layers: at most {MAX_LAYERS:,}.")
    for message, line in zip(messages, lines, strict=True):
        _check_numbers(message, line)
    layers = [
        _named(message, number, line)
        for number, (message, line) in enumerate(zip(messages, lines, strict=True), 1)
    ]
    return [*(CaffeLayer(name, "Input", _input(name), 1) for name in inputs), *layers]


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


def _lines_of_layers(rows: list[str]) -> list[int]:
    """The line of each top-level layer, counted from 1.

    Handles `layer { … }` as well as the items of `layer: [{ … }, { … }]`.
    """
    lines: list[int] = []
    depth, begun, is_layer = 0, 0, False
    try:
        tokens: Any = text_format.Tokenizer(rows)
        while not tokens.AtEnd():
            symbol: str = tokens.token
            line: int = tokens.ParseError("").GetLine() or 1
            if depth == 0 and symbol == "layers":
                raise GraphError(
                    "“layers” is Caffe's old format. Convert the text with upgrade_net_proto_text.",
                    line,
                )
            if depth == 0 and re.match(r"[A-Za-z_]", symbol):
                is_layer, begun = symbol == "layer", line
            if depth == 0 and symbol in ("{", "<") and is_layer:
                lines.append(begun or line)
                begun = 0
            depth += {"{": 1, "<": 1, "}": -1, ">": -1}.get(symbol, 0)
            tokens.NextToken()
    except text_format.ParseError as error:
        raise _graph_error(error) from error
    return lines


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
            f"Unknown field “{unknown[2]}” in {unknown[1]}: it is misspelt, or not supported.", line
        )
    text = re.sub(r'(?:Message|Enum) type "[\w.]*?(\w+)"', r"\1", text)
    return GraphError(f"This is not a network definition: {text.rstrip('.')}.", line)


def _check_numbers(message: Message, line: int) -> None:
    for field, value in message.ListFields():
        for item in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
            if isinstance(item, float) and not math.isfinite(item):
                raise GraphError(f"{field.name} is {item}: give a finite number.", line)
            if isinstance(item, float) and abs(item) > MAX_NUMBER:
                raise GraphError(
                    f"{field.name} is {item:g}: no number may be greater than {MAX_NUMBER:g}.", line
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
    net = NetParameter()
    layer = net.layer.add()  # type: ignore[attr-defined]
    layer.top.append(name)
    return layer


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
