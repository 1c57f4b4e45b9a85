"""Form of the page that restores: networks to choose, fields, spec of the test."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import get_args

from app.files.downloads import is_url
from app.forms.fields import Field, Values, fields_of
from app.validation_errors import Problems
from jobs.core.paths import ROOT
from jobs.core.suffixes import is_image
from jobs.specs import VideoTest
from jobs.specs.networks import Start, Starter

STARTERS: tuple[Starter, ...] = get_args(Starter)
STARTS: tuple[Start, ...] = get_args(Start)
CARDS = ROOT / "models" / "starters"
"""Weights of the starters and their model cards."""

FILE, ORIGINAL, QP, MODEL = "file", "original", "qp", "model"
INPUTS = {"image": ("image", "target"), "video": ("video", "originals")}
"""The fields of a spec that get the file and its original, by kind of test."""


@dataclass(frozen=True)
class StarterFacts:
    """A starter to choose, or to start a training from.

    `size`: bytes of the weights. `gain`: of the PSNR of Y at QP 37 in dB, mean over the clips of
    its model card.
    """

    name: Start
    size: int
    gain: float


@cache
def facts_of(name: Start) -> StarterFacts:
    """Size and gain of a starter, from its weights and from the table of its model card."""
    row = re.search(r"^\| QP 37 \| (\S+) \|", card(name), re.MULTILINE)
    assert row is not None, f"the card of the starter {name} has no gain at QP 37"
    size = (CARDS / f"{name}.safetensors").stat().st_size
    return StarterFacts(name, size, float(row[1].replace("−", "-")))


def card(name: Start) -> str:
    """The model card of a starter, Markdown."""
    return (CARDS / f"{name}.md").read_text(encoding="utf-8")


def fields(values: Values, problems: Problems, models: list[tuple[str, str]]) -> list[Field]:
    """The file, its original, the QP to assume and the model, with their values and errors.

    `models`: ids and labels of the models to choose from, which a starter does without.
    """
    file = Field(
        FILE,
        "Video or image",
        "A video, an H.264 stream or an image: a path on the server, or a file from your computer.",
        "file",
        required=True,
    )
    original = Field(
        ORIGINAL,
        "Original",
        "The undamaged video, the folder of its frames, or the undamaged image. With it, the "
        "result shows the gain in dB.",
        "any",
        more=True,
    )
    model = Field(MODEL, "Trained model", "Its best snapshot restores.", "select", choices=models)
    for field in (file, original, model):
        field.value = values.get(field.name, "")
        field.error = problems.get(field.name, "")
    qp = next(field for field in fields_of(VideoTest, values, problems) if field.name == QP)
    return [file, original, qp, model]


def spec_values(form: Mapping[str, str]) -> Values:
    """The values of a test for the values of the form. The file's name decides its kind."""
    file = form.get(FILE, "").strip()
    kind = "image" if is_url(file) or is_image(file.rsplit("/", 1)[-1]) else "video"
    input, truth = INPUTS[kind]
    starter = form.get("starter", STARTERS[0])
    values = {
        "kind": kind,
        "starter": starter or None,
        MODEL: None if starter else form.get(MODEL) or None,
        input: file,
        truth: form.get(ORIGINAL, "").strip() or None,
        QP: form.get(QP, "").strip() or None,
    }
    return {**values, "layers": False} if kind == "image" else values


def form_problems(problems: Problems) -> Problems:
    """Errors of a test's spec, by the names of the form's fields."""
    names = {
        name: field
        for inputs in INPUTS.values()
        for name, field in zip(inputs, (FILE, ORIGINAL), strict=True)
    }
    names["snapshot"] = MODEL  # The form offers no snapshots: the best one restores.
    return {names.get(name, name): text for name, text in problems.items()}
