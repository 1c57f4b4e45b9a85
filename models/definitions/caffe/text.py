"""The layers of a Caffe network definition, as they stand in its text: with their lines, and by phase and stage."""

import math
import re
from dataclasses import dataclass
from typing import Any

from google.protobuf import text_format

from models.definitions.caffe.schema import NetParameter, word
from models.definitions.graph import GraphError

Message = Any
"""A protobuf message that was made at run time."""

MOST_LAYERS = 2000
LARGEST = 1e12


@dataclass(frozen=True)
class CaffeLayer:
    """`told`: the LayerParameter message; `line`, counted from 1: where it begins."""

    name: str
    kind: str
    told: Message
    line: int


def parse(text: str) -> list[CaffeLayer]:
    """All layers, in their order; inputs of the net itself as layers of type Input. Raises GraphError with the line."""
    net = NetParameter()
    rows = _rows(text)
    lines = _lines_of_layers(rows)
    try:
        text_format.Parse("\n".join(rows), net)
    except (text_format.ParseError, RecursionError) as error:
        raise _in_words(error) from error
    told: list[Message] = list(net.layer)  # type: ignore[attr-defined]
    inputs: list[str] = list(net.input)  # type: ignore[attr-defined]
    if not told:
        raise GraphError(
            "There is no layer in the text. Paste a network definition: layer { name: … type: … }"
        )
    if len(told) > MOST_LAYERS:
        raise GraphError(f"The network has {len(told):,} layers: at most {MOST_LAYERS:,}.")
    for one, line in zip(told, lines, strict=True):
        _check_numbers(one, line)
    layers = [
        _named(one, number, line)
        for number, (one, line) in enumerate(zip(told, lines, strict=True), 1)
    ]
    return [*(CaffeLayer(name, "Input", _input(name), 1) for name in inputs), *layers]


def _rows(text: str) -> list[str]:
    """The lines as protobuf counts them: only a line feed ends one."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise GraphError(
            "The text has half a character, which no file can hold. Write it anew.", line
        ) from error
    return text.removeprefix("\ufeff").split("\n")


def _lines_of_layers(rows: list[str]) -> list[int]:
    """The line of each top-level layer, counted from 1, be it `layer { … }` or one of `layer: [{ … }, { … }]`."""
    lines: list[int] = []
    depth, begun, is_layer = 0, 0, False
    try:
        tokens: Any = text_format.Tokenizer(rows)
        while not tokens.AtEnd():
            read: str = tokens.token
            line: int = tokens.ParseError("").GetLine() or 1
            if depth == 0 and read == "layers":
                raise GraphError(
                    "This is Caffe's old form, “layers”. Bring it up to date by upgrade_net_proto_text.",
                    line,
                )
            if depth == 0 and re.match(r"[A-Za-z_]", read):
                is_layer, begun = read == "layer", line
            if depth == 0 and read in ("{", "<") and is_layer:
                lines.append(begun or line)
                begun = 0
            depth += {"{": 1, "<": 1, "}": -1, ">": -1}.get(read, 0)
            tokens.NextToken()
    except text_format.ParseError as error:
        raise _in_words(error) from error
    return lines


def _in_words(error: Exception) -> GraphError:
    """protobuf's words without its names of messages: Message type "clearframe.caffe.LayerParameter" has no field named "x"."""
    line = getattr(error, "GetLine", lambda: None)()
    words = re.sub(
        r"^\d+(:\d+)? : ",
        "",
        str(error).splitlines()[-1] if str(error) else "it is nested too deep",
    )
    words = re.sub(r"^'.*?': (?=[A-Z])", "", words)
    unknown = re.search(r'"[\w.]*?(\w+?)(?:Parameter|Rule)?" has no field named "(.*?)"', words)
    if unknown and unknown[2].endswith("_param"):
        return GraphError(
            f"There is no “{unknown[2]}” here: it is misspelt, or layers of its type are not supported.",
            line,
        )
    if unknown:
        return GraphError(
            f"There is no field “{unknown[2]}” in {unknown[1]}, or it is not supported here.", line
        )
    words = re.sub(r'(?:Message|Enum) type "[\w.]*?(\w+)"', r"\1", words)
    return GraphError(f"This is no network definition: {words.rstrip('.')}.", line)


def _check_numbers(message: Message, line: int) -> None:
    for field, value in message.ListFields():
        for one in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
            if isinstance(one, float) and not math.isfinite(one):
                raise GraphError(f"{field.name} is {one}: give a finite number.", line)
            if isinstance(one, float) and abs(one) > LARGEST:
                raise GraphError(
                    f"{field.name} is {one:g}: no number may be greater than {LARGEST:g}.", line
                )
            if hasattr(one, "ListFields"):
                _check_numbers(one, line)


def _named(told: Message, number: int, line: int) -> CaffeLayer:
    if not told.type:
        raise GraphError(f'Layer {number} has no type. Say which, as in type: "Convolution".', line)
    name = told.name or (told.top[0] if told.top else f"{told.type.lower()}{number}")
    if len(name) > 100 or not name.isprintable():
        raise GraphError(f"The name of layer {number} is too long, or cannot be printed.", line)
    return CaffeLayer(name, told.type, told, line)


def _input(name: str) -> Message:
    net = NetParameter()
    layer = net.layer.add()  # type: ignore[attr-defined]
    layer.top.append(name)
    return layer


def included(layer: CaffeLayer, phase: str, stage: str) -> bool:
    """By Caffe's rules (net.cpp, StateMeetsRule): none to include, or one that holds; and none to exclude that holds."""
    told = layer.told
    if told.HasField("phase") and word("Phase", told.phase) != phase:
        return False
    if any(_holds(rule, phase, stage) for rule in told.exclude):
        return False
    return not told.include or any(_holds(rule, phase, stage) for rule in told.include)


def _holds(rule: Any, phase: str, stage: str) -> bool:
    stages = {stage} - {""}
    return (
        (not rule.HasField("phase") or word("Phase", rule.phase) == phase)
        and (not rule.HasField("min_level") or rule.min_level <= 0)
        and (not rule.HasField("max_level") or rule.max_level >= 0)
        and set(rule.stage) <= stages
        and not set(rule.not_stage) & stages
    )
