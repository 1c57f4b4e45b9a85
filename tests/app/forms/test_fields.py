"""Forms and specs are one: every setting has its field, and what was typed comes back."""

import pytest

from app.api.openapi import document
from app.forms.fields import fields_of, values_of
from app.problems import Invalid, validate
from jobs.specs import TESTS, DatasetSpec, ModelSpec, Spec

DATASET = {"name": "a", "source.stream": "/s.h264", "source.originals": "/o"}


def test_what_was_typed_makes_the_spec() -> None:
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


def test_a_box_that_was_not_ticked_is_false_and_one_that_was_not_shown_is_the_default() -> None:
    ticked = values_of(ModelSpec, {"flips.shown": "1"})
    assert ticked["flips"] is False
    assert "flips" not in values_of(ModelSpec, {})


@pytest.mark.parametrize("spec", [DatasetSpec, ModelSpec, *TESTS.values()])
def test_every_field_has_a_label_help_and_a_schema(spec: type[Spec]) -> None:
    text = str(document()["components"]["schemas"])
    for field in fields_of(spec):
        assert field.help, field.name
        assert field.label in text


def test_values_and_problems_stand_at_their_fields() -> None:
    made = fields_of(
        ModelSpec, {"solver": {"learning_rate": "fast"}}, {"solver.learning_rate": "No."}
    )
    shown = {field.name: field for field in made if field.active}
    field = shown["solver.learning_rate"]
    assert (field.value, field.error, field.minimum, field.maximum) == ("fast", "No.", 0, 10)
    assert shown["lr_policy.per"].choices[0] == ("run", "run")


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"name": ""}, "name", "This is needed."),
        ({"validation": {"percent": 80}}, "validation.percent", "Must be at most 50."),
        ({"validation": {"percent": "many"}}, "validation.percent", "Must be a number."),
        ({"input_encoding": "gif"}, "input_encoding", "Must be one of 'none', 'png' or 'jpeg'."),
        ({"colour": 1}, "colour", "There is no such field."),
        ({"source": {"kind": "stream", "stream": "/s"}}, "source.originals", "This is needed."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    change: dict[str, object], field: str, sentence: str
) -> None:
    whole = {"name": "a", "source": {"kind": "stream", "stream": "/s.h264", "originals": "/o"}}
    with pytest.raises(Invalid) as invalid:
        validate(DatasetSpec, {**whole, **change})
    assert invalid.value.problems == {field: sentence}


def test_epochs_and_minutes_exclude_each_other() -> None:
    with pytest.raises(Invalid) as invalid:
        validate(ModelSpec, {"name": "a", "dataset": "abcdefgh", "epochs": 3, "minutes": 1})
    assert invalid.value.problems == {
        "epochs": "Give epochs, steps or minutes, not several of them."
    }
    assert validate(ModelSpec, {"name": "a", "dataset": "abcdefgh"}).epochs == 30
