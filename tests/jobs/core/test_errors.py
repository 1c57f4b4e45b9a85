"""Tests of the sentences on errors of a disk or of permissions."""

import errno
import os
from pathlib import Path

import pytest

import jobs.run
from jobs.core import folder as folders
from jobs.core.errors import REFUSED, refused
from jobs.core.events import EventLog, last_state
from jobs.specs import ImageTest


@pytest.mark.parametrize("number", sorted(REFUSED))
def test_errors_that_a_user_can_remove_have_a_sentence(number: int) -> None:
    sentence = refused(OSError(number, os.strerror(number), "/home/jobs"))
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert sentence.startswith("The disk is full." if full else "/home/jobs: ")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EPIPE, errno.ECONNREFUSED])
def test_other_errors_have_none(number: int) -> None:
    assert refused(OSError(number, os.strerror(number))) == ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_job_on_a_full_disk_or_over_its_quota_says_that_it_can_be_resumed(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(jobs.run, "work", fail)
    spec = ImageTest.model_validate({"model": "0" * 22, "image": "/a.png"})
    folder = folders.create(tmp_path, "test", spec)
    with EventLog(folder.events) as log:
        assert jobs.run.run(folder, log) == 1
    state = last_state(folder.events)
    assert state is not None
    assert state["state"] == "error"
    assert state["reason"] == (
        "The disk is full. Free some space, then resume the job: finished work is kept."
    )
