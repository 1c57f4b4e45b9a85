"""What a job can be asked to do: the one definition behind the form, the JSON API, the command line and the docs.

Each field carries its label (`title`), its help line (`description`), bounds, choices and default.
How a form shows it stands in `json_schema_extra`: `unit`, `more` (folded away), `widget`.
Imports nothing else of ours.
"""

from typing import Any, Literal

from jobs.specs.base import Spec
from jobs.specs.dataset import DatasetSpec, Encoding
from jobs.specs.model import ModelSpec
from jobs.specs.test import TESTS, AnyTest, ImagesTest, ImageTest, SplitTest, VideoTest

__all__ = [
    "TESTS",
    "AnyTest",
    "DatasetSpec",
    "Encoding",
    "ImageTest",
    "ImagesTest",
    "JobKind",
    "JobSpec",
    "ModelSpec",
    "Spec",
    "SplitTest",
    "VideoTest",
    "spec_of",
]

JobSpec = DatasetSpec | ModelSpec | AnyTest
JobKind = Literal["dataset", "model", "test"]


def spec_of(
    kind: str, values: dict[str, Any]
) -> type[DatasetSpec] | type[ModelSpec] | type[AnyTest]:
    """What says what a job of a kind can be asked to do; a test that does not say of what is one of an image."""
    if kind == "test":
        return TESTS[values.get("kind", "image")]
    return DatasetSpec if kind == "dataset" else ModelSpec
