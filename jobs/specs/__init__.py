"""The settings of jobs: one definition for the form, the JSON API, the command line and the docs.

Each field is a `setting` with its default, label, help text, bounds and choices.
`json_schema_extra` has the settings for forms: `unit`, `more` (folded away), `widget`, and `titles`
(names of choices). Imports no other package of the project.
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
    """The spec class for a kind of job. A test without a `kind` in its values is an image test."""
    if kind == "test":
        return TESTS[values.get("kind", "image")]
    return DatasetSpec if kind == "dataset" else ModelSpec
