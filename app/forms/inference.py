"""The forms of tests, a kind each: the fields of its spec, with what can be chosen of a model."""

from collections.abc import Mapping
from typing import Any

from app.catalog.catalog import Catalog
from app.checks.inference import pairs
from app.forms.fields import Field, Values, fields_of
from app.problems import Invalid, Problems
from jobs.specs import TESTS

Job = dict[str, Any]

INPUT = "input.kind"
INPUTS = {"image": ("image", "target"), "pair": ("pair",), "stream": ("stream", "frame", "target")}
"""Where the image of a test can come from, and the fields of each."""
MISSING = {
    "image": "Give an image: type its path, browse, or drop it here.",
    "pair": "Choose one of the pairs, or type its number.",
    "stream": "Give the stream of the frame: type its path, browse, or drop it here.",
}


def inference_fields(
    catalog: Catalog,
    job: Job,
    kind: str = "image",
    values: Values | None = None,
    problems: Problems | None = None,
) -> list[Field]:
    """With the model's snapshots, best first, and bounded by how many pairs there are to choose from."""
    shown = fields_of(TESTS[kind], values, problems)
    snapshots = [snapshot["snapshot"] for snapshot in reversed(job["summary"].get("snapshots", []))]
    best = job["summary"].get("best", {}).get("snapshot", "none yet")
    model = catalog.get(job["id"])
    for field in shown:
        if field.widget == "snapshot":
            field.choices = [("best", f"best ({best})"), *((name, name) for name in snapshots)]
        elif field.widget == "pair" and model is not None:
            field.maximum = max(pairs(catalog.get, model, "val") - 1, 0)
    return shown


def input_of(sent: Mapping[str, str], values: Values) -> str:
    """The input that is chosen; where nothing says so, the one that something is given of."""
    chosen = sent.get(INPUT, "")
    return (
        chosen
        if chosen in INPUTS
        else next((name for name in ("stream", "pair") if name in values), "image")
    )


def of_input(values: Values, chosen: str) -> Values:
    """Without what was typed for another input before this one was chosen. Raises Invalid where there is nothing of it."""
    if chosen not in values:
        raise Invalid({chosen: MISSING[chosen]})
    others = {name for names in INPUTS.values() for name in names} - set(INPUTS[chosen])
    return {name: value for name, value in values.items() if name not in others}
