"""Jobs by their kind, with the spec and summary of each: types for clients that are generated.

The server's own code and scripts have one type for all kinds, `Job`, which app/answers.py has.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType, TypedDict

from app.answers import Job, JobFields, JobList, RecordFields, RunRecord
from jobs.core.types.summaries import DatasetSummary, ModelSummary, TestSummary
from jobs.specs import DatasetSpec, ImagesTest, ImageTest, ModelSpec, SplitTest, VideoTest


class DatasetJob(JobFields):
    """A dataset."""

    kind: Literal["dataset"]
    spec: DatasetSpec
    summary: DatasetSummary


class ModelJob(JobFields):
    """A training."""

    kind: Literal["model"]
    spec: ModelSpec
    summary: ModelSummary


AnyTestSpec = TypeAliasType(
    "AnyTestSpec",
    Annotated[ImageTest | ImagesTest | SplitTest | VideoTest, Field(discriminator="kind")],
)


class TestJob(JobFields):
    """A test."""

    kind: Literal["test"]
    spec: AnyTestSpec
    summary: TestSummary


class DatasetRecord(RecordFields):
    """What is needed to make a dataset again."""

    kind: Literal["dataset"]
    spec: DatasetSpec
    summary: DatasetSummary


class ModelRecord(RecordFields):
    """What is needed to repeat a training."""

    kind: Literal["model"]
    spec: ModelSpec
    summary: ModelSummary


class TestRecord(RecordFields):
    """What is needed to repeat a test."""

    kind: Literal["test"]
    spec: AnyTestSpec
    summary: TestSummary


AnyJob = TypeAliasType(
    "AnyJob", Annotated[DatasetJob | ModelJob | TestJob, Field(discriminator="kind")]
)
AnyRecord = TypeAliasType(
    "AnyRecord", Annotated[DatasetRecord | ModelRecord | TestRecord, Field(discriminator="kind")]
)


class JobsPage(TypedDict):
    """A page of jobs."""

    jobs: list[AnyJob]
    cursor: Annotated[str | None, Field(description="`cursor` of the next page; null on the last.")]


@dataclass(frozen=True)
class DescribedAs:
    """Describes a type by another, more precise one."""

    kind: Any

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler.generate_schema(self.kind)


JobDetails = Annotated[Job, DescribedAs(AnyJob)]
JobPage = Annotated[JobList, DescribedAs(JobsPage)]
Record = Annotated[RunRecord, DescribedAs(AnyRecord)]
