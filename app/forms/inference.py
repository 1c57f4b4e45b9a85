"""Forms of the test kinds: the fields of each spec, with the choices that a model offers."""

from collections.abc import Mapping

from app.answers import Job
from app.catalog.catalog import Catalog
from app.checks.inference import pairs
from app.forms.fields import Field, Values, fields_of
from app.validation_errors import Invalid, Problems
from jobs.specs import TESTS

INPUT = "input.kind"
INPUTS = {
    "image": ("image", "target", "qp"),
    "pair": ("pair",),
    "stream": ("stream", "frame", "target", "qp"),
}
"""The inputs that a test of one image can have, and the form fields of each."""
MISSING = {
    "image": "Missing: type the path of an image, browse, or drop a file here.",
    "pair": "Missing: choose a pair or type its number.",
    "stream": "Missing: type the path of a stream, browse, or drop a file here.",
}


def inference_fields(
    catalog: Catalog,
    job: Job,
    kind: str = "image",
    values: Values | None = None,
    problems: Problems | None = None,
) -> list[Field]:
    """The fields of a test kind, with the model's snapshots (best first) as choices.

    The number of validation pairs bounds the pair field.
    """
    fields = fields_of(TESTS[kind], values, problems)
    snapshots = [snapshot["snapshot"] for snapshot in reversed(job["summary"].get("snapshots", []))]
    best = job["summary"].get("best", {}).get("snapshot", "none yet")
    model = catalog.get(job["id"])
    for field in fields:
        if field.widget == "snapshot":
            field.choices = [("best", f"best ({best})"), *((name, name) for name in snapshots)]
        elif field.widget == "pair" and model is not None:
            field.maximum = max(pairs(catalog.get, model, "val") - 1, 0)
        elif field.name == "split" and model is not None:
            field.choices = [
                (split, label)
                for split, label in field.choices
                if split == "val" or pairs(catalog.get, model, split)
            ]
    return fields


def selected_input(form: Mapping[str, str], values: Values) -> str:
    """The selected input; without a selection, the first input that has a value."""
    selected = form.get(INPUT, "")
    return (
        selected
        if selected in INPUTS
        else next((name for name in ("stream", "pair") if name in values), "image")
    )


def keep_input(values: Values, selected: str) -> Values:
    """Drop the values of the other inputs. Raises Invalid if the selected input is empty."""
    if selected not in values:
        raise Invalid({selected: MISSING[selected]})
    others = {name for names in INPUTS.values() for name in names} - set(INPUTS[selected])
    return {name: value for name, value in values.items() if name not in others}
