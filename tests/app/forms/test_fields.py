"""Tests of the form fields: every setting of a spec has a field, and entered values round-trip."""

import pytest

from app.api.openapi import document
from app.forms.fields import fields_of, values_of
from app.validation_errors import Invalid, validate
from jobs.specs import TESTS, DatasetSpec, ModelSpec, Spec

DATASET = {"name": "a", "source.stream": "/s.h264", "source.originals": "/o"}


def test_entered_values_make_the_spec() -> None:
    typed = {
        **DATASET,
        "validation.percent": "20",
        "input_encoding": "none",
        "keep_decoded.shown": "1",
        "keep_decoded": "on",
    }
    spec = validate(DatasetSpec, values_of(DatasetSpec, typed))
    assert (
        spec.source.stream,
        spec.validation.percent,
        spec.input_encoding,
        spec.keep_decoded,
    ) == ("/s.h264", 20, "none", True)


def test_an_unticked_checkbox_is_false_and_a_hidden_checkbox_keeps_its_default() -> None:
    ticked = values_of(ModelSpec, {"flips.shown": "1"})
    assert ticked["flips"] is False
    assert "flips" not in values_of(ModelSpec, {})


@pytest.mark.parametrize("spec", [DatasetSpec, ModelSpec, *TESTS.values()])
def test_every_field_has_a_label_help_and_a_schema(spec: type[Spec]) -> None:
    text = str(document()["components"]["schemas"])
    for field in fields_of(spec):
        assert field.help, field.name
        assert field.label in text


def test_fields_of_whole_numbers_have_steps_of_one() -> None:
    steps = {field.name: field.step for field in fields_of(TESTS["image"])}
    assert (steps["pair"], steps["frame"], steps["qp"]) == ("1", "1", "1")


def test_fields_have_their_values_and_errors() -> None:
    fields = fields_of(
        ModelSpec, {"solver": {"learning_rate": "fast"}}, {"solver.learning_rate": "No."}
    )
    active = {field.name: field for field in fields if field.active}
    field = active["solver.learning_rate"]
    assert (field.value, field.error, field.minimum, field.maximum) == ("fast", "No.", 0, 10)
    assert active["lr_policy.per"].choices[0] == ("run", "run")


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"validation": {"percent": 80}}, "validation.percent", "Must be at most 50."),
        ({"validation": {"percent": "many"}}, "validation.percent", "Must be a number."),
        ({"input_encoding": "gif"}, "input_encoding", "Must be one of 'none', 'png' or 'jpeg'."),
        ({"colour": 1}, "colour", "Unknown field."),
        (
            {"source": {"kind": "stream", "stream": "/s"}},
            "source.originals",
            "This field is required.",
        ),
    ],
)
def test_errors_are_sentences_at_their_fields(
    change: dict[str, object], field: str, sentence: str
) -> None:
    valid = {"name": "a", "source": {"kind": "stream", "stream": "/s.h264", "originals": "/o"}}
    with pytest.raises(Invalid) as invalid:
        validate(DatasetSpec, {**valid, **change})
    assert invalid.value.problems == {field: sentence}


def test_epochs_and_minutes_exclude_each_other() -> None:
    with pytest.raises(Invalid) as invalid:
        validate(ModelSpec, {"name": "a", "dataset": "abcdefgh", "epochs": 3, "minutes": 1})
    assert invalid.value.problems == {
        "epochs": "Give epochs, steps or minutes, not several of them."
    }
    assert validate(ModelSpec, {"name": "a", "dataset": "abcdefgh"}).epochs == 30
