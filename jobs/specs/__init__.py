"""What a job can be asked to do: the one definition behind the form, the JSON API, the command line and the docs.

Each field carries its label (`title`), its help line (`description`), bounds, choices and default.
How a form shows it stands in `json_schema_extra`: `unit`, `more` (folded away), `widget`.
"""

from typing import Literal

from jobs.specs.base import Spec
from jobs.specs.dataset import DatasetSpec, Encoding
from jobs.specs.model import ModelSpec
from jobs.specs.test import TestSpec

__all__ = ["SPECS", "DatasetSpec", "Encoding", "JobKind", "JobSpec", "ModelSpec", "Spec", "TestSpec"]

JobSpec = DatasetSpec | ModelSpec | TestSpec
JobKind = Literal["dataset", "model", "test"]
SPECS: dict[str, type[DatasetSpec] | type[ModelSpec] | type[TestSpec]] = {
    "dataset": DatasetSpec,
    "model": ModelSpec,
    "test": TestSpec,
}
