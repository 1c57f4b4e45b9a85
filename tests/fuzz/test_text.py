"""Fuzz tests of parsers: random specs, event logs and network definitions.

Each input is accepted or rejected with a message.
"""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as any_

from app.catalog import log_index
from app.validation_errors import Invalid, validate
from jobs.core.events import EventLog, last_state, read, read_from
from jobs.core.folder import JobFolder
from jobs.core.paths import EXAMPLES
from jobs.core.view import empty, fold
from jobs.specs import DatasetSpec, ImageTest, ModelSpec, SplitTest
from jobs.specs.base import Spec
from models.definitions.caffe import prototxt
from models.definitions.operations import GraphError

# No deadline: the result must not depend on the speed of the machine.
SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "bounded", max_examples=100, deadline=None, derandomize=True, suppress_health_check=SLOW
)
settings.load_profile("bounded")

SPECS: list[type[Spec]] = [DatasetSpec, ModelSpec, ImageTest, SplitTest]
VALUES = any_.recursive(
    any_.none() | any_.booleans() | any_.integers() | any_.floats() | any_.text(max_size=20),
    lambda inner: (
        any_.lists(inner, max_size=4) | any_.dictionaries(any_.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
STRINGS = [
    "sources",
    "stream",
    "kind",
    "name",
    "\0",
    "",
    "1e999",
    "-1",
    "0",
    "nan",
    "best",
    "epoch-0001",
    "~",
    "../..",
    "a" * 5000,
]
TEXTS = sorted(EXAMPLES.glob("*.prototxt"))


@pytest.mark.parametrize("spec", SPECS)
@given(data=any_.data())
def test_any_values_are_a_spec_or_rejected(spec: type[Spec], data: Any) -> None:
    names = any_.sampled_from([*spec.model_fields, "nothing"])
    values = data.draw(
        any_.dictionaries(names, VALUES | any_.sampled_from(STRINGS), max_size=6) | VALUES
    )
    try:
        made = validate(spec, values)
    except Invalid as invalid:
        assert all(
            sentence.endswith((".", "!")) and "Traceback" not in sentence
            for sentence in invalid.problems.values()
        )
    else:
        assert validate(spec, json.loads(made.model_dump_json())) == made


@settings(suppress_health_check=[*SLOW, HealthCheck.function_scoped_fixture])
@given(
    lines=any_.lists(
        any_.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()), max_size=8
    )
)
def test_log_reader_skips_any_bytes(lines: list[bytes], tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.events.write_bytes(
        b'{"seq":1,"time":1.0,"type":"state","state":"waiting","reason":""}\n' + b"\n".join(lines)
    )
    events, offset = read_from(folder.events, 0)
    assert offset <= folder.events.stat().st_size
    assert [event["seq"] for event in read(folder.events)][:1] == [1]
    assert last_state(folder.events) is not None
    assert events[0]["state"] == "waiting"
    with EventLog(folder.events) as log:
        log.append("state", state="error", reason="x")
    last = last_state(folder.events)
    assert last is not None
    assert last["state"] == "error"


@settings(suppress_health_check=[*SLOW, HealthCheck.function_scoped_fixture])
@given(
    scalars=any_.lists(
        any_.tuples(
            any_.integers(0, 10**6),
            any_.dictionaries(
                any_.text(max_size=6), any_.none() | any_.floats(allow_nan=False), max_size=3
            ),
        ),
        max_size=8,
    )
)
def test_reads_any_curves(
    scalars: list[tuple[int, dict[str, float | None]]], tmp_path: Path
) -> None:
    folder = JobFolder(tmp_path)
    folder.events.unlink(missing_ok=True)
    view = empty()
    with EventLog(folder.events) as log:
        for step, values in scalars:
            finite = {
                key: value for key, value in values.items() if value is None or abs(value) < 1e300
            }
            view = fold(view, log.append("scalars", step=step, epoch=step / 10, scalars=finite))
    names, parts = log_index.points(folder, None)
    for row in chain.from_iterable(parts):
        assert len(row) == len(names)


@pytest.mark.parametrize("example", TEXTS, ids=lambda path: path.stem)
@given(data=any_.data())
def test_parses_or_rejects_mutated_networks(example: Path, data: Any) -> None:
    text = example.read_text(encoding="utf-8")
    for _ in range(data.draw(any_.integers(1, 3))):
        start, length = data.draw(any_.integers(0, len(text))), data.draw(any_.integers(0, 40))
        text = (
            text[:start]
            + data.draw(
                any_.text(max_size=12)
                | any_.sampled_from(["{", "}", "layer {", ": 0", ": -1", ": 99999999", '"'])
            )
            + text[start + length :]
        )
    parsed_or_rejected(text)


@given(text=any_.text(max_size=300))
def test_any_text_is_a_network_or_rejected(text: str) -> None:
    parsed_or_rejected(text)


def parsed_or_rejected(text: str) -> None:
    try:
        prototxt.read(text, 1)
    except GraphError as problem:
        assert str(problem)
