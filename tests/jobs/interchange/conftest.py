"""Shared fixtures: a dataset with three splits, and readers that stay offline."""

from collections.abc import Iterator

import pytest

from jobs.core.folder import JobFolder
from tests.conftest import Clip
from tests.support.field_datasets import run_dataset


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def dataset(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    return run_dataset(
        tmp_path_factory.mktemp("home"),
        {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])},
        test={"method": "blocks"},
    )
